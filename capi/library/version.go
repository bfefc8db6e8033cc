//go:build cgo

package main

import "C"

import (
	"unsafe"

	"github.com/libos-go/libos/core/version"
)

// libos_version copies the version to C, ended by 0.
//
//export libos_version
func libos_version(buf *C.char, size C.int) {
	tell(version.Number, unsafe.Pointer(buf), int64(size))
}
