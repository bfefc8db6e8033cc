package bpf

import (
	"encoding/binary"
	"syscall"
)

// MaxLen is the most instructions of a program (BPF_MAXINSNS).
const MaxLen = 4096

// sizeofInstruction is struct sock_filter.
const sizeofInstruction = 8

// instruction is struct sock_filter.
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

// Program is a checked filter. It is immutable.
type Program struct{ list []instruction }

// Classes, sizes, modes, sources and operations (linux/bpf_common.h).
const (
	classLD, classLDX, classST, classSTX = 0, 1, 2, 3
	classALU, classJMP, classRET, classM = 4, 5, 6, 7

	sizeW, sizeH, sizeB = 0x00, 0x08, 0x10

	modeIMM, modeABS, modeIND, modeMEM, modeLEN, modeMSH = 0x00, 0x20, 0x40, 0x60, 0x80, 0xa0

	sourceX = 0x08

	opAdd, opSub, opMul, opDiv, opOr, opAnd = 0x00, 0x10, 0x20, 0x30, 0x40, 0x50
	opLsh, opRsh, opNeg, opMod, opXor       = 0x60, 0x70, 0x80, 0x90, 0xa0
	jumpA, jumpEq, jumpGt, jumpGe, jumpSet  = 0x00, 0x10, 0x20, 0x30, 0x40
	retK, retA                              = 0x00, 0x10
	moveTAX, moveTXA                        = 0x00, 0x80
	slots                                   = 16
)

// Parse reads and checks a program, an array of struct sock_filter in the machine's
// byte order. EINVAL for one that is empty, too long, no whole number of instructions,
// has an unknown instruction, jumps out of itself, reads a memory word that it did not
// write, divides by zero or does not end with a return (bpf_check_classic).
func Parse(b []byte) (*Program, error) {
	n := len(b) / sizeofInstruction
	if n == 0 || n > MaxLen || len(b)%sizeofInstruction != 0 {
		return nil, syscall.EINVAL
	}
	p := &Program{list: make([]instruction, n)}
	ne := binary.NativeEndian
	for i := range p.list {
		x := b[i*sizeofInstruction:]
		p.list[i] = instruction{ne.Uint16(x), x[2], x[3], ne.Uint32(x[4:])}
	}
	for i := range p.list {
		if !p.valid(i) {
			return nil, syscall.EINVAL
		}
	}
	if p.list[n-1].code&7 != classRET || !p.writesBeforeReads() {
		return nil, syscall.EINVAL
	}
	return p, nil
}

// Len is how many instructions the program has.
func (p *Program) Len() int { return len(p.list) }

// AppendTo appends the program as Parse reads it.
func (p *Program) AppendTo(b []byte) []byte {
	ne := binary.NativeEndian
	for _, x := range p.list {
		b = append(ne.AppendUint16(b, x.code), x.jt, x.jf)
		b = ne.AppendUint32(b, x.k)
	}
	return b
}

// valid tells whether instruction i is a known one with arguments in its range.
func (p *Program) valid(i int) bool {
	x := &p.list[i]
	left := uint64(len(p.list) - i - 1)
	switch x.code & 7 {
	case classLD:
		switch x.code &^ 7 {
		case modeABS | sizeW, modeABS | sizeH, modeABS | sizeB:
			e := x.k - extensionBase
			return x.k < extensionBase || e < numExtensions && e%4 == 0
		case modeIND | sizeW, modeIND | sizeH, modeIND | sizeB, modeIMM, modeLEN:
			return true
		case modeMEM:
			return x.k < slots
		}
	case classLDX:
		switch x.code &^ 7 {
		case modeIMM, modeLEN, modeMSH | sizeB:
			return true
		case modeMEM:
			return x.k < slots
		}
	case classST, classSTX:
		return x.code&^7 == 0 && x.k < slots
	case classALU:
		if x.code > 0xff {
			return false
		}
		switch op := x.code & 0xf0; op {
		case opAdd, opSub, opMul, opOr, opAnd, opXor:
			return true
		case opDiv, opMod:
			return x.code&sourceX != 0 || x.k != 0
		case opLsh, opRsh:
			return x.code&sourceX != 0 || x.k < 32
		case opNeg:
			return x.code&sourceX == 0
		}
	case classJMP:
		switch x.code &^ (7 | sourceX) {
		case jumpA:
			return x.code&sourceX == 0 && uint64(x.k) < left
		case jumpEq, jumpGt, jumpGe, jumpSet:
			return uint64(x.jt) < left && uint64(x.jf) < left
		}
	case classRET:
		return x.code&^7 == retK || x.code&^7 == retA
	case classM:
		return x.code&^7 == moveTAX || x.code&^7 == moveTXA
	}
	return false
}

// writesBeforeReads tells whether each word of memory that is read was written on all
// ways that lead there (check_load_and_stores). Jumps go forward only, and every one
// was found to stay inside.
func (p *Program) writesBeforeReads() bool {
	written := make([]uint16, len(p.list)) // on all ways to an instruction
	for i := range written {
		written[i] = 0xffff
	}
	written[0] = 0
	now, falls := uint16(0), true
	for i := range p.list {
		if falls {
			written[i] &= now
		}
		now, falls = written[i], true
		x := &p.list[i]
		switch x.code & 7 {
		case classST, classSTX:
			now |= 1 << x.k
		case classLD, classLDX:
			if x.code&0xe0 == modeMEM && now>>x.k&1 == 0 {
				return false
			}
		case classJMP:
			falls = false
			if x.code&0xf0 == jumpA {
				written[i+1+int(x.k)] &= now
				break
			}
			written[i+1+int(x.jt)] &= now
			written[i+1+int(x.jf)] &= now
		case classRET:
			falls = false
		}
	}
	return true
}
