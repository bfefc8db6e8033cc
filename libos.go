// Package libos is a network stack as a library, in the configuration that
// `libosbuild defconfig` gives: [Wiring] names what instances are made of, and
// [New] makes one. The generated files here (wiring*.go) hold defconfig's wiring;
// a build puts its own in their place. The stack itself is in package core,
// protocols in protocols/NAME, links in device/NAME, clocks in host. Start at
// wiring.go; programs that use the library are in examples/.
package libos

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/version"
)

// Version of the library.
const Version = version.Number

// New makes an instance: core.New, with Wiring's wiring where o names none. Many
// instances should share one wiring: give it to them in o.Wiring.
func New(o core.Options) (*core.Instance, error) {
	if o.Wiring == nil {
		o.Wiring = Wiring()
	}
	return core.New(o)
}
