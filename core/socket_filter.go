package core

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core/bpf"
	"github.com/libos-go/libos/core/wire"
)

// Options of SOL_SOCKET about filters. The value of SO_ATTACH_FILTER is the program
// itself, an array of struct sock_filter: who has a struct sock_fprog follows its
// pointer.
const (
	SoAttachFilter = 26
	SoDetachFilter = 27
	SoLockFilter   = 44
)

// setFilter sets one of these options (sk_attach_filter, sk_detach_filter,
// net/core/filter.c). Streams have none.
func (s *Socket) setFilter(name int, b []byte) (handled bool, err error) {
	if name != SoAttachFilter && name != SoDetachFilter && name != SoLockFilter || s.typ == SockStream {
		return false, nil
	}
	locked := s.options.filterLocked
	switch name {
	case SoAttachFilter:
		f, err := bpf.Parse(b)
		switch {
		case err != nil:
			return true, err
		case locked:
			return true, syscall.EPERM
		}
		s.own().filter = f
	case SoDetachFilter:
		switch {
		case locked:
			return true, syscall.EPERM
		case s.options.filter == nil:
			return true, syscall.ENOENT
		}
		s.own().filter = nil
	case SoLockFilter:
		v, err := intValue(b)
		switch {
		case err != nil:
			return true, err
		case locked && v == 0:
			return true, syscall.EPERM
		}
		s.own().filterLocked = v != 0
	}
	return true, nil
}

// getFilter is SO_GET_FILTER, whose length counts instructions: how many there are if
// buf is empty, and the program where it has room (sk_get_filter).
func (s *Socket) getFilter(buf []byte) (int, error) {
	f := s.options.filter
	if f == nil {
		return 0, nil
	}
	if len(buf) > 0 {
		b := f.AppendTo(nil)
		if len(buf) < len(b) {
			return 0, syscall.EINVAL
		}
		copy(buf, b)
	}
	return f.Len(), nil
}

// Filter is the program of SO_ATTACH_FILTER, nil if there is none.
func (o *SocketOptions) Filter() *bpf.Program { return o.filter }

// FilterLocked tells whether SO_LOCK_FILTER keeps that program as it is.
func (o *SocketOptions) FilterLocked() bool { return o.filterLocked }

// FilterView is a packet as a filter sees it.
type FilterView struct {
	Packet    *Packet
	Interface *Interface // nil if it is not known
	EtherType wire.EtherType
	Type      PacketType
	// Before is how many bytes in front of the packet belong to what the filter sees,
	// and Readable how many it may read there by LinkAt and NetworkAt.
	Before, Readable int
	// LinkAt and NetworkAt are where those headers are, from where the filter begins.
	LinkAt, NetworkAt int
}

// Len implements bpf.View.
func (v *FilterView) Len() int { return v.Packet.Len() + v.Before }

// Load implements bpf.View.
func (v *FilterView) Load(off, n int) (uint32, bool) {
	var b [4]byte
	off -= v.Before
	p := v.Packet
	if off >= 0 {
		ok := p.CopyOut(off, b[4-n:]) == n
		return binary.BigEndian.Uint32(b[:]), ok
	}
	at := int(p.start) + off
	ok := -off <= v.Readable && at >= 0 && copy(b[4-n:], p.page.Data[at:p.end]) == n
	return binary.BigEndian.Uint32(b[:]), ok
}

// Link implements bpf.View.
func (v *FilterView) Link() int { return v.LinkAt }

// Network implements bpf.View.
func (v *FilterView) Network() int { return v.NetworkAt }

// Extension implements bpf.View. Marks, queues and tags of VLANs are on no packet.
func (v *FilterView) Extension(e bpf.Extension) uint32 {
	switch e {
	case bpf.Protocol:
		return uint32(v.EtherType)
	case bpf.PacketType:
		return uint32(v.Type)
	}
	if v.Interface != nil {
		switch e {
		case bpf.Ifindex:
			return uint32(v.Interface.index)
		case bpf.Random:
			return uint32(v.Interface.instance.Random().Uint64())
		case bpf.HardwareType:
			return uint32(v.Interface.HardwareType())
		}
	}
	return 0
}

// passes runs the socket's filter over a datagram, from the transport header on or from
// the IP header of one that begins with it, and cuts it to what the filter wants; false
// if that is nothing (sk_filter_trim_cap, net/core/filter.c).
func (e *datagramEndpoint) passes(f *bpf.Program, p *Packet) bool {
	v := FilterView{Packet: p, Interface: p.Interface, EtherType: p.EtherType, Type: p.Type}
	if p.transport >= 0 && p.transport < p.start && p.ancillary == 0 {
		v.Before = int(p.start - p.transport)
	}
	v.Readable = v.Before
	if p.network >= 0 && p.network <= p.start {
		v.Readable = int(p.start - p.network)
		v.NetworkAt = v.Before - v.Readable
	}
	v.LinkAt = v.NetworkAt
	n := int(min(f.Run(&v), maxFiltered))
	if n == 0 {
		return false
	}
	if keep := max(n-v.Before, int(p.ancillary)); keep < p.Len() {
		p.Trim(keep)
	}
	return true
}

// maxFiltered is more than any packet has.
const maxFiltered = 1 << 24
