package bpf

import "math/bits"

// Where loads with a negative offset look (linux/filter.h).
const (
	extensionBase = 0xfffff000 // SKF_AD_OFF
	networkBase   = 0xfff00000 // SKF_NET_OFF
	linkBase      = 0xffe00000 // SKF_LL_OFF
)

// Extension is what a program asks of a packet beside its bytes (SKF_AD_PROTOCOL and
// so on).
type Extension uint8

const (
	Protocol       Extension = 0 // ethertype
	PacketType     Extension = 4
	Ifindex        Extension = 8
	netlinkAttr    Extension = 12 // SKF_AD_NLATTR: here always 0
	netlinkNested  Extension = 16
	Mark           Extension = 20
	Queue          Extension = 24
	HardwareType   Extension = 28
	RxHash         Extension = 32
	CPU            Extension = 36
	xorX           Extension = 40 // SKF_AD_ALU_XOR_X: A ^= X
	VLANTag        Extension = 44
	VLANTagPresent Extension = 48
	PayloadOffset  Extension = 52
	Random         Extension = 56
	VLANProtocol   Extension = 60
	numExtensions            = 64 // SKF_AD_MAX
)

// View is a packet as a program sees it.
type View interface {
	// Len is how many bytes it has.
	Len() int
	// Load is the number in network order that the n bytes from offset off on are, 1, 2
	// or 4; false if there are not so many. Offsets below 0 are before the beginning,
	// where headers may be.
	Load(off, n int) (value uint32, ok bool)
	// Network and Link are the offsets of those headers from the beginning.
	Network() int
	Link() int
	// Extension is a value about the packet, 0 for one that it does not have.
	Extension(e Extension) uint32
}

// Run runs the program over v and returns how many bytes of the packet are wanted, 0
// for none.
func (p *Program) Run(v View) uint32 {
	var a, x uint32
	var m [slots]uint32
	for pc := 0; pc < len(p.list); pc++ {
		i := &p.list[pc]
		ok := true
		switch i.code & 7 {
		case classLD:
			a, ok = i.load(v, a, x, &m)
		case classLDX:
			switch i.code & 0xe0 {
			case modeIMM:
				x = i.k
			case modeMEM:
				x = m[i.k]
			case modeLEN:
				x = uint32(v.Len())
			case modeMSH:
				if x, ok = fetch(v, i.k, sizeB); ok {
					x = (x & 0xf) << 2
				}
			}
		case classST:
			m[i.k] = a
		case classSTX:
			m[i.k] = x
		case classALU:
			a, ok = i.compute(a, x)
		case classJMP:
			pc += i.jump(a, x)
		case classRET:
			if i.code&^7 == retA {
				return a
			}
			return i.k
		case classM:
			if i.code&^7 == moveTAX {
				x = a
			} else {
				a = x
			}
		}
		if !ok {
			return 0
		}
	}
	return 0
}

// load is the new accumulator; false ends the program.
func (i *instruction) load(v View, a, x uint32, m *[slots]uint32) (uint32, bool) {
	switch i.code & 0xe0 {
	case modeABS:
		if i.k >= extensionBase {
			switch e := Extension(i.k - extensionBase); e {
			case xorX:
				return a ^ x, true
			case netlinkAttr, netlinkNested:
				return 0, true
			default:
				return v.Extension(e), true
			}
		}
		return fetch(v, i.k, i.code&0x18)
	case modeIND:
		return fetch(v, i.k+x, i.code&0x18)
	case modeMEM:
		return m[i.k], true
	case modeLEN:
		return uint32(v.Len()), true
	}
	return i.k, true
}

// fetch loads 4, 2 or 1 bytes in network order.
func fetch(v View, k uint32, size uint16) (uint32, bool) {
	off := int(int32(k))
	switch {
	case off >= 0:
	case k >= networkBase:
		off = v.Network() + int(k-networkBase)
	case k >= linkBase:
		off = v.Link() + int(k-linkBase)
	default:
		return 0, false
	}
	n := 4
	switch size {
	case sizeH:
		n = 2
	case sizeB:
		n = 1
	}
	return v.Load(off, n)
}

// compute is the new accumulator; false, which ends the program, for a division by
// zero.
func (i *instruction) compute(a, x uint32) (uint32, bool) {
	v := i.k
	if i.code&sourceX != 0 {
		v = x
	}
	switch i.code & 0xf0 {
	case opAdd:
		a += v
	case opSub:
		a -= v
	case opMul:
		a *= v
	case opDiv, opMod:
		if v == 0 {
			return 0, false
		}
		q, r := bits.Div32(0, a, v)
		a = q
		if i.code&0xf0 == opMod {
			a = r
		}
	case opOr:
		a |= v
	case opAnd:
		a &= v
	case opLsh:
		a <<= v & 31
	case opRsh:
		a >>= v & 31
	case opNeg:
		a = -a
	case opXor:
		a ^= v
	}
	return a, true
}

// jump is how many instructions are passed over.
func (i *instruction) jump(a, x uint32) int {
	v := i.k
	if i.code&sourceX != 0 {
		v = x
	}
	yes := false
	switch i.code & 0xf0 {
	case jumpA:
		return int(i.k)
	case jumpEq:
		yes = a == v
	case jumpGt:
		yes = a > v
	case jumpGe:
		yes = a >= v
	case jumpSet:
		yes = a&v != 0
	}
	if yes {
		return int(i.jt)
	}
	return int(i.jf)
}
