package core

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core/timer"
)

// waitNode is one waiter on a socket's queue. Those of blocked calls are kept
// by the Domain with their Waiter and used again.
type waitNode struct {
	next   *waitNode
	waiter *Waiter
	mask   Ready
	notify func(Ready) // instead of waiter: readiness callback (poll, epoll), inside the entry
	timer  timer.Timer // SO_RCVTIMEO, SO_SNDTIMEO
	domain *Domain
}

// Expire implements timer.Expirer.
func (n *waitNode) Expire(*timer.Timer, Time) { n.domain.wake(n.waiter) }

// patience is how long one call waits in all (SO_RCVTIMEO, SO_SNDTIMEO).
type patience struct{ until Time }

// Wake wakes those who wait for any of r, and for errors and hang-ups in any
// case. It is called by protocols inside an entry, and is cheap when nobody
// waits.
func (s *Socket) Wake(r Ready) {
	for n := s.waiters; n != nil; {
		next := n.next
		if r&(n.mask|ReadyErr|ReadyHup) != 0 {
			if n.notify != nil {
				n.notify(r)
			} else {
				s.instance.domain.wake(n.waiter)
			}
		}
		n = next
	}
}

// wait blocks until any of mask may have come, with the lock given up
// meanwhile. EAGAIN for a non-blocking call; ErrDeadline past the deadline;
// EBADF when the socket was closed. The waits of one call share pt, and fail
// with EAGAIN after SO_RCVTIMEO or SO_SNDTIMEO.
func (s *Socket) wait(mask Ready, flags int, pt *patience) error {
	if s.nonblock || flags&MsgDontWait != 0 {
		return syscall.EAGAIN
	}
	if err := s.expired(mask); err != nil {
		return err
	}
	d := s.instance.domain
	limit := s.options.ReceiveTimeout
	if mask&ReadyIn == 0 {
		limit = s.options.SendTimeout
	}
	if limit < 0 {
		return syscall.EAGAIN
	}
	if limit > 0 {
		if pt.until == 0 {
			pt.until = d.now.Add(limit)
		}
		if pt.until <= d.now {
			return syscall.EAGAIN
		}
	}
	return s.park(mask, pt.until)
}

// park blocks until any of mask may have come or the clock shows until (0:
// never).
func (s *Socket) park(mask Ready, until Time) error {
	if err := s.parkOnly(mask, until); err != nil {
		return err
	}
	return s.expired(mask)
}

// parkOnly is park without a look at the deadlines.
func (s *Socket) parkOnly(mask Ready, until Time) error {
	d := s.instance.domain
	node := d.takeNode()
	node.mask, node.next = mask, s.waiters
	s.waiters = node
	if until != 0 {
		s.instance.SetTimer(&node.timer, until, node)
	}
	d.leave()
	err := d.host.Park(node.waiter)
	d.enter()
	if until != 0 {
		s.instance.CancelTimer(&node.timer)
	}
	s.unwait(node)
	d.giveNode(node)
	if err != nil {
		return err
	}
	if s.closed {
		return syscall.EBADF
	}
	return nil
}

func (s *Socket) unwait(node *waitNode) {
	for p := &s.waiters; *p != nil; p = &(*p).next {
		if *p == node {
			*p = node.next
			return
		}
	}
}

// OnReady has f called inside the Domain's entry whenever any of mask may have
// come, until stop is called. It is the building block of poll and epoll.
func (s *Socket) OnReady(mask Ready, f func(Ready)) (stop func()) {
	node := &waitNode{mask: mask, notify: f}
	s.instance.domain.Do(func() {
		node.next = s.waiters
		s.waiters = node
	})
	return func() { s.instance.domain.Do(func() { s.unwait(node) }) }
}

// Ready is the readiness now, as poll(2) reports it.
func (s *Socket) Ready() Ready {
	var r Ready
	s.instance.domain.Do(func() { r = s.readyLocked() })
	return r
}

func (s *Socket) readyLocked() Ready {
	if s.closed {
		return ReadyErr | ReadyHup
	}
	r := s.endpoint.Ready()
	if s.err != 0 {
		r |= ReadyErr
	}
	return r
}

// takeNode takes an idle wait node with its waiter or makes one.
func (d *Domain) takeNode() *waitNode {
	if n := len(d.free); n > 0 {
		w := d.free[n-1]
		d.free = d.free[:n-1]
		return w
	}
	return &waitNode{domain: d, waiter: &Waiter{Token: make(chan struct{}, 1)}}
}

// giveNode puts n back. A late wake finds it idle or makes its next user look
// once more in vain: both are harmless.
func (d *Domain) giveNode(n *waitNode) {
	n.next = nil
	if len(d.free) < 64 {
		d.free = append(d.free, n)
	}
}

// Sleep blocks the calling task for d on the host's clock.
func (in *Instance) Sleep(d time.Duration) error {
	dm := in.domain
	dm.enter()
	defer dm.leave()
	sl := sleeper{domain: dm, node: dm.takeNode()}
	in.SetTimer(&sl.timer, dm.now.Add(d), &sl)
	for !sl.over {
		dm.leave()
		err := dm.host.Park(sl.node.waiter)
		dm.enter()
		if err != nil {
			in.CancelTimer(&sl.timer)
			return err
		}
	}
	dm.giveNode(sl.node)
	return nil
}

type sleeper struct {
	timer  timer.Timer
	domain *Domain
	node   *waitNode
	over   bool
}

// Expire implements timer.Expirer.
func (s *sleeper) Expire(*timer.Timer, Time) {
	s.over = true
	s.domain.wake(s.node.waiter)
}
