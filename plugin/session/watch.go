package session

import (
	"fmt"
	"time"
)

// pulse is what the watch of a link knows of the module. Messages are worked on
// in order, so that an answered question also says that everything before it was
// taken: an idle module that is stopped, a handler that does not return and a ring
// that nobody reads look the same.
type pulse struct {
	beat  int // since the link began
	asked int // beats since the question that is not answered, 0 if there is none
}

// A link is looked at beats times within Patience. A question goes out every
// askEvery beats and is answered before answerWithin more, so that a module that
// stops at the worst instant is noticed within Patience.
const (
	beats        = 8
	askEvery     = 2
	answerWithin = 5
)

// next tells, one beat later, whether to ask and whether an answer is overdue.
func (p *pulse) next() (ask, overdue bool) {
	p.beat++
	if p.asked > 0 {
		p.asked++
		return false, p.asked > answerWithin
	}
	if p.beat%askEvery != 0 {
		return false, false
	}
	p.asked = 1
	return true, false
}

// came takes an answer, false if there was no question.
func (p *pulse) came() bool {
	asked := p.asked > 0
	p.asked = 0
	return asked
}

// watch loses a module that shows no life. Beats are counted, not time: a stack
// that was stopped itself, or starved, has not waited.
func (s *Session) watch(l Link) {
	tick := time.NewTicker(max(s.o.Patience/beats, time.Microsecond))
	defer tick.Stop()
	for {
		select {
		case <-l.Done():
			return
		case <-tick.C:
		}
		on, overdue := false, false
		s.domain.Do(func() {
			if on = s.link == l; !on {
				return
			}
			var ask bool
			if ask, overdue = s.pulse.next(); ask {
				s.post(begin(s.buffer, kindPing, 0, s.domain.Now()))
			}
		})
		if !on || overdue && s.overdue(l) {
			return
		}
	}
}

// ringful is more messages than a ring has room for.
const ringful = 1 << 15

// overdue works on what has come, of which the answer may be a part that the
// stack did not get to, and loses the module if it is not.
func (s *Session) overdue(l Link) (lost bool) {
	for n := 0; n < ringful; n += drainMost {
		more := false
		s.domain.Do(func() {
			more = s.link == l && s.pulse.asked > 0 && s.take(drainMost) > 0
		})
		if !more {
			break
		}
	}
	s.domain.Do(func() {
		if lost = s.link != l; !lost && s.pulse.asked > 0 {
			lost = true
			s.fail(fmt.Errorf("%w: no sign of life within %v", ErrLost, s.o.Patience))
		}
	})
	return lost
}
