package wire

import "encoding/binary"

// IPv4 option kinds with their copied bit and class (IANA IP Parameters).
const (
	IPv4OptEnd         = 0
	IPv4OptNop         = 1
	IPv4OptRecordRoute = 7
	IPv4OptTimestamp   = 68
	IPv4OptLooseRoute  = 131
	IPv4OptStrictRoute = 137
	IPv4OptRouterAlert = 148
)

// Kinds of a timestamp option, in its fourth byte's lower half (RFC 791 §3.1).
const (
	IPv4TSOnly       = 0 // timestamps only
	IPv4TSAddr       = 1 // each preceded by the address of who wrote it
	IPv4TSPrescribed = 3 // addresses filled in by the sender
)

// IPv4OptCopied reports whether an option of this kind goes into every fragment (RFC 791 §3.1).
func IPv4OptCopied(kind uint8) bool { return kind&0x80 != 0 }

// IPv4Options says where in a header the options are that a node acts on: offsets from the start of the IP header, 0 if
// absent.
type IPv4Options struct {
	SourceRoute uint8
	Strict      bool // SourceRoute is a strict one
	RecordRoute uint8
	Timestamp   uint8
	RouterAlert uint8 // a Router Alert of value 0 (RFC 2113)
}

// ParseIPv4Options checks the option bytes of a header as Linux does (net/ipv4/ip_options.c, __ip_options_compile) and
// notes in o where the ones to act on are. On ErrOption, pointer is the Parameter Problem message's pointer: the offset
// of the bad byte from the start of the IP header. Unknown kinds of a sound length are passed by.
func ParseIPv4Options(b []byte, o *IPv4Options) (pointer uint8, err error) {
	*o = IPv4Options{}
	for i := 0; i < len(b); {
		switch b[i] {
		case IPv4OptEnd:
			return 0, nil
		case IPv4OptNop:
			i++
			continue
		}
		at := uint8(IPv4MinSize + i)
		if i+1 >= len(b) {
			return at, ErrOption
		}
		n := int(b[i+1])
		if n < 2 || i+n > len(b) {
			return at, ErrOption
		}
		if bad := o.parseOne(b[i:i+n], at); bad >= 0 {
			return at + uint8(bad), ErrOption
		}
		i += n
	}
	return 0, nil
}

// parseOne notes the option opt, which begins at offset at of the header; it returns the index of a bad byte, or -1.
func (o *IPv4Options) parseOne(opt []byte, at uint8) (bad int) {
	n := len(opt)
	switch opt[0] {
	case IPv4OptLooseRoute, IPv4OptStrictRoute:
		if n < 3 {
			return 1
		}
		if opt[2] < 4 {
			return 2
		}
		if o.SourceRoute != 0 {
			return 0
		}
		o.SourceRoute, o.Strict = at, opt[0] == IPv4OptStrictRoute
	case IPv4OptRecordRoute:
		if o.RecordRoute != 0 {
			return 0
		}
		if n < 3 {
			return 1
		}
		if opt[2] < 4 || int(opt[2]) <= n && int(opt[2])+3 > n {
			return 2
		}
		o.RecordRoute = at
	case IPv4OptTimestamp:
		if o.Timestamp != 0 {
			return 0
		}
		if n < 4 {
			return 1
		}
		if opt[2] < 5 {
			return 2
		}
		if ptr := int(opt[2]); ptr <= n {
			need := 8
			switch opt[3] & 15 {
			case IPv4TSOnly:
				need = 4
			case IPv4TSAddr, IPv4TSPrescribed:
			default:
				return 3
			}
			if ptr+need-1 > n {
				return 2
			}
		} else if opt[3]>>4 == 15 { // the count of hosts that found no room is full
			return 3
		}
		o.Timestamp = at
	case IPv4OptRouterAlert:
		if n < 4 {
			return 1
		}
		if opt[2]|opt[3] == 0 {
			o.RouterAlert = at
		}
	}
	return -1
}

// IPv4RecordRoute writes a into the next free slot of a record-route or source-route option and moves its pointer; it
// reports false if the slots are used up. p was parsed, and at is the option's offset from ParseIPv4Options. The header
// checksum is not adapted.
func IPv4RecordRoute(p IPv4, at uint8, a Addr) bool {
	opt := optionAt(p, at)
	if len(opt) < 3 || int(opt[2])+3 > len(opt) || opt[2] < 4 {
		return false
	}
	a.Put4(opt[opt[2]-1:])
	opt[2] += 4
	return true
}

// IPv4SourceRouteNext is the next address of a source route, ok false if the route is used up.
func IPv4SourceRouteNext(p IPv4, at uint8) (a Addr, ok bool) {
	opt := optionAt(p, at)
	if len(opt) < 3 || int(opt[2])+3 > len(opt) || opt[2] < 4 {
		return Addr{}, false
	}
	return addr4(opt[opt[2]-1:]), true
}

// IPv4RecordTime writes a timestamp, in milliseconds since midnight UTC, into the next free slot of a timestamp option,
// with the address a if the option asks for it. A prescribed slot is filled only if it names a. Without room the
// overflow count is raised. The header checksum is not adapted.
func IPv4RecordTime(p IPv4, at uint8, a Addr, ms uint32) {
	opt := optionAt(p, at)
	if len(opt) < 4 || opt[2] < 5 {
		return
	}
	i := int(opt[2]) - 1
	size := 8
	if opt[3]&15 == IPv4TSOnly {
		size = 4
	}
	if i+size > len(opt) {
		if opt[3]>>4 < 15 {
			opt[3] += 0x10
		}
		return
	}
	switch opt[3] & 15 {
	case IPv4TSOnly:
		binary.BigEndian.PutUint32(opt[i:], ms)
	case IPv4TSAddr:
		a.Put4(opt[i:])
		binary.BigEndian.PutUint32(opt[i+4:], ms)
	case IPv4TSPrescribed:
		if addr4(opt[i:]) != a {
			return
		}
		binary.BigEndian.PutUint32(opt[i+4:], ms)
	default:
		return
	}
	opt[2] += uint8(size)
}

// optionAt is the option at this offset of the header, nil if it does not lie within it.
func optionAt(p IPv4, at uint8) []byte {
	h := p.Header()
	if at < IPv4MinSize || int(at)+2 > len(h) || int(at)+int(h[at+1]) > len(h) {
		return nil
	}
	return h[at : at+h[at+1]]
}

// IPv4KeepCopiedOptions turns the options that only the first fragment carries into NOPs, for all later ones.
func IPv4KeepCopiedOptions(b []byte) {
	for i := 0; i < len(b) && b[i] != IPv4OptEnd; {
		if b[i] == IPv4OptNop {
			i++
			continue
		}
		if i+1 >= len(b) || b[i+1] < 2 || i+int(b[i+1]) > len(b) {
			return
		}
		n := int(b[i+1])
		if !IPv4OptCopied(b[i]) {
			for j := range n {
				b[i+j] = IPv4OptNop
			}
		}
		i += n
	}
}
