package ipv6

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

// fragment takes the packet p with the IPv6 header h and the fragment header at
// offset at (RFC 8200 §4.5). It returns the whole packet, without fragment
// header, when p was the last that was missing.
func (n *network) fragment(p *core.Packet, h wire.IPv6, at int) *core.Packet {
	f := wire.IPv6Fragment(h[at:])
	if f.IsAtomic() { // RFC 6946 §4: apart from all others with the same identification
		return n.unwrap(p, at)
	}
	n.count.inc(reasmReqds)
	bad := wire.CheckIPv6Fragment(h, at)
	if bad.Err == 0 {
		bad = wire.CheckIPv6FirstFragment(h, at)
	}
	if bad.Err != 0 {
		n.count.inc(reasmFails)
		n.problem(p, bad)
		return nil
	}
	s := n.sys()
	if n.fragged == nil {
		n.fragged = ipcommon.NewReassembler(n.in, int(s.FragHighThresh), s.FragTime, n.fragmentsExpired)
	}
	n.fragged.SetLimits(int(s.FragHighThresh), s.FragTime)
	key := ipcommon.FragmentKey{Src: p.Src, Dst: p.Dst, ID: f.ID(), Interface: scopeOf(p.Src, p.Interface)}
	offset, more := f.Offset(), f.More()
	p.Pull(at + wire.IPv6FragmentSize)
	whole, ecn, outcome := n.fragged.Add(key, p, offset, more, p.TOS&3)
	switch outcome {
	case ipcommon.FragmentHeld, ipcommon.FragmentDuplicate:
		return nil
	case ipcommon.FragmentDone:
	default: // an overlap ends the whole packet (RFC 5722 §4)
		n.count.inc(reasmFails)
		return nil
	}
	// The first fragment's headers lead the whole; its fragment header is where
	// that packet had it.
	first := wire.WalkIPv6(wire.IPv6(whole.NetworkHeader()))
	for first.Next() {
	}
	whole.RestoreNetworkHeader()
	if first.Fragment == 0 {
		n.drop(whole, reasmFails)
		return nil
	}
	if whole = n.unwrap(whole, first.Fragment); whole == nil {
		return nil
	}
	if whole.Len() > headerSize+65535 {
		n.drop(whole, reasmFails)
		return nil
	}
	n.count.inc(reasmOKs)
	whole.TOS = whole.TOS&^3 | ecn
	wire.IPv6(whole.Linear()).SetECN(ecn)
	return whole
}

// unwrap takes the fragment header at offset at out of p, which starts at its
// IPv6 header.
func (n *network) unwrap(p *core.Packet, at int) *core.Packet {
	if !p.Unshare() {
		n.drop(p, inDiscards)
		return nil
	}
	b := p.Linear()
	next := b[at]
	copy(b[wire.IPv6FragmentSize:], b[:at])
	p.Pull(wire.IPv6FragmentSize)
	p.SetNetworkHeader()
	b = p.Linear()
	setNextBefore(b, at, next)
	wire.IPv6(b).SetPayloadLen(p.Len() - headerSize)
	p.Flags |= core.FlagReassembled
	return p
}

// setNextBefore names next in the header that ends at offset end.
func setNextBefore(b []byte, end int, next wire.Protocol) {
	at, field := headerSize, 6
	for at < end {
		field = at
		at += 8 + int(b[at+1])*8
	}
	b[field] = next
}

// fragmentsExpired hears of a packet whose fragments did not all come.
func (n *network) fragmentsExpired(first *core.Packet, evicted bool) {
	n.count.inc(reasmFails)
	if evicted {
		return
	}
	n.count.inc(reasmTimeout)
	if first != nil {
		n.sendError(first, wire.ICMPv6TimeExceeded, wire.ICMPv6ReassemblyExceeded, 0)
	}
}

// Reassembling is how many packets wait for fragments, and the memory that they take in
// bytes. Inside an entry.
func (n *network) Reassembling() (packets, bytes int) {
	if n.fragged == nil {
		return 0, 0
	}
	return n.fragged.Len(), n.fragged.Memory()
}
