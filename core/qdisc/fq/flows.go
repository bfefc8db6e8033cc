package fq

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// Where a flow is.
const (
	away    uint8 = iota // in the table, nothing waits
	turning              // in one of the two lists of turns
	delayed              // waits for its time
)

type flow struct {
	queue  qdisc.Queue
	key    uint64
	credit int       // bytes it may send before its turn ends
	next   core.Time // before which it must not send, 0 for none
	last   core.Time // departure of the last packet in queue
	since  core.Time // away
	order  uint64    // of those that wait for one instant
	after  int32     // in its list
	where  uint8
	used   bool // false in an entry that is free
}

// list is flows in the order of their turns, by their place.
type list struct {
	head, tail int32
	n          int
}

func (l *list) push(flows []flow, i int32) {
	if l.n == 0 {
		l.head = i
	} else {
		flows[l.tail].after = i
	}
	l.tail = i
	l.n++
}

func (l *list) pop(flows []flow) int32 {
	i := l.head
	l.head = flows[i].after
	l.n--
	return i
}

// smallTable is a number of flows that is not worth a look for idle ones.
const smallTable = 64

// find is the place of the packet's flow, which is new if it was not there.
func (q *fq) find(p *core.Packet) int32 {
	if !q.keyed {
		q.keyed, q.key = true, q.owner.Random().Uint64()
	}
	key := p.FlowHash(q.Link, q.key)
	if i, ok := q.index[key]; ok {
		return i
	}
	if len(q.index) >= max(q.collectAt, smallTable) {
		q.collect()
	}
	if q.index == nil {
		q.index = make(map[uint64]int32)
	}
	f := flow{key: key, used: true, credit: q.config.InitialQuantum, since: q.in.Now()}
	var i int32
	if n := len(q.free); n > 0 {
		i, q.free = q.free[n-1], q.free[:n-1]
		q.flows[i] = f
	} else {
		i = int32(len(q.flows))
		q.flows = append(q.flows, f)
	}
	q.index[key] = i
	return i
}

// forgetAfter is how long an idle flow is remembered when the table is full
// (sch_fq.c, FQ_GC_AGE).
const forgetAfter = core.Time(3e9)

// collect forgets idle flows: those that are idle for long and, beyond twice
// Buckets, all that are not in debt; beyond four times Buckets those, too.
func (q *fq) collect() {
	now := q.in.Now()
	full, over := len(q.index) >= 2*q.config.Buckets, len(q.index) >= 4*q.config.Buckets
	for i := range q.flows {
		f := &q.flows[i]
		if f.used && f.where == away && (now-f.since > forgetAfter || over || full && f.next <= now) {
			delete(q.index, f.key)
			*f = flow{}
			q.free = append(q.free, int32(i))
			q.collected++
		}
	}
	q.collectAt = 2 * len(q.index)
}

// The flows that wait are a binary heap by their time; at one instant in the order
// in which they began to wait.

func (q *fq) sooner(a, b int32) bool {
	x, y := &q.flows[a], &q.flows[b]
	return x.next < y.next || x.next == y.next && x.order < y.order
}

func (q *fq) wait(i int32) {
	q.count++
	q.flows[i].where, q.flows[i].order = delayed, q.count
	q.waiting = append(q.waiting, i)
	h := q.waiting
	for c := len(h) - 1; c > 0; {
		up := (c - 1) / 2
		if !q.sooner(h[c], h[up]) {
			break
		}
		h[c], h[up] = h[up], h[c]
		c = up
	}
}

// wake brings back those whose time has come.
func (q *fq) wake(now core.Time) {
	for len(q.waiting) > 0 && q.flows[q.waiting[0]].next <= now {
		h := q.waiting
		i, n := h[0], len(h)-1
		h[0] = h[n]
		h = h[:n]
		for at := 0; ; {
			c := 2*at + 1
			if c >= n {
				break
			}
			if c+1 < n && q.sooner(h[c+1], h[c]) {
				c++
			}
			if !q.sooner(h[c], h[at]) {
				break
			}
			h[at], h[c] = h[c], h[at]
			at = c
		}
		q.waiting = h
		q.flows[i].where = turning
		q.old.push(q.flows, i)
	}
}
