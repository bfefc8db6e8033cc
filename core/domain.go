package core

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core/config/allocator"
	"github.com/libos-go/libos/core/timer"
)

// frameBudget is how many frames one entry carries through the Domain's
// instances before it hands the rest to the host, so that no caller pays for
// a whole network.
const frameBudget = 256

// Domain is one state machine: instances that never run concurrently, with
// their common lock, slabs, timing wheel and run queue.
//
// There are three doors: frames from a device, an expired timer, and a socket
// (or administrative) call. Each takes the mutex, runs to completion, gathers
// frames to send and waiters to wake, and leaves. A frame for another instance
// of the Domain is queued and run after the entry that sent it.
type Domain struct {
	mu      sync.Mutex
	host    Host
	now     Time
	wheel   timer.Wheel
	armed   Time
	pool    *allocator.Pool
	arena   *allocator.Arena // of the pool, if it is the Domain's own
	packets *allocator.Cache[Packet]
	caches  map[string]any
	shared  map[any]any

	ops          []*Op      // idle
	lastOp       uint32     // see Op.Tag
	messages     []*Message // idle
	reservations []*Reservation

	exact       bool
	leaper      Leaper // of an exact Domain whose host is one
	run         runQueue
	local       localQueue
	event, news Event       // scratch of separable.Event and Instance.notify
	batch       [64]*Packet // on their way to a device, during one Send
	one         [1]*Packet  // the batch of a single send
	dirty       *Interface  // interfaces with frames to send, linked by nextDirty
	done        *Interface  // last of that list
	wakes       []*Waiter
	errands     []*Errand
	carrying    bool        // the running entry's caller does them
	free        []*waitNode // idle ones, each with its waiter

	defaults  defaults
	inbox     inbox
	timersDue atomic.Bool // RunTimers found the lock busy
	instances []*Instance
	nextOrder uint32

	// HostState belongs to the host that drives this Domain.
	HostState any
}

// defaults are what the instances of a Domain share until they change it.
type defaults struct {
	wiring  *Wiring // of the instance made last
	sysctls *sysctlBlocks
	socket  *SocketOptions
}

// DomainOptions are the choices made when a Domain is created.
type DomainOptions struct {
	Arena *allocator.Arena // where slabs come from; nil makes a private one
	Debug bool             // red zones, poison, owners; always under CONFIG_SLAB_DEBUG
	// Exact is for hosts in virtual time that promise the same bytes however
	// instances are spread over Domains: timers run by RunTimers only and an entry
	// carries all frames to their end, so that nothing depends on what else the
	// Domain does at an instant.
	Exact bool
}

// NewDomain makes an empty Domain that is driven by host.
func NewDomain(host Host, o DomainOptions) *Domain {
	o.Debug = o.Debug || config.SLAB_DEBUG
	socket := defaultSocketOptions()
	d := &Domain{host: host, armed: Never, exact: o.Exact, defaults: defaults{socket: &socket}}
	if o.Exact {
		d.leaper, _ = host.(Leaper)
	}
	if o.Arena == nil {
		d.arena = allocator.NewArena(allocator.ArenaOptions{Debug: o.Debug, SlabSize: config.SLAB_KB << 10})
		o.Arena = d.arena
	}
	d.pool = allocator.NewPool(o.Arena, allocator.PoolOptions{Debug: o.Debug, Wrapper: worksForCaller})
	d.packets = allocator.NewCache[Packet](d.pool, "packet", allocator.CacheOptions{KeepContents: true})
	return d
}

// Host is the host that drives this Domain.
func (d *Domain) Host() Host { return d.host }

// Pool is the Domain's slab pool. It may be used only inside an entry.
func (d *Domain) Pool() *allocator.Pool { return d.pool }

// Now is the instant of the running entry: read once per entry, or the
// expired timer's own instant.
func (d *Domain) Now() Time { return d.now }

// SetArrival arms t at when for what arrives by ifc: at one instant, that comes
// after the instance's own timers and in the order of its interfaces, whoever
// armed it first. One timer an interface.
func (ifc *Interface) SetArrival(t *timer.Timer, when Time, owner timer.Expirer) {
	in := ifc.instance
	in.domain.wheel.SetRanked(t, when, owner, in.order, uint32(ifc.index))
}

// SetTimer arms t at when; owner.Expire runs inside an entry. Timers of one
// instant run in the order of their instances.
func (in *Instance) SetTimer(t *timer.Timer, when Time, owner timer.Expirer) {
	in.domain.wheel.Set(t, when, owner, in.order)
}

// CancelTimer disarms t. It may be called for a timer that is not armed.
func (in *Instance) CancelTimer(t *timer.Timer) { in.domain.wheel.Cancel(t) }

// Do runs f as one entry of the Domain: with its lock held, after which frames
// that f queued are sent and waiters woken. f must not block nor call Do.
func (d *Domain) Do(f func()) {
	d.enter()
	f()
	d.leave()
}

// enter takes the lock, reads the clock and runs the timers that are due.
func (d *Domain) enter() {
	d.mu.Lock()
	d.begin()
}

func (d *Domain) begin() {
	due := !d.exact
	if d.timersDue.Load() { // the host's timer has gone off: arm it anew
		d.timersDue.Store(false)
		d.armed, due = Never, true
	}
	now := d.host.Now()
	if now > d.now {
		d.now = now
	}
	if due && d.wheel.Next() <= now {
		d.wheel.Advance(now)
	}
}

// leave sends what was queued, delivers frames inside the Domain, arms the
// host, unlocks, wakes, and takes over work that others left meanwhile: once,
// then the host carries on, so that no producer holds the caller for ever. At last it
// does the errands of who carries.
func (d *Domain) leave() {
	var few [4]*Errand
	errands := few[:0]
	for again := false; ; again = true {
		d.flush()
		d.arm()
		var buf [16]*Waiter
		wakes := append(buf[:0], d.wakes...)
		clear(d.wakes)
		d.wakes = d.wakes[:0]
		if d.carrying {
			errands = d.takeErrands(errands)
		}
		d.mu.Unlock()
		for _, w := range wakes {
			d.host.Wake(w)
		}
		if !d.inbox.waiting() && !d.timersDue.Load() {
			break
		}
		if !d.mu.TryLock() {
			break // the new holder takes it
		}
		if again {
			d.host.Defer(d)
			d.mu.Unlock()
			break
		}
		d.begin()
		d.takeInbox()
	}
	for _, e := range errands {
		e.Run()
	}
}

// flush carries frames until none is queued or the budget is spent.
func (d *Domain) flush() {
	budget := frameBudget
	for {
		d.send()
		if d.run.empty() {
			return
		}
		if budget <= 0 {
			d.host.Defer(d)
			return
		}
		n := d.runOne(budget)
		if !d.exact {
			budget -= n
		}
	}
}

// runOne delivers the oldest group of frames and tells how many they were.
func (d *Domain) runOne(most int) int {
	ifc, list, n := d.run.pop(most)
	ifc.receive(list)
	return n
}

// send gives the queued frames of each interface to its device.
func (d *Domain) send() {
	for d.dirty != nil {
		ifc := d.dirty
		d.dirty = ifc.nextDirty
		ifc.nextDirty, ifc.isDirty = nil, false
		if d.dirty == nil {
			d.done = nil
		}
		ifc.flush()
	}
}

func (d *Domain) markDirty(ifc *Interface) {
	if ifc.isDirty {
		return
	}
	ifc.isDirty = true
	if d.done == nil {
		d.dirty = ifc
	} else {
		d.done.nextDirty = ifc
	}
	d.done = ifc
}

// arm tells the host of the next deadline when it moved earlier.
func (d *Domain) arm() {
	if next := d.wheel.Next(); next < d.armed {
		d.armed = next
		d.host.Arm(d, next)
	}
}

// RunTimers is the host's call at an armed deadline. It never waits for the
// lock: a holder that is inside takes the timers over.
func (d *Domain) RunTimers() {
	d.timersDue.Store(true)
	for d.timersDue.Load() && d.mu.TryLock() {
		d.begin()
		d.takeInbox()
		if d.leaper != nil {
			d.leap()
		}
		d.leave()
	}
}

// leap goes on to the next deadline, and the next, until a task is to be woken or
// somebody else has something to do before.
func (d *Domain) leap() {
	for {
		d.flush()
		if len(d.wakes) > 0 {
			return
		}
		next := d.wheel.Next()
		if next == Never || !d.leaper.Leap(d, next) {
			return
		}
		d.now = next
		d.wheel.Advance(next)
	}
}

// Run is the host's answer to Defer: carry on with queued frames.
func (d *Domain) Run() {
	d.enter()
	d.takeInbox()
	d.leave()
}

// takeInbox brings in a snapshot of what producers left.
func (d *Domain) takeInbox() { d.inbox.drain(d) }

// wake has w woken when the running entry leaves.
func (d *Domain) wake(w *Waiter) {
	if n := len(d.wakes); n > 0 && d.wakes[n-1] == w {
		return
	}
	d.wakes = append(d.wakes, w)
}

// Close ends every instance and gives the slabs back. It reports memory that
// is still held: each such report is a leak.
func (d *Domain) Close() error {
	var errs []error
	for _, in := range append([]*Instance(nil), d.instances...) {
		errs = append(errs, in.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.run.purge()
	d.host.Arm(d, Never)
	err := d.pool.Close()
	if d.arena != nil { // its memory goes back to the system; what is left of it the pool has told
		if closed := d.arena.Close(); err == nil {
			err = closed
		}
	}
	return errors.Join(append(errs, err)...)
}

// Shared is a value that instances of the Domain have in common under key, made
// on first use and kept as long as the Domain: keys must be few, and nobody
// changes the value. Inside an entry.
func (d *Domain) Shared(key any, of func() any) any {
	v, ok := d.shared[key]
	if !ok {
		v = of()
		if d.shared == nil {
			d.shared = make(map[any]any)
		}
		d.shared[key] = v
	}
	return v
}

// CacheOf returns the Domain's slab cache of T under name, made on first use:
// instances of one Domain share it.
func CacheOf[T any](d *Domain, name string) *allocator.Cache[T] {
	if c, ok := d.caches[name].(*allocator.Cache[T]); ok {
		return c
	}
	c := allocator.NewCache[T](d.pool, name, allocator.CacheOptions{})
	if d.caches == nil {
		d.caches = make(map[string]any)
	}
	d.caches[name] = c
	return c
}
