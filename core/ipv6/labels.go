package ipv6

import (
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Labels of addresses (RFC 6724 §2.1, with the prefixes and labels of Linux's
// net/ipv6/addrlabel.c). An instance holds a table once it is changed.

// noLabel is of an address without one (IPV6_ADDR_LABEL_DEFAULT).
const noLabel = 1<<32 - 1

const mostLabels = 1024

// labels is a table that was changed.
type labels struct {
	list  []core.AddressLabel
	added uint32
}

func defaultLabels() []core.AddressLabel {
	entry := func(hi, lo uint64, bits uint8, label uint32) core.AddressLabel {
		return core.AddressLabel{Prefix: wire.Prefix{Addr: wire.Addr{Hi: hi, Lo: lo}, Bits: bits}, Label: label}
	}
	return []core.AddressLabel{
		entry(0, 1, 128, 0),
		entry(0, 0, 96, 3),
		entry(0, 0xffff<<32, 96, 4),
		entry(0x20010000<<32, 0, 32, 6),
		entry(0x20010010<<32, 0, 28, 7), // ORCHID, RFC 4843
		entry(0x3ffe<<48, 0, 16, 12),
		entry(0x2002<<48, 0, 16, 2),
		entry(0xfec0<<48, 0, 10, 11),
		entry(0xfc00<<48, 0, 7, 5),
		entry(0, 0, 0, 1),
	}
}

// defaultLabel is what defaultLabels say of an address.
func defaultLabel(a wire.Addr) uint32 {
	switch {
	case a.Is4(): // ::ffff:0:0/96
		return 4
	case a == wire.IPv6Loopback():
		return 0
	case a.Hi == 0 && a.Lo>>32 == 0 && a.Lo != 0: // ::/96
		return 3
	case a.Hi>>32 == 0x20010000: // 2001::/32
		return 6
	case a.Hi>>36 == 0x2001001: // 2001:10::/28
		return 7
	case a.Hi>>48 == 0x3ffe: // 3ffe::/16
		return 12
	case a.Hi>>48 == 0x2002: // 2002::/16
		return 2
	case a.Hi>>54 == 0xfec0>>6: // fec0::/10
		return 11
	case a.IsUniqueLocal(): // fc00::/7
		return 5
	}
	return 1
}

// masked is the first bits of an address, of whichever family it is dressed as.
func masked(a wire.Addr, bits uint8) wire.Addr {
	if bits <= 64 {
		return wire.Addr{Hi: a.Hi &^ (1<<(64-bits) - 1)}
	}
	return wire.Addr{Hi: a.Hi, Lo: a.Lo &^ (1<<(128-bits) - 1)}
}

// isCompatible tells whether ::/96 means an address: not ::, nor ::1.
func isCompatible(a wire.Addr) bool { return a.Hi == 0 && a.Lo>>32 == 0 && a.Lo > 1 }

func matchesLabel(l *core.AddressLabel, a wire.Addr, ifindex int) bool {
	p := l.Prefix
	return (l.Ifindex == 0 || l.Ifindex == ifindex) && masked(a, p.Bits) == p.Addr &&
		(p.Bits != 96 || p.Addr != (wire.Addr{}) || isCompatible(a))
}

// label is the label of an address, of an interface if ifindex is not 0.
func (n *network) label(a wire.Addr, ifindex int) uint32 {
	if n.labels == nil {
		return defaultLabel(a)
	}
	if l, ok := n.LabelOf(a, ifindex); ok {
		return l.Label
	}
	return noLabel
}

// Labels implements core.AddressLabels.
func (n *network) Labels() ([]core.AddressLabel, uint32) {
	if n.labels == nil {
		list := defaultLabels()
		return list, uint32(len(list))
	}
	return slices.Clone(n.labels.list), n.labels.added
}

// LabelOf implements core.AddressLabels.
func (n *network) LabelOf(a wire.Addr, ifindex int) (core.AddressLabel, bool) {
	var list []core.AddressLabel
	if n.labels != nil {
		list = n.labels.list
	} else {
		list = defaultLabels()
	}
	for i := range list {
		if matchesLabel(&list[i], a, ifindex) {
			return list[i], true
		}
	}
	return core.AddressLabel{}, false
}

// AddLabel implements core.AddressLabels.
func (n *network) AddLabel(l core.AddressLabel, replace bool) error {
	if l.Prefix.Bits > 128 || l.Label == noLabel || l.Prefix.Addr.Is4() && l.Prefix.Bits > 96 {
		return syscall.EINVAL
	}
	l.Prefix.Addr = masked(l.Prefix.Addr, l.Prefix.Bits)
	list, added := n.Labels()
	at := len(list)
	for i := range list {
		x := &list[i]
		if x.Prefix == l.Prefix && x.Ifindex == l.Ifindex {
			if !replace {
				return syscall.EEXIST
			}
			*x = l
			n.setLabels(list, added+1)
			return nil
		}
		if x.Prefix.Bits == l.Prefix.Bits && x.Ifindex == 0 || x.Prefix.Bits < l.Prefix.Bits {
			at = i
			break
		}
	}
	if len(list) >= mostLabels {
		return syscall.ENOBUFS
	}
	n.setLabels(slices.Insert(list, at, l), added+1)
	return nil
}

// RemoveLabel implements core.AddressLabels.
func (n *network) RemoveLabel(l core.AddressLabel) error {
	l.Prefix.Addr = masked(l.Prefix.Addr, l.Prefix.Bits)
	list, added := n.Labels()
	i := slices.IndexFunc(list, func(x core.AddressLabel) bool { return x.Prefix == l.Prefix && x.Ifindex == l.Ifindex })
	if i < 0 {
		return syscall.ESRCH
	}
	n.setLabels(slices.Delete(list, i, i+1), added)
	return nil
}

func (n *network) setLabels(list []core.AddressLabel, added uint32) {
	n.labels = &labels{list, added}
	n.in.InvalidateRoutes()
}
