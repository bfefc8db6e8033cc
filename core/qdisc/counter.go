package qdisc

import "github.com/libos-go/libos/core"

// Counter counts what a discipline does, for core.Qdisc.Counts. Disciplines embed
// it.
type Counter struct {
	Link  core.Link
	Count core.QdiscCounts
}

// Counts implements core.Qdisc.
func (c *Counter) Counts() core.QdiscCounts { return c.Count }

// Measure notes the packet's size on the wire, which counting and queues go by.
func (c *Counter) Measure(p *core.Packet) int {
	if p.SegmentSize == 0 {
		p.Queue.Bytes = int32(p.Len())
	} else {
		n, _ := p.WireLen(c.Link)
		p.Queue.Bytes = int32(n)
	}
	return int(p.Queue.Bytes)
}

// Sent counts a packet that leaves.
func (c *Counter) Sent(p *core.Packet) {
	c.Count.Bytes += uint64(p.Queue.Bytes)
	if p.SegmentSize == 0 {
		c.Count.Packets++
		return
	}
	_, n := p.WireLen(c.Link)
	c.Count.Packets += uint64(n)
}

// Drop counts and frees a packet.
func (c *Counter) Drop(p *core.Packet) {
	c.Count.Dropped++
	p.Free()
}

// Overlimit drops a packet for which there is no place.
func (c *Counter) Overlimit(p *core.Packet) {
	c.Count.Overlimits++
	c.Drop(p)
}
