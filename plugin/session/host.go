package session

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
)

// Options say how a Session behaves.
type Options struct {
	// Name of the module, for the log.
	Name string
	// Lockstep has the stack wait for the module after every message: for
	// virtual time.
	Lockstep bool
	// Patience is how long the stack waits for an answer, and in real time how
	// long a module may show no life, before it counts as lost; 0 is
	// DefaultPatience. Time in which the stack itself did not run does not count.
	Patience time.Duration
	// Lost is told, once for each Link and on a goroutine of its own, why the module
	// at its other end is lost. By then the Session may have another Link.
	Lost func(Link, error)
	Log  *slog.Logger
}

// DefaultPatience is how long an answer may take.
const DefaultPatience = time.Second

// ErrLost is in every error by which a module is lost.
var ErrLost = errors.New("session: the module is lost")

// ErrUnloaded ends a session that is not needed any more: nobody is told of it as of
// a loss.
var ErrUnloaded = errors.New("session: the module was unloaded")

// ErrGone is why a module is lost whose end of the link is closed: whoever started
// its process knows more.
var ErrGone = errors.New("session: the module's process is gone")

// Stats count what a session carried.
type Stats struct {
	Sent          uint64 `json:"sent"` // messages to the module
	Received      uint64 `json:"received"`
	SentBytes     uint64 `json:"sent_bytes"`
	ReceivedBytes uint64 `json:"received_bytes"`
	Packets       uint64 `json:"packets"` // to the module, in Input and Send, and to devices
	Frames        uint64 `json:"frames"`  // from devices of the module
	Dropped       uint64 `json:"dropped"` // messages with packets that found no room on the way to the module
	Faults        uint64 `json:"faults"`  // breaches of the contract by the module
	Lost          uint64 `json:"lost"`    // times that the module was lost
	SocketsLost   uint64 `json:"sockets_lost"`
	Replaced      uint64 `json:"replaced"`  // times that another process took over while it was in use
	Decisions     uint64 `json:"decisions"` // of congestion controls
	Fallbacks     uint64 `json:"fallbacks"` // events that the fallback decided, since the module was away or slow
}

// Add adds the counts of another session.
func (s *Stats) Add(o Stats) {
	s.Sent += o.Sent
	s.Received += o.Received
	s.SentBytes += o.SentBytes
	s.ReceivedBytes += o.ReceivedBytes
	s.Dropped += o.Dropped
	s.Faults += o.Faults
	s.Lost += o.Lost
	s.SocketsLost += o.SocketsLost
	s.Replaced += o.Replaced
	s.Decisions += o.Decisions
	s.Fallbacks += o.Fallbacks
	s.Packets += o.Packets
	s.Frames += o.Frames
}

// Session is the stack's end of a module's work for the instances of one Domain.
// It outlives the module's process: what connects next goes on with it. But for
// Connect, Disconnect and Stats everything happens inside entries of the Domain.
type Session struct {
	o      Options
	domain *core.Domain
	link   Link // nil while the module is away
	stubs  []*Stub
	spare  [][]byte // told messages that wait for room, oldest first
	held   int      // bytes in spare

	working   bool // a pump is at work further up the stack
	unhandled int  // messages that the module has not finished, in lockstep
	pulse     pulse
	answer    []byte
	buffer    []byte
	stats     Stats
	life      uint64    // grows when the module knows nothing of what it was told before
	takeover  *takeover // under way

	controls    map[uint32]*judged // congestion controls, by the number of their connection
	lastControl uint32

	devices  []*Device // by number, nil where there is none
	admitted int       // frames of devices that this entry took
	starving bool      // see starve
}

// New makes the session of a Domain. It carries nothing until Connect.
func New(d *core.Domain, o Options) *Session {
	if o.Patience == 0 {
		o.Patience = DefaultPatience
	}
	if o.Log == nil {
		o.Log = d.Host().Log()
	}
	return &Session{o: o, domain: d}
}

// drainMost bounds the messages that one entry works on, and admitMost the frames
// of devices in them: the entry then carries them on before more come.
const (
	drainMost = 64
	admitMost = 256
)

// maxHeld bounds the bytes of told messages that wait for room: a module that
// takes nothing for that long is lost.
const maxHeld = 4 << 20

// Connect has the session go on over l, with a module that knows nothing yet: the
// handlers that are open are opened there. It owns l. The error is that of a
// module that does not answer.
func (s *Session) Connect(l Link) error {
	var err error
	s.domain.Do(func() {
		if s.link != nil {
			err = fmt.Errorf("session: %s is connected already", s.o.Name)
			return
		}
		s.link, s.unhandled, s.spare, s.held, s.pulse = l, 0, nil, 0, pulse{}
		mode := byte(modeStream)
		if s.o.Lockstep {
			mode = modeLockstep
		}
		s.post(append(begin(s.buffer, kindMode, 0, s.domain.Now()), mode))
		for _, st := range s.stubs {
			if st != nil && err == nil {
				err = st.greet()
			}
			if st != nil && err == nil {
				st.news()
			}
		}
		for _, d := range s.devices {
			if d != nil && err == nil {
				err = d.again()
			}
		}
	})
	if err != nil {
		s.lose(l, err)
		return err
	}
	if !s.o.Lockstep {
		go s.listen(l)
		go s.watch(l)
	}
	return nil
}

// listen brings what the module sends into the Domain.
func (s *Session) listen(l Link) {
	for {
		if err := l.Doze(time.Time{}); err != nil {
			s.lose(l, err)
			return
		}
		on := false
		s.domain.Do(func() {
			if on = s.link == l; on {
				s.take(drainMost)
			}
		})
		if !on {
			return
		}
	}
}

// Disconnect ends the link, if there is one. Sockets of connected handlers are
// lost with why.
func (s *Session) Disconnect(why error) {
	var l Link
	s.domain.Do(func() { l = s.link })
	if l != nil {
		s.lose(l, why)
	}
}

// Stats are the counts so far.
func (s *Session) Stats() Stats {
	var st Stats
	s.domain.Do(func() { st = s.stats })
	return st
}

// Idle tells whether nothing in the Domain has anything of the module.
func (s *Session) Idle() bool {
	idle := true
	s.domain.Do(func() {
		idle = len(s.controls) == 0 && !slices.ContainsFunc(s.stubs, func(st *Stub) bool { return st != nil })
		for _, d := range s.devices {
			idle = idle && d == nil
		}
	})
	return idle
}

// Connected tells whether a module is there.
func (s *Session) Connected() bool {
	there := false
	s.domain.Do(func() { there = s.link != nil })
	return there
}

// lose ends a link from outside of an entry.
func (s *Session) lose(l Link, why error) { s.domain.Do(func() { s.drop(l, why) }) }

// fail ends the link inside an entry: the module broke the contract, or is gone.
func (s *Session) fail(why error) { s.drop(s.link, why) }

// drop ends a link, unless that has happened, has the sockets of its handlers fail
// and tells who wants to know.
func (s *Session) drop(l Link, why error) {
	if l == nil || s.link != l {
		return
	}
	if t := s.takeover; t != nil && (l == t.other || t.done) {
		t.failed, s.link = why, nil
		return
	}
	s.link, s.unhandled, s.spare, s.held = nil, 0, nil, 0
	s.life++
	_ = l.Close()
	sockets := 0
	for _, st := range s.stubs {
		if st != nil {
			sockets += st.lost()
		}
	}
	for _, d := range s.devices {
		if d != nil {
			d.lost()
		}
	}
	s.stats.SocketsLost += uint64(sockets)
	if errors.Is(why, ErrUnloaded) && sockets == 0 {
		return
	}
	s.stats.Lost++
	s.o.Log.Warn("module lost", "module", s.o.Name, "error", why, "sockets", sockets)
	if s.o.Lost != nil && !errors.Is(why, ErrUnloaded) {
		go s.o.Lost(l, why)
	}
}

// post carries a message that needs no answer.
func (s *Session) post(msg []byte) {
	s.buffer = msg
	s.tell(remote.Finish(msg))
}

func (s *Session) tell(msg []byte) {
	if s.link == nil && s.takeover == nil {
		return
	}
	if s.takeover != nil && s.working {
		s.takeover.hold(msg)
		return
	}
	if s.link == nil || !s.send(msg) {
		return
	}
	if s.o.Lockstep && !s.working {
		s.pump(func() bool { return s.unhandled == 0 })
	}
}

// send puts msg on its way, or keeps it for later, or drops it if it carries
// packets; false if it is not on its way.
func (s *Session) send(msg []byte) bool {
	if s.flush() && s.link.Send(msg) {
		s.sent(msg)
		return true
	}
	switch {
	case s.o.Lockstep || s.takeover != nil: // nothing else fills the way
		if s.pump(func() bool { return s.link.Send(msg) }) {
			s.sent(msg)
			return true
		}
		return false
	case kind(msg) == remote.KindInput || kind(msg) == remote.KindSendOn:
		s.stats.Dropped++
		return false
	case s.held+len(msg) > maxHeld:
		s.fail(fmt.Errorf("%w: it takes no messages", ErrLost))
		return false
	}
	if s.held == 0 {
		s.again()
	}
	s.spare = append(s.spare, append([]byte(nil), msg...))
	s.held += len(msg)
	return false
}

func (s *Session) sent(msg []byte) {
	s.stats.Sent++
	s.stats.SentBytes += uint64(len(msg))
	s.unhandled++
}

// flush sends what waits for room and tells whether nothing does any more.
func (s *Session) flush() bool {
	for len(s.spare) > 0 {
		if !s.link.Send(s.spare[0]) {
			return false
		}
		s.sent(s.spare[0])
		s.held -= len(s.spare[0])
		s.spare = s.spare[1:]
	}
	return true
}

// again has what waits for room be tried soon.
func (s *Session) again() {
	l := s.link
	time.AfterFunc(time.Millisecond, func() {
		s.domain.Do(func() {
			if s.link == l && !s.flush() {
				s.again()
			}
		})
	})
}

// call carries msg and waits for its answer, nil if the module is lost.
func (s *Session) call(msg []byte) []byte {
	if s.link == nil {
		return nil
	}
	if s.working {
		s.fail(fmt.Errorf("%w: a call of kind %d while it is at work", ErrLost, kind(msg)))
		return nil
	}
	s.answer = s.answer[:0]
	on := func() bool { return s.flush() && s.link.Send(msg) }
	if !on() && !s.pump(on) {
		return nil
	}
	s.sent(msg)
	number := remote.Number(msg)
	ok := s.pump(func() bool {
		return len(s.answer) > 0 && remote.Number(s.answer) == number && (!s.o.Lockstep || s.unhandled == 0)
	})
	if !ok {
		return nil
	}
	return s.answer
}

// pump works on what the module sends until done; false if the module is lost.
// It waits inside the entry, for Patience at most, whatever the module sends
// meanwhile.
func (s *Session) pump(done func() bool) bool {
	outer := s.working
	s.working = true
	defer func() { s.working = outer }()
	var last time.Time
	var waited, idle time.Duration // since the beginning, since the last message
	for looks := 0; ; looks++ {
		if s.link == nil {
			return false
		}
		if done() {
			return true
		}
		if s.take(1) > 0 {
			idle = 0
		}
		if s.link == nil || looks&63 != 63 {
			continue
		}
		now := time.Now()
		if !last.IsZero() {
			step := min(now.Sub(last), longStep)
			waited, idle = waited+step, idle+step
			if s.takeover != nil {
				s.takeover.waited += step
			}
		}
		last = now
		switch {
		case waited > s.o.Patience:
			s.fail(fmt.Errorf("%w: no answer within %v", ErrLost, s.o.Patience))
			return false
		case idle > spinFor:
			select {
			case <-s.link.Done():
				if !s.link.Ready() {
					s.fail(ErrGone)
					return false
				}
			default:
			}
			time.Sleep(min(idle, time.Millisecond))
		default:
			runtime.Gosched()
		}
	}
}

// spinFor is how long a pump looks before it sleeps between looks. A step between
// two looks that took more than longStep is one in which the stack got no
// processor, so that the module may have got none either.
const (
	spinFor  = 50 * time.Microsecond
	longStep = 20 * time.Millisecond
)

// take works on up to most messages of the module and tells on how many.
func (s *Session) take(most int) int {
	s.admitted = 0
	for n := range most {
		if s.link == nil || s.admitted >= admitMost {
			return n
		}
		msg, err := s.link.Next()
		if err != nil {
			s.breach(err)
			return n
		}
		if msg == nil {
			return n
		}
		s.receive(msg)
	}
	return most
}

// receive works on one message of the module.
func (s *Session) receive(msg []byte) {
	s.stats.Received++
	s.stats.ReceivedBytes += uint64(len(msg))
	if len(msg) < remote.HeaderSize {
		s.breach(remote.ErrMessage)
		return
	}
	switch kind(msg) {
	case kindHandled:
		if s.unhandled--; s.unhandled < 0 || !s.o.Lockstep {
			s.breach(errors.New("session: more messages were worked on than were sent"))
		}
		return
	case kindPong:
		if !s.pulse.came() {
			s.breach(errors.New("session: a sign of life that nobody asked for"))
		}
		return
	case remote.KindAnswer:
		if !s.working || len(s.answer) > 0 {
			s.breach(errors.New("session: an answer that nobody waits for"))
			return
		}
		s.answer = append(s.answer[:0], msg...)
		return
	case kindDecide:
		if err := s.decide(msg); err != nil {
			s.breach(err)
		}
		return
	}
	if t := s.takeover; t != nil && s.link == t.other {
		if later, err := t.receive(msg); err != nil {
			s.breach(err)
			return
		} else if later {
			return
		}
	}
	n := remote.Number(msg)
	device := ofDevice(kind(msg))
	if device && (n >= len(s.devices) || s.devices[n] == nil) || !device && (n >= len(s.stubs) || s.stubs[n] == nil) {
		return // it ended while this was under way
	}
	outer := s.working
	s.working = true // what comes of it waits for the module to be done with what it is at
	var answer []byte
	if !device {
		answer = s.stubs[n].near.Handle(msg)
	} else if err := s.devices[n].handle(msg); err != nil {
		s.breach(err)
	}
	s.working = outer
	if answer != nil && s.link != nil {
		remote.SetNumber(answer, n)
		if err := s.link.Answer(answer, time.Now().Add(s.o.Patience)); err != nil {
			s.fail(fmt.Errorf("%w: it takes no answers: %w", ErrLost, err))
		}
	}
}

// breach ends a module that does not keep to the contract.
func (s *Session) breach(err error) {
	s.stats.Faults++
	s.fail(fmt.Errorf("%w: %w", ErrLost, err))
}
