package posix

import (
	"encoding/binary"
	"math"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// Flags of eventfd(2) and timerfd_create(2), and clocks.
const (
	EFD_SEMAPHORE = 1
	EFD_CLOEXEC   = O_CLOEXEC
	EFD_NONBLOCK  = O_NONBLOCK

	TFD_CLOEXEC             = O_CLOEXEC
	TFD_NONBLOCK            = O_NONBLOCK
	TFD_TIMER_ABSTIME       = 1
	TFD_TIMER_CANCEL_ON_SET = 2

	CLOCK_REALTIME  = 0
	CLOCK_MONOTONIC = 1
	CLOCK_BOOTTIME  = 7
)

// event is an eventfd(2) (fs/eventfd.c), under the Domain's lock.
type event struct {
	domain    *core.Domain
	queue     queue
	count     uint64
	semaphore bool
	closed    bool
}

// Eventfd2 is eventfd(2).
func (p *Process) Eventfd2(initial uint32, flags int) (int, error) {
	if flags&^(EFD_SEMAPHORE|EFD_CLOEXEC|EFD_NONBLOCK) != 0 {
		return -1, syscall.EINVAL
	}
	e := &event{domain: p.domain, count: uint64(initial), semaphore: flags&EFD_SEMAPHORE != 0}
	return p.open(e, O_RDWR|flags&O_NONBLOCK, flags&EFD_CLOEXEC != 0)
}

func (e *event) ready() (r core.Ready) {
	if e.count > 0 {
		r |= core.ReadyIn
	}
	if e.count < math.MaxUint64-1 {
		r |= core.ReadyOut
	}
	return r
}

func (e *event) watch(w *watch) { e.queue.watch(w) }

func (e *event) unwatch(w *watch) { e.queue.unwatch(w) }

func (e *event) close() error {
	e.domain.Do(func() {
		e.closed = true
		e.queue.wake(core.ReadyIn | core.ReadyOut | core.ReadyErr | core.ReadyHup)
	})
	return nil
}

func (e *event) read(iov [][]byte) (n int, err error) {
	if total(iov) < 8 {
		return 0, syscall.EINVAL
	}
	v := uint64(1)
	e.domain.Do(func() {
		switch {
		case e.closed:
			err = syscall.EBADF
		case e.count == 0:
			err = syscall.EAGAIN
		default:
			if !e.semaphore {
				v = e.count
			}
			e.count -= v
			e.queue.wake(core.ReadyOut)
		}
	})
	if err != nil {
		return 0, err
	}
	return putNumber(iov, v), nil
}

// putNumber puts 8 bytes of the machine's order into iov, which has room.
func putNumber(iov [][]byte, v uint64) int {
	var b [8]byte
	binary.NativeEndian.PutUint64(b[:], v)
	n := 0
	for _, x := range iov {
		n += copy(x, b[n:])
	}
	return n
}

func (e *event) write(iov [][]byte) (n int, err error) {
	if total(iov) != 8 {
		return 0, syscall.EINVAL
	}
	var b [8]byte
	fillFrom(iov, b[:])
	v := binary.NativeEndian.Uint64(b[:])
	if v == math.MaxUint64 {
		return 0, syscall.EINVAL
	}
	e.domain.Do(func() {
		switch {
		case e.closed:
			err = syscall.EBADF
		case math.MaxUint64-1-e.count < v:
			err = syscall.EAGAIN
		default:
			e.count += v
			e.queue.wake(core.ReadyIn)
		}
	})
	if err != nil {
		return 0, err
	}
	return 8, nil
}

// Itimerspec is struct itimerspec: when a timer goes off first, 0 for never, and
// how often then, 0 for not again.
type Itimerspec struct{ Interval, Value time.Duration }

// clock is a timerfd (fs/timerfd.c), under the Domain's lock. As in Linux an
// interval starts its next round when the expirations are read: nobody is busy with
// a timer that nobody reads.
type clock struct {
	instance *core.Instance
	queue    queue
	timer    timer.Timer
	interval time.Duration
	next     core.Time // when it goes off, or went off last
	ticks    uint64
	expired  bool
	closed   bool
	realtime bool
}

// TimerfdCreate is timerfd_create(2), with CLOCK_REALTIME, CLOCK_MONOTONIC or
// CLOCK_BOOTTIME on the host's clock.
func (p *Process) TimerfdCreate(clockid, flags int) (int, error) {
	if flags&^(TFD_CLOEXEC|TFD_NONBLOCK) != 0 || clockid != CLOCK_REALTIME && clockid != CLOCK_MONOTONIC && clockid != CLOCK_BOOTTIME {
		return -1, syscall.EINVAL
	}
	c := &clock{instance: p.instance, realtime: clockid == CLOCK_REALTIME}
	return p.open(c, O_RDWR|flags&O_NONBLOCK, flags&TFD_CLOEXEC != 0)
}

func (p *Process) clock(fd int) (*clock, error) {
	d, err := p.get(fd)
	if err != nil {
		return nil, err
	}
	c, ok := d.object.(*clock)
	if !ok {
		return nil, syscall.EINVAL
	}
	return c, nil
}

// TimerfdSettime is timerfd_settime(2) and returns what was set before. An absolute
// Value is counted from the clock's beginning: that of the host, or 1970.
func (p *Process) TimerfdSettime(fd, flags int, v Itimerspec) (old Itimerspec, err error) {
	if flags&^(TFD_TIMER_ABSTIME|TFD_TIMER_CANCEL_ON_SET) != 0 || v.Value < 0 || v.Interval < 0 {
		return old, syscall.EINVAL
	}
	c, err := p.clock(fd)
	if err != nil {
		return old, err
	}
	p.domain.Do(func() {
		old = c.left()
		c.instance.CancelTimer(&c.timer)
		c.ticks, c.expired, c.interval = 0, false, v.Interval
		if v.Value == 0 {
			c.next = 0
			return
		}
		now := c.instance.Now()
		switch {
		case flags&TFD_TIMER_ABSTIME == 0:
			c.next = now.Add(v.Value)
		case c.realtime:
			c.next = p.host.Time(time.Unix(0, int64(v.Value)))
		default:
			c.next = core.Time(v.Value)
		}
		c.instance.SetTimer(&c.timer, max(c.next, now), c)
	})
	return old, nil
}

// TimerfdGettime is timerfd_gettime(2).
func (p *Process) TimerfdGettime(fd int) (v Itimerspec, err error) {
	c, err := p.clock(fd)
	if err != nil {
		return v, err
	}
	p.domain.Do(func() { v = c.left() })
	return v, nil
}

// left is how long until the timer goes off again.
func (c *clock) left() Itimerspec {
	c.round()
	v := Itimerspec{Interval: c.interval}
	if c.timer.Pending() {
		v.Value = max(c.next.Sub(c.instance.Now()), 1)
	}
	return v
}

// round counts the intervals that passed and starts the next.
func (c *clock) round() {
	if !c.expired || c.interval == 0 {
		return
	}
	c.expired = false
	n := c.instance.Now().Sub(c.next) / c.interval
	c.ticks += uint64(n)
	c.next = c.next.Add((n + 1) * c.interval)
	c.instance.SetTimer(&c.timer, c.next, c)
}

// Expire implements timer.Expirer.
func (c *clock) Expire(*timer.Timer, core.Time) {
	c.expired = true
	c.ticks++
	c.queue.wake(core.ReadyIn)
}

func (c *clock) ready() core.Ready {
	if c.ticks > 0 {
		return core.ReadyIn
	}
	return 0
}

func (c *clock) watch(w *watch) { c.queue.watch(w) }

func (c *clock) unwatch(w *watch) { c.queue.unwatch(w) }

func (c *clock) close() error {
	c.instance.Domain().Do(func() {
		c.closed = true
		c.instance.CancelTimer(&c.timer)
		c.queue.wake(core.ReadyIn | core.ReadyErr | core.ReadyHup)
	})
	return nil
}

func (c *clock) read(iov [][]byte) (n int, err error) {
	if total(iov) < 8 {
		return 0, syscall.EINVAL
	}
	var v uint64
	c.instance.Domain().Do(func() {
		switch {
		case c.closed:
			err = syscall.EBADF
		case c.ticks == 0:
			err = syscall.EAGAIN
		default:
			c.round()
			v, c.ticks, c.expired = c.ticks, 0, false
		}
	})
	if err != nil {
		return 0, err
	}
	return putNumber(iov, v), nil
}
