package fqcodel

import (
	"errors"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
	"github.com/libos-go/libos/core/qdisc/law"
)

// fqCodel is the discipline (sch_fq_codel.c).
type fqCodel struct {
	qdisc.Counter
	in     *core.Instance
	owner  core.QdiscOwner
	config Config
	params law.Params
	stats  law.Stats
	key    uint64 // of the hash
	keyed  bool

	// The table has an entry for each of config.Flows: a flow's place in flows and
	// one more, 0 for a flow that was never seen. Both are there while packets are,
	// and after that if they are small.
	table []uint32
	flows []flow
	fresh list // flows that begin
	old   list
	at    uint32 // the flow that the law looks at

	packets, bytes, memory int
	newFlows               uint64
	overLimit, overMemory  uint64
}

type flow struct {
	queue   qdisc.Queue
	state   law.State
	deficit int32
	next    uint32 // in its list
	listed  bool
}

// list is flows in the order of their turns, by their place.
type list struct {
	head, tail uint32
	n          int
}

func (l *list) push(flows []flow, i uint32) {
	if l.n == 0 {
		l.head = i
	} else {
		flows[l.tail].next = i
	}
	l.tail = i
	l.n++
}

func (l *list) pop(flows []flow) uint32 {
	i := l.head
	l.head = flows[i].next
	l.n--
	return i
}

// small is how many flows the table keeps while nothing waits.
const small = 64

// find is the place of the packet's flow.
func (q *fqCodel) find(p *core.Packet) uint32 {
	if !q.keyed {
		q.keyed, q.key = true, q.owner.Random().Uint64()
	}
	if q.table == nil {
		q.table = make([]uint32, q.config.Flows)
	}
	b := &q.table[p.FlowHash(q.Link, q.key)>>32*uint64(len(q.table))>>32]
	if *b == 0 {
		q.flows = append(q.flows, flow{})
		*b = uint32(len(q.flows))
	}
	return *b - 1
}

// Enqueue implements core.Qdisc.
func (q *fqCodel) Enqueue(p *core.Packet) {
	i := q.find(p)
	q.Measure(p)
	p.Queue.At, p.Queue.Memory = q.in.Now(), int32(p.TrueSize())
	f := &q.flows[i]
	f.queue.Push(p)
	q.packets++
	q.bytes += int(p.Queue.Bytes)
	q.memory += int(p.Queue.Memory)
	if !f.listed {
		f.listed, f.deficit = true, int32(q.config.Quantum)
		q.fresh.push(q.flows, i)
		q.newFlows++
	}
	if overMemory := q.memory > q.config.MemoryLimit; overMemory || q.packets > q.config.Limit {
		n := q.dropLongest()
		q.overLimit += n
		q.Count.Overlimits++
		if overMemory {
			q.overMemory += n
		}
	}
}

// dropLongest drops from the head of the longest queue up to a batch, and no more
// than half of its bytes (RFC 8290 §4.1).
func (q *fqCodel) dropLongest() (n uint64) {
	longest, bytes := 0, -1
	for i := range q.flows {
		if b := q.flows[i].queue.Bytes(); b > bytes {
			longest, bytes = i, b
		}
	}
	for dropped := 0; n < uint64(q.config.DropBatch) && dropped <= bytes/2; n++ {
		q.at = uint32(longest)
		p := q.Head()
		if p == nil {
			break
		}
		dropped += int(p.Queue.Bytes)
		q.Drop(p)
	}
	return n
}

// Dequeue implements core.Qdisc (RFC 8290 §4.2).
func (q *fqCodel) Dequeue() *core.Packet {
	for {
		l := &q.fresh
		if l.n == 0 {
			if l = &q.old; l.n == 0 {
				return nil
			}
		}
		q.at = l.head
		f := &q.flows[q.at]
		if f.deficit <= 0 {
			f.deficit += int32(q.config.Quantum)
			q.old.push(q.flows, l.pop(q.flows))
			continue
		}
		p := f.state.Dequeue(q, &q.params, &q.stats, q.Link, q.in.Now())
		if p == nil {
			i := l.pop(q.flows)
			// A new flow that ran empty takes its turn among the old ones once, or it
			// could come back as new at once and starve them.
			if l == &q.fresh && q.old.n > 0 {
				q.old.push(q.flows, i)
			} else {
				f.listed = false
			}
			q.shrink()
			continue
		}
		f.deficit -= p.Queue.Bytes
		q.Sent(p)
		return p
	}
}

// shrink gives a large table back when nobody is in it. What the law knew of the
// flows goes with it.
func (q *fqCodel) shrink() {
	if q.fresh.n+q.old.n == 0 && len(q.flows) > small {
		q.table, q.flows = nil, nil
	}
}

// Head implements law.Queue.
func (q *fqCodel) Head() *core.Packet {
	p := q.flows[q.at].queue.Pop()
	if p != nil {
		q.packets--
		q.bytes -= int(p.Queue.Bytes)
		q.memory -= int(p.Queue.Memory)
	}
	return p
}

// Bytes are those of all flows.
func (q *fqCodel) Bytes() int { return q.bytes }

func (q *fqCodel) Len() int     { return q.packets }
func (q *fqCodel) Backlog() int { return q.bytes }

func (q *fqCodel) Purge() {
	for i := range q.flows {
		q.flows[i].queue.Free()
	}
	q.table, q.flows, q.fresh, q.old = nil, nil, list{}, list{}
	q.packets, q.bytes, q.memory = 0, 0, 0
}

func (q *fqCodel) Config() core.QdiscConfig { return q.config }

// Change implements core.Qdisc: what is above a lower limit is dropped.
func (q *fqCodel) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok {
		return errors.New("needs an fqcodel.Config")
	}
	if x.Flows == 0 {
		x.Flows = q.config.Flows
	}
	if x.Flows != q.config.Flows {
		return errors.New("flows cannot be changed: delete the discipline and add it anew")
	}
	q.params = x.fill(q.owner)
	q.config = x
	for q.packets > x.Limit || q.packets > 0 && q.memory > x.MemoryLimit {
		q.dropLongest()
	}
	return nil
}

// Details implements core.Qdisc.
func (q *fqCodel) Details() []core.QdiscField {
	f := []core.QdiscField{
		qdisc.Field("maxpacket", q.stats.MaxPacket, "  maxpacket %d", q.stats.MaxPacket), qdisc.Field("drop_overlimit", q.overLimit, " drop_overlimit %d", q.overLimit),
		qdisc.Field("new_flow_count", q.newFlows, " new_flow_count %d", q.newFlows), qdisc.Field("ecn_mark", q.stats.Marked, " ecn_mark %d", q.stats.Marked),
	}
	if q.stats.CEMarked != 0 {
		f = append(f, qdisc.Field("ce_mark", q.stats.CEMarked, " ce_mark %d", q.stats.CEMarked))
	}
	if q.memory != 0 {
		f = append(f, qdisc.Field("memory_used", q.memory, " memory_used %d", q.memory))
	}
	if q.overMemory != 0 {
		f = append(f, qdisc.Field("drop_overmemory", q.overMemory, " drop_overmemory %d", q.overMemory))
	}
	return append(f, qdisc.Field("new_flows_len", q.fresh.n, "\n  new_flows_len %d", q.fresh.n), qdisc.Field("old_flows_len", q.old.n, " old_flows_len %d", q.old.n))
}
