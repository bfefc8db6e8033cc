package core

import (
	"github.com/libos-go/libos/core/timer"
)

// deadlines are the limits set by SetReadDeadline and SetWriteDeadline.
type deadlines struct {
	socket      *Socket
	read, write timer.Timer
	readPast    bool
	writePast   bool
}

// SetReadDeadline and SetWriteDeadline bound the calls that wait, on the host's
// clock; 0 takes the bound away. They take effect on calls that wait already.
func (s *Socket) SetReadDeadline(t Time) { s.setLimits(t, 0, true, false) }

// SetWriteDeadline is SetReadDeadline for sends and connects.
func (s *Socket) SetWriteDeadline(t Time) { s.setLimits(0, t, false, true) }

func (s *Socket) deadlines() *deadlines {
	if s.limits == nil {
		s.limits = &deadlines{socket: s}
	}
	return s.limits
}

// setLimits sets one or both deadlines; false when the socket is closed.
func (s *Socket) setLimits(r, w Time, read, write bool) (open bool) {
	s.instance.domain.Do(func() {
		if s.closed {
			return
		}
		open = true
		l := s.deadlines()
		if read {
			s.setLimitLocked(&l.read, &l.readPast, r)
		}
		if write {
			s.setLimitLocked(&l.write, &l.writePast, w)
		}
	})
	return open
}

func (s *Socket) setLimitLocked(tm *timer.Timer, past *bool, t Time) {
	in := s.instance
	in.CancelTimer(tm)
	*past = t != 0 && t <= in.domain.now
	if t != 0 && !*past {
		in.SetTimer(tm, t, s.limits)
	}
	s.Wake(ReadyIn | ReadyOut) // waiting calls look again
}

// Expire implements timer.Expirer.
func (l *deadlines) Expire(t *timer.Timer, _ Time) {
	if t == &l.read {
		l.readPast = true
		l.socket.Wake(ReadyIn)
		return
	}
	l.writePast = true
	l.socket.Wake(ReadyOut)
}

func (s *Socket) stopLimits() {
	if s.limits != nil {
		s.instance.CancelTimer(&s.limits.read)
		s.instance.CancelTimer(&s.limits.write)
	}
}

// expired reports a deadline that has passed for calls that wait for mask.
func (s *Socket) expired(mask Ready) error {
	l := s.limits
	if l == nil {
		return nil
	}
	if mask&ReadyIn != 0 && l.readPast || mask&ReadyOut != 0 && mask&ReadyIn == 0 && l.writePast {
		return ErrDeadline
	}
	return nil
}

// ErrDeadline is returned by a socket call whose deadline has passed. The net
// doors turn it into os.ErrDeadlineExceeded.
const ErrDeadline = deadlineError(0)

type deadlineError int

func (deadlineError) Error() string { return "deadline exceeded" }

func (deadlineError) Timeout() bool { return true }

func (deadlineError) Temporary() bool { return true }
