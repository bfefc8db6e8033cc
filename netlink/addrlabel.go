package netlink

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Labels of addresses: struct ifaddrlblmsg and IFAL_… attributes (net/ipv6/addrlabel.c).
// Nobody is told of changes.

const (
	newAddrLabel = 72
	delAddrLabel = 73
	getAddrLabel = 74

	ifalAddress = 1
	ifalLabel   = 2
)

func writeLabel(w *writer, l core.AddressLabel, added uint32) {
	w.u8(afInet6, 0, l.Prefix.Bits, 0)
	w.u32(uint32(l.Ifindex))
	w.u32(added)
	a := l.Prefix.Addr.As16()
	w.attr(ifalAddress, a[:])
	w.attr32(ifalLabel, l.Label)
}

// labels is the table, if the request is for the family that has one.
func (r *request) labels() (core.AddressLabels, error) {
	t, ok := r.in.Network(wire.IPv6Any()).(core.AddressLabels)
	if !ok || r.family() != afInet6 {
		return nil, refuse(syscall.EOPNOTSUPP, "addresses of that family have no labels")
	}
	return t, nil
}

// label is the prefix and interface that a request is about.
func (r *request) label() (l core.AddressLabel, err error) {
	l.Ifindex = int(int32(binary.NativeEndian.Uint32(r.fixed[4:])))
	x, ok := r.attrs.find(ifalAddress)
	if !ok || len(x.data) != 16 {
		return l, refuse(syscall.EINVAL, "the request names no address of IPv6")
	}
	if l.Prefix.Bits = r.fixed[2]; l.Prefix.Bits > 128 {
		return l, refuse(syscall.EINVAL, "a prefix has at most 128 bits")
	}
	l.Prefix.Addr = wire.Addr{Hi: binary.BigEndian.Uint64(x.data), Lo: binary.BigEndian.Uint64(x.data[8:])}
	return l, nil
}

// changeLabel is RTM_NEWADDRLABEL and RTM_DELADDRLABEL.
func (r *request) changeLabel() error {
	t, err := r.labels()
	if err != nil {
		return err
	}
	l, err := r.label()
	if err != nil {
		return err
	}
	if l.Label, err = r.attrs.u32(ifalLabel); err != nil {
		return err
	}
	if !r.attrs.has(ifalLabel) || l.Label == forever {
		return refuse(syscall.EINVAL, "the request has no label")
	}
	if r.typ == delAddrLabel {
		return t.RemoveLabel(l)
	}
	if l.Ifindex != 0 && r.in.InterfaceByIndex(l.Ifindex) == nil {
		return refuse(syscall.EINVAL, "there is no interface with that index")
	}
	return t.AddLabel(l, r.flags&flagReplace != 0)
}

// getLabel tells of the label of one address.
func (r *request) getLabel() error {
	t, err := r.labels()
	if err != nil {
		return err
	}
	l, err := r.label()
	if err != nil {
		return err
	}
	if l.Prefix.Bits != 128 {
		return refuse(syscall.EINVAL, "an address has 128 bits")
	}
	if l.Ifindex != 0 && r.in.InterfaceByIndex(l.Ifindex) == nil {
		return refuse(syscall.EINVAL, "there is no interface with that index")
	}
	found, ok := t.LabelOf(l.Prefix.Addr, l.Ifindex)
	if !ok {
		return refuse(syscall.ESRCH, "the address has no label")
	}
	_, added := t.Labels()
	return r.answer(func(w *writer) {
		w.begin(newAddrLabel, 0, r.seq, r.pid)
		writeLabel(w, found, added)
		w.end()
	})
}

func (r *request) dumpLabels() (*dump, error) {
	t, err := r.labels()
	if err != nil {
		return nil, err
	}
	if r.e.strict {
		for _, b := range r.fixed[1:] {
			if b != 0 {
				return nil, refuse(syscall.EINVAL, "labels are listed without a filter")
			}
		}
		if len(r.attrs) > 0 {
			return nil, refuseAt(r.attrs[0].at, syscall.EINVAL, "labels are listed without a filter")
		}
	}
	list, added := t.Labels()
	return listOf(list, func(w *writer, begin func(uint16), l core.AddressLabel) {
		begin(newAddrLabel)
		writeLabel(w, l, added)
	}), nil
}
