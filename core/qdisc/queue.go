package qdisc

import "github.com/libos-go/libos/core"

// Queue is packets in order, with their bytes on the wire (core.QueueMark.Bytes).
type Queue struct {
	list  core.PacketList
	bytes int
}

// Push appends p and takes ownership. Its Queue.Bytes are set.
func (q *Queue) Push(p *core.Packet) {
	q.list.Push(p)
	q.bytes += int(p.Queue.Bytes)
}

// PushFront puts p at the head and takes ownership.
func (q *Queue) PushFront(p *core.Packet) {
	q.list.PushFront(p)
	q.bytes += int(p.Queue.Bytes)
}

// Pop takes the packet at the head, nil when empty.
func (q *Queue) Pop() *core.Packet {
	p := q.list.Pop()
	if p != nil {
		q.bytes -= int(p.Queue.Bytes)
	}
	return p
}

// Peek is the packet at the head, still owned by the queue.
func (q *Queue) Peek() *core.Packet { return q.list.Peek() }

// Len and Bytes are what waits.
func (q *Queue) Len() int { return q.list.Len() }

// Bytes are those of the packets on the wire.
func (q *Queue) Bytes() int { return q.bytes }

// Free frees all packets.
func (q *Queue) Free() {
	q.list.Free()
	q.bytes = 0
}
