package pipe

import "github.com/libos-go/libos/core"

// sendWire puts frames on a wire to an end in the same Domain.
func (e *End) sendWire(to *peer, batch []*core.Packet) {
	in := e.ifc.Instance()
	now := in.Now()
	l, far := &e.out, &e.other.in
	for _, p := range batch {
		l.count.Sent++
		f := l.carry(now, p.Len())
		if f.corrupted && !l.flipBit(p) {
			f.lost = true // no memory for a private copy
		}
		if f.lost {
			e.ifc.Stats().TxDropped++
			p.Free()
			continue
		}
		p.Flags, p.Checksum = 0, core.ChecksumUnknown
		if f.twice {
			if c := p.Clone(in); c != nil {
				far.put(c, f.arrival)
			}
		}
		far.put(p, f.arrival)
	}
}
