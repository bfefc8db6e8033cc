package session

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/remote"
)

// Messages about congestion controls. Each begins, after the header, with the
// number of a connection, which the stack chooses.
const (
	kindControlOpen remote.Kind = 224 + iota // to the module: the name of an algorithm
	kindControlEnd                           // to the module: the connection is over
	kindReport                               // to the module: what happened, and the window in force
	kindDecide                               // to the stack: the window
)

// How often a connection reports, in real time: once a round-trip time or once in
// so many acknowledgements, whichever is sooner (the idea of Narayan et al.,
// Restructuring Endpoint Congestion Control, SIGCOMM 2018). Whatever is no plain
// acknowledgement is reported at once.
const reportAcks = 16

// slowAfter is how long a module may take for a decision, if four round-trip times
// are less: then the fallback decides until it answers.
const slowAfter = 100 * time.Millisecond

// maxControls bounds the connections that a module decides for.
const maxControls = 1 << 20

// judged is the congestion control of one connection, which the module decides.
// In real time it does not wait: the last decision holds, and at signs of loss the
// fallback lowers the window at once.
type judged struct {
	session   *Session
	name      string
	id        uint32
	life      uint64 // of the module that knows it: that of the session at that time
	open      bool
	fallback  congestion.Control
	report    congestion.Event // gathering
	gathered  int              // acknowledgements in it
	reported  int64            // when the last one went
	asked     int64            // when the oldest one went that was not answered, 0: none
	decision  congestion.Decision
	decided   bool
	unlimited bool // an acknowledgement in report met a full window
}

// Algorithm is a congestion control of a module by its name. fallback decides
// while the module is away or slow.
func (s *Session) Algorithm(name string, fallback congestion.Algorithm) congestion.Algorithm {
	return congestion.Algorithm{Name: name, New: func() congestion.Control {
		return &judged{session: s, name: name, fallback: fallback.New()}
	}}
}

// Event implements congestion.Control.
func (c *judged) Event(e *congestion.Event, d *congestion.Decision) {
	if !c.begin(e) {
		c.fallback.Event(e, d)
		c.session.stats.Fallbacks++
		return
	}
	if c.session.o.Lockstep {
		c.decided = false
		c.send(e, d)
		if !c.take(d) {
			c.fallback.Event(e, d)
			c.session.stats.Fallbacks++
		}
		return
	}
	took := c.take(d)
	if e.Kind != congestion.Ack {
		c.flush(e, d)
		c.send(e, d)
		c.fallback.Event(e, d) // now; what the module says to it holds from then on
		return
	}
	c.gather(e)
	slow := c.asked != 0 && e.Now-c.asked > max(int64(slowAfter), 4*e.SRTT)
	if c.gathered >= reportAcks || e.Now-c.reported >= e.SRTT {
		c.flush(e, d)
	}
	if slow && !took {
		c.fallback.Event(e, d)
		c.session.stats.Fallbacks++
	}
}

// begin opens the connection at the module, which may be another than before;
// false if there is none.
func (c *judged) begin(e *congestion.Event) bool {
	s := c.session
	if s.link == nil {
		return false
	}
	if c.open && c.life == s.life {
		return true
	}
	if c.id == 0 {
		if len(s.controls) >= maxControls {
			return false
		}
		if s.controls == nil {
			s.controls = make(map[uint32]*judged)
		}
		for c.id == 0 || s.controls[c.id] != nil {
			s.lastControl++
			c.id = s.lastControl
		}
		s.controls[c.id] = c
	}
	c.open, c.life, c.asked, c.decided, c.gathered, c.reported = true, s.life, 0, false, 0, e.Now
	s.post(appendName(c.message(kindControlOpen), c.name))
	return s.link != nil
}

func (c *judged) message(k remote.Kind) []byte {
	return binary.LittleEndian.AppendUint32(begin(c.session.buffer, k, 0, c.session.domain.Now()), c.id)
}

// take puts the module's newest decision into d, if there is one.
func (c *judged) take(d *congestion.Decision) bool {
	if !c.decided {
		return false
	}
	*d, c.decided = c.decision, false
	return true
}

// gather adds an acknowledgement to the report that is being made.
func (c *judged) gather(e *congestion.Event) {
	r := c.report
	c.report = *e
	if c.gathered > 0 {
		c.report.Acked += r.Acked
		c.report.Lost += r.Lost
		c.report.Marked += r.Marked
		c.report.InFlight = max(e.InFlight, r.InFlight)
		if e.LastRTT == 0 {
			c.report.LastRTT = r.LastRTT
		}
	} else {
		c.unlimited = false
	}
	c.unlimited = c.unlimited || !e.AppLimited
	c.report.AppLimited = !c.unlimited
	c.gathered++
}

// flush sends what was gathered.
func (c *judged) flush(e *congestion.Event, d *congestion.Decision) {
	if c.gathered > 0 {
		c.gathered = 0
		c.send(&c.report, d)
	}
	c.reported = e.Now
}

func (c *judged) send(e *congestion.Event, d *congestion.Decision) {
	if c.asked == 0 {
		c.asked = e.Now
	}
	b := c.message(kindReport)
	at := len(b)
	b = append(b, make([]byte, congestion.EventSize+congestion.DecisionSize)...)
	ev := *e
	ev.Cwnd, ev.Ssthresh = d.Cwnd, d.Ssthresh
	ev.Encode(b[at:])
	d.Encode(b[at+congestion.EventSize:])
	c.session.post(b)
}

// End implements congestion.Ender.
func (c *judged) End() {
	if c.id == 0 {
		return
	}
	delete(c.session.controls, c.id)
	if c.open && c.life == c.session.life {
		c.session.post(c.message(kindControlEnd))
	}
	c.open, c.id = false, 0
}

var errDecision = errors.New("session: a decision that makes no sense")

// decide takes a module's decision. A window of zero, or one beyond what sequence
// numbers can hold, makes no sense.
func (s *Session) decide(msg []byte) error {
	_, _, r, err := remote.Open(msg)
	id := r.Uint32()
	b := r.Bytes(congestion.DecisionSize)
	if err = errors.Join(err, r.End()); err != nil {
		return err
	}
	var d congestion.Decision
	if !d.Decode(b) || d.Cwnd == 0 || d.Cwnd > congestion.Infinite || d.Ssthresh > congestion.Infinite {
		return errDecision
	}
	if c := s.controls[id]; c != nil && c.life == s.life {
		c.decision, c.decided, c.asked = d, true, 0
		s.stats.Decisions++
	}
	return nil
}

// judges are the congestion controls of a module by connection.
type judges struct {
	byID     map[uint32]congestion.Control
	event    congestion.Event
	decision congestion.Decision
}

// judge works on a message about a congestion control; false if it is of another
// kind.
func (s *Server) judge(k remote.Kind, r *remote.Reader) (mine bool, err error) {
	if k < kindControlOpen || k > kindReport {
		return false, nil
	}
	j := &s.judges
	id := r.Uint32()
	switch k {
	case kindControlOpen:
		name := string(r.Block(maxName))
		if err := r.End(); err != nil {
			return true, err
		}
		for i := range s.protocols {
			if p := &s.protocols[i]; p.Control != nil && p.Name == name {
				if j.byID == nil {
					j.byID = make(map[uint32]congestion.Control)
				}
				j.byID[id] = p.Control()
				return true, nil
			}
		}
		return true, errors.New("session: the module has no congestion control " + name)
	case kindControlEnd:
		delete(j.byID, id)
	case kindReport:
		e, d := r.Bytes(congestion.EventSize), r.Bytes(congestion.DecisionSize)
		c := j.byID[id]
		if r.End() != nil || !j.event.Decode(e) || !j.decision.Decode(d) || c == nil {
			return true, remote.ErrMessage
		}
		c.Event(&j.event, &j.decision)
		b := binary.LittleEndian.AppendUint32(begin(s.buffer, kindDecide, 0, s.now), id)
		at := len(b)
		b = append(b, make([]byte, congestion.DecisionSize)...)
		j.decision.Encode(b[at:])
		s.buffer = b
		s.send(remote.Finish(b))
	}
	return true, r.End()
}
