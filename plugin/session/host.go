package session

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
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
	// Lost is told, once for each Link and on a goroutine of its own, why a module
	// is lost.
	Lost func(error)
	Log  *slog.Logger
}

// DefaultPatience is how long an answer may take.
const DefaultPatience = time.Second

// ErrLost is in every error by which a module is lost.
var ErrLost = errors.New("session: the module is lost")

// Stats count what a session carried.
type Stats struct {
	Sent          uint64 `json:"sent"` // messages to the module
	Received      uint64 `json:"received"`
	SentBytes     uint64 `json:"sent_bytes"`
	ReceivedBytes uint64 `json:"received_bytes"`
	Packets       uint64 `json:"packets"` // to the module, in Input and Send
	Dropped       uint64 `json:"dropped"` // messages with packets that found no room on the way to the module
	Faults        uint64 `json:"faults"`  // breaches of the contract by the module
	Lost          uint64 `json:"lost"`    // times that the module was lost
	SocketsLost   uint64 `json:"sockets_lost"`
	Decisions     uint64 `json:"decisions"` // of congestion controls
	Fallbacks     uint64 `json:"fallbacks"` // events that the fallback decided, since the module was away or slow
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

	controls    map[uint32]*judged // congestion controls, by the number of their connection
	lastControl uint32
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

// drainMost bounds the messages that one entry works on.
const drainMost = 64

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

// Connected tells whether a module is there.
func (s *Session) Connected() bool {
	there := false
	s.domain.Do(func() { there = s.link != nil })
	return there
}

// lose ends a link from outside of an entry.
func (s *Session) lose(l Link, why error) {
	lost := false
	s.domain.Do(func() { lost = s.drop(l, why) })
	if lost && s.o.Lost != nil {
		go s.o.Lost(why)
	}
}

// fail ends the link inside an entry: the module broke the contract, or is gone.
func (s *Session) fail(why error) {
	if l := s.link; s.drop(l, why) && s.o.Lost != nil {
		go s.o.Lost(why)
	}
}

// drop ends a link and has the sockets of its handlers fail.
func (s *Session) drop(l Link, why error) bool {
	if l == nil || s.link != l {
		return false
	}
	s.link, s.unhandled, s.spare, s.held = nil, 0, nil, 0
	s.stats.Lost++
	_ = l.Close()
	sockets := 0
	for _, st := range s.stubs {
		if st != nil {
			sockets += st.lost()
		}
	}
	s.stats.SocketsLost += uint64(sockets)
	s.o.Log.Warn("module lost", "module", s.o.Name, "error", why, "sockets", sockets)
	return true
}

// post carries a message that needs no answer.
func (s *Session) post(msg []byte) {
	s.buffer = msg
	s.tell(remote.Finish(msg))
}

func (s *Session) tell(msg []byte) {
	if s.link == nil {
		return
	}
	if !s.send(msg) {
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
	case s.o.Lockstep: // nothing else fills the way
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
					s.fail(fmt.Errorf("%w: its process is gone", ErrLost))
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
	for n := range most {
		if s.link == nil {
			return n
		}
		msg, err := s.link.Next()
		if err != nil {
			s.stats.Faults++
			s.fail(fmt.Errorf("%w: %w", ErrLost, err))
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
	n := remote.Number(msg)
	if n >= len(s.stubs) || s.stubs[n] == nil {
		return // it ended while this was under way
	}
	outer := s.working
	s.working = true // what comes of it waits for the module to be done with what it is at
	answer := s.stubs[n].near.Handle(msg)
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

// Stub is the handler that the core sees of a protocol in a module.
type Stub struct {
	near    remote.Near
	session *Session
	number  int
	name    string
	env     core.Env
	table   *sysctl.Table
	open    bool // the module knows it
}

// Protocol is the entry of a protocol that a module serves: description without
// New and NewHandler, and its table of settings, nil if it has none.
func (s *Session) Protocol(description core.Protocol, table *sysctl.Table) core.ProtocolEntry {
	p := description
	p.New = nil
	p.NewHandler = func(env core.Env) core.Handler { return s.stub(p.Name, env, table) }
	return core.ProtocolEntry{Protocol: p, Sysctls: table}
}

func (s *Session) stub(name string, env core.Env, table *sysctl.Table) core.Handler {
	st := &Stub{session: s, name: name, env: env, table: table, number: -1}
	for i, x := range s.stubs {
		if x == nil {
			st.number = i
			s.stubs[i] = st
			break
		}
	}
	if st.number < 0 {
		st.number = len(s.stubs)
		s.stubs = append(s.stubs, st)
	}
	st.near.Failed = s.breach
	st.near.Ahead = !s.o.Lockstep
	st.near.Prepare(env, table)
	if s.link != nil {
		if err := st.greet(); err != nil && s.link != nil {
			s.fail(err)
		}
	}
	return st
}

// greet opens the handler at the module.
func (st *Stub) greet() error {
	s := st.session
	s.post(appendName(begin(s.buffer, kindOpen, st.number, s.domain.Now()), st.name))
	if err := st.near.Greet(peer{st}); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrLost, st.name, err)
	}
	st.open = true
	return nil
}

// lost ends the handler's sockets.
func (st *Stub) lost() int {
	if !st.open {
		return 0
	}
	st.open = false
	if e, ok := st.env.(interface{ Lost(syscall.Errno) int }); ok {
		return e.Lost(syscall.ENETDOWN)
	}
	return 0
}

// peer is the way of one handler's messages.
type peer struct{ st *Stub }

// Post implements remote.Peer.
func (p peer) Post(msg []byte) {
	remote.SetNumber(msg, p.st.number)
	p.st.session.tell(msg)
}

// Borrow implements remote.Lender. While messages wait for room the place at the
// end of the way is theirs; in lockstep the module may speak before a message is
// on its way.
func (p peer) Borrow() []byte {
	s := p.st.session
	if s.link == nil || len(s.spare) > 0 || s.o.Lockstep {
		return nil
	}
	return s.link.Borrow()
}

// Call implements remote.Peer.
func (p peer) Call(msg []byte) []byte {
	remote.SetNumber(msg, p.st.number)
	return p.st.session.call(msg)
}

// Input implements core.Handler.
func (st *Stub) Input(batch []*core.Packet) {
	if !st.open {
		free(batch)
		return
	}
	st.session.stats.Packets += uint64(len(batch))
	st.near.Input(batch)
}

// Error implements core.Handler.
func (st *Stub) Error(e *core.ErrorReport) {
	if st.open {
		st.near.Error(e)
	}
}

// Timer implements core.Handler.
func (st *Stub) Timer(token uint64) {
	if st.open {
		st.near.Timer(token)
	}
}

// Event implements core.Handler.
func (st *Stub) Event(e *core.Event) {
	if st.open {
		st.near.Event(e)
	}
}

// Control implements core.Handler.
func (st *Stub) Control(op *core.Op) {
	if !st.open {
		op.Err, op.Done = syscall.ENETDOWN, true
		return
	}
	st.near.Control(op)
	if !st.open && !op.Done { // lost meanwhile
		op.Err, op.Done = syscall.ENETDOWN, true
	}
}

// Send implements core.Handler.
func (st *Stub) Send(id core.SocketID, batch []*core.Packet) error {
	if !st.open {
		free(batch)
		return syscall.ENETDOWN
	}
	st.session.stats.Packets += uint64(len(batch))
	err := st.near.Send(id, batch)
	if !st.open {
		return syscall.ENETDOWN
	}
	return err
}

// Counters implements core.Handler.
func (st *Stub) Counters() []core.Counters {
	if !st.open {
		return nil
	}
	return st.near.Counters()
}

// Close implements core.Handler.
func (st *Stub) Close() {
	if st.open {
		st.near.Close()
	}
	st.open = false
	st.session.stubs[st.number] = nil
}

func free(batch []*core.Packet) {
	for _, p := range batch {
		p.Free()
	}
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
	s.Decisions += o.Decisions
	s.Fallbacks += o.Fallbacks
	s.Packets += o.Packets
}
