package raw

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Levels and options with Linux's numbers (linux/in.h, linux/in6.h, linux/icmp.h,
// linux/icmpv6.h).
const (
	SolRaw    = 255
	SolICMPv6 = 58

	HdrIncl      = 3  // IP_HDRINCL
	Checksum     = 7  // IPV6_CHECKSUM
	HdrIncl6     = 36 // IPV6_HDRINCL
	ICMPFilter   = 1  // ICMP_FILTER at SolRaw
	ICMPv6Filter = 1  // ICMPV6_FILTER at SolICMPv6
)

// icmpFilter has a bit set for each type that is kept away.
type icmpFilter [8]uint32

// blocks tells whether the filter keeps a type away. ICMP_FILTER knows the first 32
// only; the others pass, as their bits are never set.
func (f *icmpFilter) blocks(typ uint8) bool { return f[typ>>5]>>(typ&31)&1 != 0 }

// set takes what fits of b, in the machine's order.
func (f *icmpFilter) set(b []byte, words int) {
	var all [32]byte
	for i := range words {
		binary.NativeEndian.PutUint32(all[4*i:], f[i])
	}
	copy(all[:4*words], b)
	for i := range words {
		f[i] = binary.NativeEndian.Uint32(all[4*i:])
	}
}

func (f *icmpFilter) append(words int) (b []byte) {
	for i := range words {
		b = binary.NativeEndian.AppendUint32(b, f[i])
	}
	return b
}

// filterWords is how many words the family's filter has, 0 where the option is not
// this socket's; err says then why.
func (x *socket) filterWords(level, name int) (words int, err error) {
	switch {
	case x.v4 && level == SolRaw && name == ICMPFilter:
		words = 1
	case !x.v4 && level == SolICMPv6 && name == ICMPv6Filter:
		words = 8
	default:
		return 0, nil
	}
	if x.protocol != x.icmp() {
		return 0, syscall.EOPNOTSUPP
	}
	return words, nil
}

func (x *socket) setOption(level, name int, b []byte) error {
	if level == core.SolSocket { // SO_BINDTODEVICE: the caller has taken it over
		return nil
	}
	if words, err := x.filterWords(level, name); words > 0 || err != nil {
		if err == nil {
			x.filter.set(b, words)
		}
		return err
	}
	v, known := 0, x.v4 && level == core.SolIP && name == HdrIncl ||
		!x.v4 && (level == core.SolIPv6 || level == SolRaw) && (name == HdrIncl6 || name == Checksum)
	switch {
	case !known:
		return syscall.ENOPROTOOPT
	case len(b) >= 4:
		v = int(int32(binary.NativeEndian.Uint32(b)))
	case x.v4 && len(b) > 0:
		v = int(b[0])
	default:
		return syscall.EINVAL
	}
	if name != Checksum {
		x.header = v != 0
		return nil
	}
	if x.protocol == wire.ProtoICMPv6 && level == core.SolIPv6 || v > 0 && v&1 != 0 { // RFC 3542 §3.1
		return syscall.EINVAL
	}
	x.checksum, x.offset = v >= 0, int32(max(v, 0))
	return nil
}

// option is the value of an option that has room for size bytes.
func (x *socket) option(level, name, size int) ([]byte, error) {
	if words, err := x.filterWords(level, name); words > 0 || err != nil {
		if err != nil {
			return nil, err
		}
		b := x.filter.append(words)
		return b[:min(len(b), size)], nil
	}
	v := 0
	switch {
	case x.v4 && level == core.SolIP && name == HdrIncl, !x.v4 && (level == core.SolIPv6 || level == SolRaw) && name == HdrIncl6:
		if x.header {
			v = 1
		}
	case !x.v4 && (level == core.SolIPv6 || level == SolRaw) && name == Checksum:
		v = -1
		if x.checksum {
			v = int(x.offset)
		}
	default:
		return nil, syscall.ENOPROTOOPT
	}
	return binary.NativeEndian.AppendUint32(nil, uint32(int32(v))), nil
}
