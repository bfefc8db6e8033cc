package netlink

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
)

// bytecode is a filter of sockets (INET_DIAG_REQ_BYTECODE): instructions of four
// bytes, a code and how far to go if it holds and if not, some with operands behind.
type bytecode []byte

const (
	codeNop = iota
	codeJump
	codeSourceGE
	codeSourceLE
	codeDestinationGE
	codeDestinationLE
	codeAuto
	codeSource
	codeDestination
	codeDevice
	codeMark
	codeSourceEQ
	codeDestinationEQ
	codeCgroup

	sizeofCode     = 4
	sizeofHostCond = 8
)

// sound tells whether the program ends behind its last instruction, whatever it is
// run on (inet_diag_bc_audit, net/ipv4/inet_diag.c).
func (b bytecode) sound() bool {
	rest := b
	if len(b) < sizeofCode {
		return false
	}
	for len(rest) > 0 {
		if len(rest) < sizeofCode {
			return false
		}
		least := rest.size()
		yes, no := int(rest[1]), int(binary.NativeEndian.Uint16(rest[2:]))
		if least == 0 || len(rest) < least {
			return false
		}
		if rest[0] != codeNop {
			if no < least || no > len(rest)+sizeofCode || no&3 != 0 || no < len(rest) && !b.begins(len(b)-len(rest)+no) {
				return false
			}
		}
		if yes < least || yes > len(rest) || yes&3 != 0 {
			return false
		}
		rest = rest[yes:]
	}
	return true
}

// size is the length of the first instruction with its operands, 0 if it is none.
func (b bytecode) size() int {
	switch b[0] {
	case codeNop, codeJump, codeAuto:
		return sizeofCode
	case codeSourceGE, codeSourceLE, codeDestinationGE, codeDestinationLE, codeSourceEQ, codeDestinationEQ, codeDevice:
		return 2 * sizeofCode
	case codeMark, codeCgroup:
		return 3 * sizeofCode
	case codeSource, codeDestination:
		if len(b) < sizeofCode+sizeofHostCond {
			return 0
		}
		n := 0
		switch b[4] {
		case afUnspec:
		case afInet:
			n = 4
		case afInet6:
			n = 16
		default:
			return 0
		}
		if int(b[5]) > 8*n {
			return 0
		}
		return sizeofCode + sizeofHostCond + n
	}
	return 0
}

// begins tells whether an instruction begins at at, going from one that holds to the
// next (valid_cc).
func (b bytecode) begins(at int) bool {
	for i := 0; i < len(b); {
		if i == at {
			return true
		}
		if i > at || len(b)-i < sizeofCode || b[i+1] < sizeofCode || b[i+1]&3 != 0 {
			return false
		}
		i += int(b[i+1])
	}
	return at == len(b)
}

// passes runs a sound program (inet_diag_bc_run). One of no length takes all.
func (b bytecode) passes(s *inetSocket) bool {
	for len(b) > 0 {
		next := int(binary.NativeEndian.Uint16(b[2:]))
		if b.holds(s) {
			next = int(b[1])
		}
		if next > len(b) {
			return false
		}
		b = b[next:]
	}
	return true
}

func (b bytecode) holds(s *inetSocket) bool {
	ne := binary.NativeEndian
	port := func() uint16 { return ne.Uint16(b[6:]) } // the second instruction's distance
	switch b[0] {
	case codeJump:
		return false
	case codeSourceEQ:
		return s.Local.Port == port()
	case codeSourceGE:
		return s.Local.Port >= port()
	case codeSourceLE:
		return s.Local.Port <= port()
	case codeDestinationEQ:
		return s.Peer.Port == port()
	case codeDestinationGE:
		return s.Peer.Port >= port()
	case codeDestinationLE:
		return s.Peer.Port <= port()
	case codeAuto:
		return s.AutoPort()
	case codeSource:
		return b.host(s, &s.local, s.Local.Port)
	case codeDestination:
		return b.host(s, &s.peer, s.Peer.Port)
	case codeDevice:
		return uint32(s.options.Device) == ne.Uint32(b[4:])
	case codeMark:
		return s.options.Mark&ne.Uint32(b[8:]) == ne.Uint32(b[4:])
	case codeCgroup:
		return false // nobody is in one
	}
	return true
}

// host compares with struct inet_diag_hostcond.
func (b bytecode) host(s *inetSocket, addr *[16]byte, port uint16) bool {
	family, bits := int(b[4]), int(b[5])
	if p := int32(binary.NativeEndian.Uint32(b[8:])); p != -1 && p != int32(port) {
		return false
	}
	a := addr[:]
	if family != afUnspec && family != s.Family {
		if s.Family != core.AFInet6 || [12]byte(a) != [12]byte{10: 0xff, 11: 0xff} {
			return false
		}
		a = a[12:]
	}
	want := b[sizeofCode+sizeofHostCond:]
	for i := 0; bits > 0; i, bits = i+1, bits-8 {
		mask := byte(0xff)
		if bits < 8 {
			mask <<= 8 - bits
		}
		if (a[i]^want[i])&mask != 0 {
			return false
		}
	}
	return true
}
