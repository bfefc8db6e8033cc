package ipv4

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

// reassemble takes a fragment for this host, which starts at its header, and
// returns the whole packet when it was the last missing one: it starts at the
// transport header, and the network header describes it.
func (s *stack) reassemble(p *core.Packet, h wire.IPv4) *core.Packet {
	c := s.counters
	*c.at(ipReasmReqds)++
	if s.frags == nil {
		s.frags = ipcommon.NewReassembler(s.in, int(s.conf.FragHighThresh), s.conf.FragTime, s.fragmentsExpired)
	}
	more, off := h.MoreFragments(), h.FragmentOffset()
	n := p.Len() - h.HeaderLen()
	if more && n&7 != 0 { // only the last piece may end between units of eight
		n &^= 7
		p.Trim(h.HeaderLen() + n)
	}
	key := ipcommon.FragmentKey{Src: p.Src, Dst: p.Dst, ID: uint32(h.ID()), Protocol: p.Protocol}
	ecn := h.ECN()
	p.Pull(h.HeaderLen())
	whole, ecn, o := s.frags.Add(key, p, off, more, ecn)
	switch o {
	case ipcommon.FragmentHeld, ipcommon.FragmentDuplicate:
		return nil
	case ipcommon.FragmentOverlap:
		*c.at(extReasmOverlaps)++
		*c.at(ipReasmFails)++
		return nil
	case ipcommon.FragmentDone:
	default:
		*c.at(ipReasmFails)++
		return nil
	}
	hl := wire.IPv4(whole.NetworkHeader()).HeaderLen()
	whole.RestoreNetworkHeader()
	if !whole.Unshare() {
		s.drop(whole, ipReasmFails)
		return nil
	}
	h = wire.IPv4(whole.Linear())
	whole.Pull(hl)
	if hl+whole.Len() > wire.IPv4MaxSize {
		s.drop(whole, ipReasmFails)
		return nil
	}
	h.SetTotalLen(hl + whole.Len())
	h.SetFragment(0, 0)
	h.SetTOS(h.TOS()&^3 | ecn)
	h.UpdateChecksum()
	whole.TOS = h.TOS()
	*c.at(ipReasmOKs)++
	return whole
}

// fragmentsExpired tells the source that its packet did not arrive whole, if
// the first fragment is there (RFC 792, RFC 1122 §3.3.2).
func (s *stack) fragmentsExpired(first *core.Packet, evicted bool) {
	c := s.c()
	*c.at(ipReasmFails)++
	if evicted {
		return
	}
	*c.at(ipReasmTimeout)++
	if first != nil {
		s.sendError(first, wire.ICMPv4TimeExceeded, wire.ICMPv4ReassemblyExceeded, 0)
	}
}

// Reassembling is how many packets wait for fragments, and the memory that they take in
// bytes. Inside an entry.
func (s *stack) Reassembling() (packets, bytes int) {
	if s.frags == nil {
		return 0, 0
	}
	return s.frags.Len(), s.frags.Memory()
}
