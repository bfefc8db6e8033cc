package core

import (
	"fmt"
	"syscall"

	"github.com/libos-go/libos/core/timer"
)

// queueing is an interface's disciplines. Each is the child of the one before it:
// there is no discipline here with more than one child.
type queueing struct {
	ifc      *Interface
	nodes    []QdiscNode // the first is the root, empty while there is none
	timer    timer.Timer // until a discipline lets a packet go
	wake     Time        // asked for during a flush
	burst    int         // packets offered at once to a device that has no Pacer
	streak   int         // offers that it took whole since burst changed
	requeues uint64
	handles  uint32 // given out so far
	random   Source
}

// maxQdiscDepth bounds how deep disciplines are nested, as Linux does.
const maxQdiscDepth = 7

// QdiscNode is a discipline at its place.
type QdiscNode struct {
	Handle QdiscHandle
	Parent QdiscHandle // QdiscRoot, or the handle of the discipline above with minor 1
	Qdisc  Qdisc
	// Counts and Len, Backlog of the discipline, those of the root with what the
	// device refused.
	Counts       QdiscCounts
	Len, Backlog int
}

func (q *queueing) Instance() *Instance { return q.ifc.instance }
func (q *queueing) Link() Link          { return q.ifc.link }
func (q *queueing) MTU() int            { return int(q.ifc.mtu) }
func (q *queueing) QueueLen() int       { return int(q.ifc.queueLen) }
func (q *queueing) WakeAt(t Time)       { q.wake = min(q.wake, t) }

func (q *queueing) Random() Source {
	if q.random == nil {
		in := q.ifc.instance
		q.random = in.domain.host.Random("qdisc/" + in.name + "/" + q.ifc.name)
	}
	return q.random
}

// Expire implements timer.Expirer: a packet's time has come.
func (q *queueing) Expire(*timer.Timer, Time) { q.ifc.instance.domain.markDirty(q.ifc) }

// SetQdisc gives the interface queueing disciplines: the first is its root, each
// other the child of the one before. They take the place of what was there, whose
// packets are dropped; without any, packets wait in the interface's own queue as
// before. ENOENT if the wiring lacks a kind, EINVAL for values out of range or a
// child of a discipline that has none.
//
//	ifc.SetQdisc(netem.Config{Delay: impair.Delay{Mean: 10 * time.Millisecond}}, codel.Config{})
func (ifc *Interface) SetQdisc(chain ...QdiscConfig) error {
	var err error
	ifc.instance.domain.Do(func() { err = ifc.SetQdiscLocked(chain...) })
	return err
}

// SetQdiscLocked is SetQdisc inside an entry.
func (ifc *Interface) SetQdiscLocked(chain ...QdiscConfig) error {
	if len(chain) == 0 {
		ifc.removeQdiscs()
		return nil
	}
	q := ifc.queue
	if q == nil {
		q = &queueing{ifc: ifc, wake: Never, burst: 1}
	}
	nodes, err := q.make(nil, chain)
	if err != nil {
		return err
	}
	q.replace(0, nodes)
	return nil
}

// make builds the disciplines of chain below those of above.
func (q *queueing) make(above []QdiscNode, chain []QdiscConfig) ([]QdiscNode, error) {
	if q.ifc.closed {
		return nil, syscall.ENODEV
	}
	if len(above)+len(chain) > maxQdiscDepth {
		return nil, fmt.Errorf("qdisc: %s: disciplines nest at most %d deep: %w", q.ifc.name, maxQdiscDepth, syscall.ELOOP)
	}
	nodes := above
	var made []QdiscNode
	for _, c := range chain {
		n := QdiscNode{Parent: QdiscRoot}
		if len(nodes) > 0 {
			up := nodes[len(nodes)-1]
			if _, ok := up.Qdisc.(QdiscParent); !ok {
				return nil, fmt.Errorf("qdisc: %s: %s has no child: only tbf, netem and red have: %w", q.ifc.name, up.Qdisc.Config().Kind(), syscall.EOPNOTSUPP)
			}
			n.Parent = up.Handle.Major() | 1
		}
		var err error
		if n.Qdisc, err = q.open(c); err != nil {
			return nil, err
		}
		n.Handle = q.newHandle()
		made = append(made, n)
		nodes = append(nodes[:len(nodes):len(nodes)], n)
	}
	return made, nil
}

// open makes one discipline.
func (q *queueing) open(c QdiscConfig) (Qdisc, error) {
	in := q.ifc.instance
	k := in.wiring.Qdisc(c.Kind())
	if k == nil {
		return nil, fmt.Errorf("qdisc: %s has no discipline %s: add it to the configuration (docs/queueing.md lists the symbols): %w", in.name, c.Kind(), syscall.ENOENT)
	}
	if err := c.Check(); err != nil {
		return nil, fmt.Errorf("qdisc: %s: %s: %w: %w", q.ifc.name, k.Name, err, syscall.EINVAL)
	}
	x, err := k.New(c, q)
	if err != nil {
		return nil, fmt.Errorf("qdisc: %s: %s: %w: %w", q.ifc.name, k.Name, err, syscall.EINVAL)
	}
	return x, nil
}

// newHandle is a handle that nobody chose: from 8001: on, as Linux gives them.
func (q *queueing) newHandle() QdiscHandle {
	for {
		h := QdiscHandle(0x8001+q.handles%0x7ffe) << 16
		q.handles++
		if q.find(h) < 0 {
			return h
		}
	}
}

func (q *queueing) find(h QdiscHandle) int {
	for i := range q.nodes {
		if q.nodes[i].Handle.Major() == h.Major() {
			return i
		}
	}
	return -1
}

// replace puts nodes in the place of those from the at-th on.
func (q *queueing) replace(at int, nodes []QdiscNode) {
	ifc := q.ifc
	for _, n := range q.nodes[at:] {
		n.Qdisc.Purge()
	}
	if at == 0 {
		ifc.txq.Free()
		q.requeues = 0
		ifc.instance.CancelTimer(&q.timer)
	}
	q.nodes = append(q.nodes[:at:at], nodes...)
	for i := max(at, 1); i < len(q.nodes); i++ {
		q.nodes[i-1].Qdisc.(QdiscParent).SetChild(q.nodes[i].Qdisc)
	}
	if at > 0 && at == len(q.nodes) {
		if p, ok := q.nodes[at-1].Qdisc.(QdiscParent); ok {
			p.SetChild(nil)
		}
	}
	ifc.queue = q
	ifc.instance.domain.markDirty(ifc)
}

// removeQdiscs gives the interface its own queue back.
func (ifc *Interface) removeQdiscs() {
	q := ifc.queue
	if q == nil {
		return
	}
	ifc.purgeQdiscs()
	ifc.queue = nil
}

// purgeQdiscs frees what waits in disciplines.
func (ifc *Interface) purgeQdiscs() {
	if q := ifc.queue; q != nil {
		for _, n := range q.nodes {
			n.Qdisc.Purge()
		}
		ifc.instance.CancelTimer(&q.timer)
		q.burst = 1
	}
}

// PutQdisc puts a discipline at a place: QdiscRoot, or below the one with that
// handle. handle 0 lets it choose. What was there goes with its children. Inside
// an entry. ENOENT for a place that does not exist, EEXIST for a handle in use
// elsewhere, and what SetQdisc says.
func (ifc *Interface) PutQdisc(parent, handle QdiscHandle, c QdiscConfig) error {
	q := ifc.queue
	if q == nil {
		q = &queueing{ifc: ifc, wake: Never, burst: 1}
	}
	at := 0
	if parent != QdiscRoot {
		if at = q.find(parent) + 1; at == 0 || parent&0xffff > 1 {
			return fmt.Errorf("qdisc: %s has no discipline with a place %v: tc qdisc show dev %s lists them: %w", ifc.name, parent, ifc.name, syscall.ENOENT)
		}
	}
	if handle != 0 {
		if i := q.find(handle); i >= 0 && i < at {
			return fmt.Errorf("qdisc: %s: handle %v is in use for %s: choose another: %w", ifc.name, handle, q.nodes[i].Qdisc.Config().Kind(), syscall.EEXIST)
		}
	}
	nodes, err := q.make(q.nodes[:at], []QdiscConfig{c})
	if err != nil {
		return err
	}
	if handle != 0 {
		nodes[0].Handle = handle.Major()
	}
	q.replace(at, nodes)
	return nil
}

// DropQdisc takes away the discipline at a place, with its children. Inside an
// entry. ENOENT if there is none.
func (ifc *Interface) DropQdisc(parent QdiscHandle) error {
	q := ifc.queue
	at := 0
	if q != nil && parent != QdiscRoot {
		at = q.find(parent) + 1
	}
	if q == nil || parent != QdiscRoot && at == 0 || at >= len(q.nodes) {
		return fmt.Errorf("qdisc: %s has no discipline at %v: %w", ifc.name, parent, syscall.ENOENT)
	}
	if at == 0 {
		ifc.removeQdiscs()
		return nil
	}
	q.replace(at, nil)
	return nil
}

// Qdiscs are the interface's disciplines, the root first. Inside an entry.
func (ifc *Interface) Qdiscs() []QdiscNode {
	q := ifc.queue
	if q == nil {
		return nil
	}
	out := make([]QdiscNode, len(q.nodes))
	for i, n := range q.nodes {
		n.Counts, n.Len, n.Backlog = n.Qdisc.Counts(), n.Qdisc.Len(), n.Qdisc.Backlog()
		if i == 0 {
			n.Counts.Requeues += q.requeues
			for p := ifc.txq.Peek(); p != nil; p = p.Next() {
				n.Len++
				n.Backlog += p.Len()
			}
		}
		out[i] = n
	}
	return out
}

// flush offers the device what the disciplines let go. What it refused goes
// first the next time.
func (q *queueing) flush() {
	ifc := q.ifc
	batch := ifc.instance.domain.batch[:]
	root := q.nodes[0].Qdisc
	q.wake = Never
	for !ifc.stalled {
		n, most := 0, min(q.burst, len(batch))
		if s := ifc.seldom; s != nil && s.pacer != nil {
			if ifc.txq.Len() == 0 && root.Len() == 0 {
				if p := root.Dequeue(); p != nil { // nil: it learns that it is empty
					ifc.txq.Push(p)
					continue
				}
				break
			}
			if most = min(len(batch), s.pacer.Room()); most <= 0 {
				ifc.stalled = true
				break
			}
		}
		for n < most {
			p := ifc.txq.Pop()
			if p == nil {
				if p = root.Dequeue(); p == nil {
					break
				}
			}
			batch[n] = p
			n++
		}
		if n == 0 {
			break
		}
		taken := ifc.offer(batch[:n])
		q.requeues += uint64(n - taken)
		// A device that stalls often has its packets offered few at a time: what it
		// refused is in no discipline's hands any more.
		q.streak++
		switch {
		case taken < n:
			q.burst, q.streak = max(taken, 1), 0
		case q.streak == 4:
			q.burst, q.streak = min(2*q.burst, len(batch)), 0
		}
	}
	if q.wake != Never && !ifc.stalled {
		ifc.instance.SetTimer(&q.timer, q.wake, q)
	}
}

// defaultQdisc is implemented by the block of settings that has
// net.core.default_qdisc.
type defaultQdisc interface{ DefaultQdisc() string }

// noqueue is the default_qdisc of interfaces without a discipline.
const noqueue = "noqueue"

// attachDefaultQdisc gives a new interface the discipline of
// net.core.default_qdisc, if its device has a queue.
func (ifc *Interface) attachDefaultQdisc(queueless bool) error {
	in := ifc.instance
	if in.sysctls.qdisc == 0 || queueless || ifc.link == LinkLoopback {
		return nil
	}
	name := in.sysctls.blocks[in.sysctls.qdisc-1].(defaultQdisc).DefaultQdisc()
	if name == noqueue || name == "" {
		return nil
	}
	k := in.wiring.Qdisc(name)
	if k == nil { // narrowed away since
		return fmt.Errorf("net.core.default_qdisc is %s, which %s lacks: %w", name, in.name, syscall.ENOENT)
	}
	c, err := k.Parse(nil, nil)
	if err != nil {
		return fmt.Errorf("net.core.default_qdisc %s: %w", name, err)
	}
	if err := ifc.SetQdiscLocked(c); err != nil {
		return err
	}
	ifc.queue.nodes[0].Handle = 0
	return nil
}

// checkDefaultQdisc judges a value for net.core.default_qdisc.
func (in *Instance) checkDefaultQdisc(name string) error {
	if name == noqueue || name == "" {
		return nil
	}
	k := in.wiring.Qdisc(name)
	if k == nil {
		return fmt.Errorf("%s has no discipline %q: %w", in.name, name, syscall.ENOENT)
	}
	if _, err := k.Parse(nil, nil); err != nil {
		return fmt.Errorf("%s has no defaults: %w: %w", name, err, syscall.EINVAL)
	}
	return nil
}

// ResumeQdiscs has the disciplines asked anew after one of them was changed.
// Inside an entry.
func (ifc *Interface) ResumeQdiscs() {
	if ifc.queue != nil {
		ifc.instance.domain.markDirty(ifc)
	}
}
