package sim

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libos-go/libos/core"
)

// The loop
//
// One part runs as host.Virtual does. Several run in windows (conservative
// synchronisation, Chandy and Misra, "Distributed Simulation", 1979): what part j
// does at t cannot reach part i before t + ahead[j][i], the delays of the links
// between them. Every part tells the instant of its next event, then runs all that
// lies before the least of these sums, none further than the others that have work
// (see level), and what crossed meanwhile lands before the next window. Since an
// instant's events have an order of their own in every instance
// (core.DomainOptions.Exact), the windows do not show in the result.

// Now is the virtual time: what lies before it has happened. Any goroutine may ask.
func (n *Network) Now() time.Duration { return time.Duration(n.now.Load()) }

// Interrupt has Run return soon; calling it again goes on. Any goroutine may call
// it.
func (n *Network) Interrupt() {
	n.stop.Store(true)
	for _, p := range n.parts {
		p.host.Interrupt()
	}
}

// Run builds the network if it is not, and runs to the instant until, whose own
// events are the last. It returns a *Failure if a task gave up, ErrInterrupted
// after Interrupt. It may be called again with a later instant.
func (n *Network) Run(until time.Duration) error {
	if err := n.Build(); err != nil {
		return err
	}
	if f := n.failed(); f != nil {
		return f
	}
	limit := core.Time(until)
	if until == Forever {
		limit--
	}
	n.stop.Store(false)
	if len(n.parts) == 1 {
		n.runAlone(limit)
	} else {
		n.runTogether(limit)
	}
	if f := n.failed(); f != nil {
		return f
	}
	if n.stop.Load() {
		return ErrInterrupted
	}
	if until == Forever { // the last event was the end
		for _, p := range n.parts {
			n.now.Store(max(n.now.Load(), int64(p.host.Now())))
		}
	} else if n.Now() < until {
		n.now.Store(int64(until))
	}
	for _, p := range n.parts {
		p.sample(limit + 1)
		p.host.RunUntil(core.Time(n.now.Load())) // no event is left: only the clocks, which all show the same then
	}
	return nil
}

// Forever runs until nothing is left to happen.
const Forever time.Duration = 1<<63 - 1

// Partitions is how many parts the network was cut into, after Build.
func (n *Network) Partitions() int { return len(n.parts) }

// Live is what the Go heap of the process holds after a collection, with the stacks
// of its goroutines, in bytes.
func Live() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// Memory is what the network holds, in bytes: slabs, also those that are free at the
// moment, and what Live has grown by since it was before. Between runs.
func (n *Network) Memory(before int64) int64 {
	sum := max(0, Live()-before)
	for _, p := range n.parts {
		sum += p.domain.Pool().Arena().Stats().Lent
	}
	return sum
}

// Packets is how many packets the nodes have received. Between runs.
func (n *Network) Packets() (sum uint64) {
	for _, x := range n.nodes {
		for _, p := range x.ports {
			sum += p.ifc.Stats().RxPackets
		}
	}
	return sum
}

// failed is the failure that was first in virtual time, and of those the one of the
// first node.
func (n *Network) failed() (first *Failure) {
	for _, p := range n.parts {
		if f := p.failed; f != nil && (first == nil || f.Time < first.Time || f.Time == first.Time && f.order < first.order) {
			first = f
		}
	}
	return first
}

// Next is the instant of the next event, false if there is none. Between runs.
func (n *Network) Next() (time.Duration, bool) {
	next := core.Never
	for _, p := range n.parts {
		next = min(next, p.host.Next())
	}
	return time.Duration(next), next != core.Never
}

// Idle tells that nothing is left to happen.
func (n *Network) Idle() bool {
	_, more := n.Next()
	return !more
}

// ErrInterrupted is what Run returns after Interrupt.
var ErrInterrupted = interrupted{}

type interrupted struct{}

func (interrupted) Error() string { return "the simulation was interrupted" }

// slice is how much virtual time one part runs before Now moves.
const slice = core.Time(10 * time.Millisecond)

func (n *Network) runAlone(limit core.Time) {
	p := n.parts[0]
	p.host.Drive(func(run func(core.Time)) {
		for !n.stop.Load() && p.failed == nil {
			next := p.host.Next()
			if next > limit {
				return
			}
			n.now.Store(int64(next))
			p.hand()
			n.settle(next)
			p.advance(run, min(next+slice, limit+1))
		}
	})
}

// runTogether runs the parts in windows, each on a goroutine of its own.
func (n *Network) runTogether(limit core.Time) {
	w := windows{net: n, limit: limit, meet: barrier{n: int32(len(n.parts))}}
	var all sync.WaitGroup
	for _, p := range n.parts {
		all.Add(1)
		go func() {
			defer all.Done()
			p.host.Drive(func(run func(core.Time)) { w.run(p, run) })
		}()
	}
	all.Wait()
}

type windows struct {
	net   *Network
	limit core.Time
	meet  barrier
}

func (w *windows) run(p *part, run func(core.Time)) {
	n := w.net
	for {
		for _, q := range n.parts {
			for i, e := range q.out[p.index] {
				e.Land()
				q.out[p.index][i] = nil
			}
			q.out[p.index] = q.out[p.index][:0]
		}
		p.tell()
		p.hand()
		w.meet.wait()
		limit, stop, first := w.limit, false, core.Never
		for _, q := range n.parts {
			limit, stop, first = min(limit, q.told.end), stop || q.told.stop, min(first, q.told.next)
		}
		before := min(limit+1, w.bound(p), w.level())
		if first > limit || stop {
			return
		}
		if p.index == 0 {
			n.now.Store(int64(first))
			n.settle(first)
		}
		if p.told.next < before {
			p.advance(run, before)
		}
		w.meet.wait()
	}
}

// bound is the instant up to which nothing can reach p that it does not know of.
func (w *windows) bound(p *part) core.Time {
	before := core.Never
	for _, q := range w.net.parts {
		if ahead := w.net.ahead[q.index][p.index]; ahead != core.Never && q.told.next != core.Never {
			before = min(before, q.told.next+ahead)
		}
	}
	return before
}

// level is the least bound of those parts that have something to do before theirs.
// None goes beyond it, and all work at once: one that went as far as it may would
// wait in the next window for the one it left behind, and so on in turns.
func (w *windows) level() core.Time {
	level := core.Never
	for _, q := range w.net.parts {
		if b := w.bound(q); q.told.next < b {
			level = min(level, b)
		}
	}
	return level
}

// told is what a part says between two windows, when all have come to the first
// of them.
type told struct {
	next core.Time // of its next event
	end  core.Time // the simulation ends there, with a failure
	stop bool
}

func (p *part) tell() {
	p.told = told{next: p.host.Next(), end: core.Never - 1, stop: p.net.stop.Load()}
	if p.failed != nil {
		p.told.next, p.told.end = core.Never, core.Time(p.failed.Time)
	}
}

// barrier is where n goroutines meet. They are busy or about to be: waiting is
// spinning, and giving way.
type barrier struct {
	n      int32
	waits  atomic.Int32
	rounds atomic.Uint32
}

func (b *barrier) wait() {
	round := b.rounds.Load()
	if b.waits.Add(1) == b.n {
		b.waits.Store(0)
		b.rounds.Add(1)
		return
	}
	for spins := 0; b.rounds.Load() == round; spins++ {
		if spins > 200 {
			runtime.Gosched()
		}
	}
}
