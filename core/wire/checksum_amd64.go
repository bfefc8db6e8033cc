package wire

import (
	"unsafe"

	"golang.org/x/sys/cpu"
)

// vectorMin is from how many bytes on setting up the vectors pays.
const vectorMin = 256

// sumBlocks is the sum of the 32-bit little-endian words of blocks of 32 bytes
// at p, blocks being at least 1 and fewer than 2^28. It needs AVX2.
//
//go:noescape
func sumBlocks(p *byte, blocks int) uint64

// addBlocks adds the whole blocks of 32 bytes at the head of b to the one's
// complement sum s and returns the sum and what is left of b.
func addBlocks(s uint64, b []byte) (uint64, []byte) {
	if len(b) < vectorMin || !cpu.X86.HasAVX2 {
		return s, b
	}
	return add64(s, sumBlocks(unsafe.SliceData(b), len(b)/32)), b[len(b)&^31:]
}
