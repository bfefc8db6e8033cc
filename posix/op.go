package posix

import (
	"errors"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// Op is one call that may block. A method that begins a call tells whether it is
// done. If it is not, it waits: the function given to NewOp is called once it may go
// on, then Continue tries again, with what it has done so far kept. When it is done,
// Result has its outcome, and the Op may begin another call. An Op belongs to one
// caller, who uses one of its methods at a time.
//
// The buffers given to it belong to it until it is done or cancelled.
type Op struct {
	call // of the running one

	p      *Process
	notify func()           // nil: the waiter is woken
	tell   func(core.Ready) // o.told
	waiter core.Waiter
	watch  []watch // set while armed
	timer  timer.Timer
	armed  bool
	done   bool
	single [1][]byte // backing of an iov of one piece
	pair   [2]interest
}

// interest is one thing that a call waits for.
type interest struct {
	*description
	fd   int
	mask core.Ready
}

// call is what one call needs, cleared before the next.
type call struct {
	run      func(*Op) error
	n, extra int // results
	err      error
	deadline core.Time
	limited  bool      // the deadline is chosen
	enough   core.Time // of recvmmsg: no further message after it
	nonblock bool
	part     bool // something of the whole is done
	want     []interest

	socket  *socket
	message core.Message
	iov     [][]byte
	control []byte
	name    []byte
	flags   int
	target  int // bytes at least
	address core.SockAddr
	header  *Msghdr
	headers []Mmsghdr
	polled  []PollFD
	events  []EpollEvent
	epoll   *epoll
	timeout time.Duration
	offIn   *int64
	offOut  *int64
	length  int
	start   int64
	source  *file
	buffer  []byte
	chunk   []byte
}

// Interest is what an Op waits for: any of Events (POLLIN, …) of a descriptor.
type Interest struct {
	FD     int
	Events int16
}

var errBlocked = errors.New("the call would block")

// NewOp makes an Op whose waits end by a call of notify. notify is called once for
// each wait or more often, possibly before the method that found nothing has
// returned, from whatever entered the Domain: it must not block nor call into the
// stack, but note that Continue is due.
func (p *Process) NewOp(notify func()) *Op {
	o := &Op{p: p, notify: notify}
	o.tell = o.told
	o.want = o.pair[:0]
	return o
}

// takeOp lends an Op for one call of a task.
func (p *Process) takeOp() *Op {
	p.mu.Lock()
	if n := len(p.idle); n > 0 {
		o := p.idle[n-1]
		p.idle = p.idle[:n-1]
		p.mu.Unlock()
		return o
	}
	p.mu.Unlock()
	return p.NewOp(nil)
}

func (p *Process) giveOp(o *Op) {
	o.reset()
	p.mu.Lock()
	if len(p.idle) < 16 {
		p.idle = append(p.idle, o)
	}
	p.mu.Unlock()
}

func (o *Op) reset() {
	ancillary := o.message.Ancillary[:0]
	o.call = call{}
	o.message.Ancillary = ancillary
	o.single[0], o.done = nil, false
	o.pair = [2]interest{}
	o.want = o.pair[:0]
}

// wants says that the call waits for mask of d.
func (o *Op) wants(fd int, d *description, mask core.Ready) {
	o.want = append(o.want, interest{d, fd, mask})
}

// fail ends a call that did not begin.
func (o *Op) fail(err error) bool {
	o.n, o.err, o.done = -1, err, true
	return true
}

// begin makes the first attempt and, if that finds nothing, has the Op told when
// there may be something, and looks once more.
func (o *Op) begin(run func(*Op) error) bool {
	o.run = run
	if o.attempt() {
		return true
	}
	o.arm()
	return o.Continue()
}

func (o *Op) attempt() bool {
	err := o.run(o)
	if err == errBlocked {
		return false
	}
	o.finish(err)
	return true
}

func (o *Op) finish(err error) {
	if err != nil {
		o.n = -1
	}
	o.err, o.done = err, true
	o.disarm()
}

// Continue tries again; true when the call is done.
func (o *Op) Continue() bool { return o.done || o.run == nil || o.attempt() }

// Done tells whether the call is done.
func (o *Op) Done() bool { return o.done }

// Result is the outcome of a call that is done: its value, -1 beside an error.
func (o *Op) Result() (n int, err error) { return o.n, o.err }

// Cancel gives a call up that waits. What it did stays done.
func (o *Op) Cancel() {
	if !o.done {
		o.disarm()
		o.done = true
	}
}

// Pending is what a call waits for, and until when: core.Never for no limit.
func (o *Op) Pending() (want []Interest, deadline core.Time) {
	deadline = o.deadline
	if deadline == 0 {
		deadline = core.Never
	}
	for _, x := range o.want {
		want = append(want, Interest{FD: x.fd, Events: int16(x.mask)})
	}
	return want, deadline
}

// block is what an attempt returns that found nothing: EAGAIN if the call may not
// wait, or not longer than limit, from its first wait on; 0 is no limit, below 0
// none at all.
func (o *Op) block(limit time.Duration) error {
	if o.nonblock || limit < 0 {
		return syscall.EAGAIN
	}
	if !o.limited {
		o.limited = true
		if limit > 0 {
			o.deadline = o.p.host.Now().Add(limit)
		}
	}
	if o.late() {
		return syscall.EAGAIN
	}
	return errBlocked
}

func (o *Op) late() bool { return o.deadline != 0 && o.p.host.Now() >= o.deadline }

// arm sits on the queues of all that the call waits for.
func (o *Op) arm() {
	if cap(o.watch) < len(o.want) {
		o.watch = make([]watch, len(o.want))
	}
	o.watch = o.watch[:len(o.want)]
	if o.notify == nil && o.waiter.Token == nil {
		o.waiter.Token = make(chan struct{}, 1)
	}
	o.armed = true
	o.p.domain.Do(func() {
		for i, x := range o.want {
			o.watch[i].set(x.object, x.mask, o.tell)
		}
		if o.deadline != 0 {
			o.p.instance.SetTimer(&o.timer, o.deadline, o)
		}
	})
}

func (o *Op) disarm() {
	if !o.armed {
		return
	}
	o.armed = false
	o.p.domain.Do(func() {
		for i := range o.watch {
			o.watch[i].stop()
		}
		o.p.instance.CancelTimer(&o.timer)
	})
}

// told is called inside an entry when something may have come.
func (o *Op) told(core.Ready) {
	if o.notify != nil {
		o.notify()
		return
	}
	o.p.domain.Wake(&o.waiter)
}

// Expire implements timer.Expirer.
func (o *Op) Expire(*timer.Timer, core.Time) { o.told(0) }

// wait blocks the calling task until the call is done.
func (o *Op) wait() {
	for {
		if err := o.p.host.Park(&o.waiter); err != nil {
			o.finish(err)
			return
		}
		if o.Continue() {
			return
		}
	}
}

// await ends a call of a task: its Op is given back.
func (p *Process) await(o *Op, done bool) (int, error) {
	if !done {
		o.wait()
	}
	n, err := o.n, o.err
	p.giveOp(o)
	return n, err
}
