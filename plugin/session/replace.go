package session

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/plugin/control"
)

// Move is a session that is to go on with another process of its module.
type Move struct {
	Session *Session
	Link    Link // to that process, which knows nothing yet
}

// ReplaceOptions say what a Replace may cost.
type ReplaceOptions struct {
	// Force goes on although connections are lost by it: those whose protocol cannot
	// hand them over fail with ECONNRESET.
	Force bool
}

// savesSince is the version of the contract from which on a handler can be asked to
// save and to restore.
const savesSince = 2

// contract is the version of the contract that the other end of l speaks: it was
// agreed on when that process started.
func contract(l Link) int {
	if v, ok := l.(interface{ Contract() int }); ok {
		return v.Contract()
	}
	return control.Contract
}

// ErrTakeOver is in every error of Replace after which all goes on as before.
var ErrTakeOver = errors.New("session: the other process does not take over")

// Replace has sessions go on with another process, all of them or none. It owns the
// links. Each Domain stands still meanwhile: what its sockets are asked waits and
// is done by the other process, what the old one was given is done by it. lost is
// how many sockets the other could not make its own: they fail with ECONNRESET.
//
// After an error everything is as before, unless the old process was lost meanwhile.
func Replace(moves []Move, o ReplaceOptions) (lost int, err error) {
	for _, m := range moves {
		if err = m.Session.probe(m.Link); err != nil {
			break
		}
	}
	if err == nil {
		lost, err = move(moves, o)
	}
	if err != nil {
		for _, m := range moves {
			_ = m.Link.Close()
		}
	}
	return lost, err
}

// move takes over the first session inside an entry of its Domain, and the others
// within that, so that each can still go back when the last one fails.
func move(moves []Move, o ReplaceOptions) (lost int, err error) {
	if len(moves) == 0 {
		return 0, nil
	}
	s := moves[0].Session
	s.domain.Do(func() {
		t := &takeover{s: s, old: s.link, other: moves[0].Link, force: o.Force}
		if err = t.run(); err == nil {
			lost, err = move(moves[1:], o)
		}
		if err != nil {
			t.undo()
			return
		}
		lost += t.commit()
	})
	return lost, err
}

// probe begins a session with the process at the other end of l and waits for a
// sign of life. No entry waits meanwhile.
func (s *Session) probe(l Link) error {
	deadline := time.Now().Add(s.o.Patience)
	mode, signs := byte(modeStream), 1
	if s.o.Lockstep {
		mode, signs = modeLockstep, 3 // the ends of both messages, too
	}
	for _, msg := range [][]byte{append(begin(nil, kindMode, 0, 0), mode), begin(nil, kindPing, 0, 0)} {
		if !l.Send(remote.Finish(msg)) {
			return fmt.Errorf("%w: it has no room for a message", ErrTakeOver)
		}
	}
	for signs > 0 {
		msg, err := l.Next()
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", ErrTakeOver, err)
		case msg != nil && len(msg) >= remote.HeaderSize && (kind(msg) == kindPong || kind(msg) == kindHandled):
			signs--
		case msg != nil:
			return fmt.Errorf("%w: it says something before it is asked", ErrTakeOver)
		default:
			if err := l.Doze(deadline); err != nil {
				return fmt.Errorf("%w: no sign of life within %v: %w", ErrTakeOver, s.o.Patience, err)
			}
		}
	}
	return nil
}

// takeover is one session on its way to another process. Everything happens in one
// entry of the Domain.
type takeover struct {
	s          *Session
	old, other Link
	force      bool
	plans      []plan
	held       [][]byte  // told meanwhile: for whoever goes on
	holding    int       // bytes in held
	deferred   [][]byte  // told by the other process: done when it has taken over
	bytes      int       // in deferred, and in what it sent and spawned
	unhandled  int       // of the old
	pulse      pulse     // of the old
	moved      bool      // the session is at the other process
	done       bool      // and stays there: what the old one does now does not matter
	shut       []*Device // closed by the old process
	opened     []*Device // by the other
	failed     error     // of the other process
	waited     time.Duration
	slow       error // it waited for too long, or held too much
}

// takeOverTimes is how many times Patience a takeover waits altogether: each answer may
// come in time and all of them take forever, while the Domain stands still.
const takeOverTimes = 4

// isStep tells whether a call to a handler is one of those of which a takeover is made.
func (t *takeover) isStep(k remote.Kind) bool {
	return k == remote.KindSave || k == remote.KindHello || k == remote.KindRestore
}

// tooLong tells whether there is no time for another step, and gives up the other
// process then.
func (t *takeover) tooLong() bool {
	if most := takeOverTimes * t.s.o.Patience; t.waited > most && t.slow == nil {
		t.slow = fmt.Errorf("it took longer than %v: what the handler saves is too much, or a process is too slow", most)
		if t.s.link == t.other {
			t.s.fail(t.slow)
		}
	}
	return t.slow != nil
}

// plan is what one handler goes over with.
type plan struct {
	st       *Stub
	saved    bool
	state    []byte
	counters []core.Counters
	standing []core.Standing
	asked    map[uint32]asked // by tag
	lost     map[core.SocketID]bool
}

// standingEnv is what a takeover needs of the Env of a handler.
type standingEnv interface {
	Standing() []core.Standing
	Abandon(id core.SocketID, why syscall.Errno)
	ClearTimers()
	News()
	Tag() uint32
}

var errNoStanding = errors.New("session: the handler's sockets are not known here")

// run brings the other process to where the old one is, and leaves the session at
// the other, without any effect on the stack yet.
func (t *takeover) run() error {
	s := t.s
	if t.old == nil {
		return fmt.Errorf("%w: %s is being started again", ErrTakeOver, s.o.Name)
	}
	if s.working {
		return fmt.Errorf("%w: %s is at work", ErrTakeOver, s.o.Name)
	}
	if !t.drain() {
		return fmt.Errorf("%w: the old process ended meanwhile", ErrLost)
	}
	s.takeover = t
	for _, st := range s.stubs {
		if st == nil || !st.open {
			continue
		}
		p, err := t.plan(st)
		if s.link == nil {
			return fmt.Errorf("%w: the old process ended meanwhile", ErrLost)
		}
		if err != nil {
			if t.slow != nil {
				err = fmt.Errorf("%w: %s: %w", ErrTakeOver, st.name, t.slow)
			}
			return err
		}
		t.plans = append(t.plans, p)
	}
	if t.slow != nil {
		return fmt.Errorf("%w: %w", ErrTakeOver, t.slow)
	}
	t.moved, t.unhandled, t.pulse = true, s.unhandled, s.pulse
	s.link, s.unhandled, s.pulse = t.other, 0, pulse{}
	for i := range t.plans {
		p := &t.plans[i]
		err := t.open(p)
		if t.failed != nil {
			err = t.failed
		}
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrTakeOver, p.st.name, err)
		}
	}
	return t.openDevices()
}

// drain waits until the old process has worked on all that it was given.
func (t *takeover) drain() bool {
	s := t.s
	if !s.pump(s.flush) {
		return false
	}
	if s.o.Lockstep {
		return s.pump(func() bool { return s.unhandled == 0 })
	}
	// The answer to a question that is under way says nothing of what came after it.
	return s.pump(func() bool { return s.flush() && s.pulse.asked == 0 }) && t.barrier()
}

// barrier waits until the process has worked on all that it was given, in real time.
func (t *takeover) barrier() bool {
	s := t.s
	if s.o.Lockstep {
		return s.link != nil // every message was waited for
	}
	s.pulse.asked = 1
	s.post(begin(s.buffer, kindPing, 0, s.domain.Now()))
	return s.pump(func() bool { return s.flush() && s.pulse.asked == 0 })
}

// plan has the old process tell what the other needs to go on.
func (t *takeover) plan(st *Stub) (p plan, err error) {
	env, ok := st.env.(standingEnv)
	if !ok {
		return p, errNoStanding
	}
	p = plan{st: st, standing: env.Standing(), lost: make(map[core.SocketID]bool)}
	if contract(t.old) >= savesSince && contract(t.other) >= savesSince {
		if p.state, p.saved, err = st.near.Save(); err != nil {
			return p, fmt.Errorf("%w: %s: %w", ErrTakeOver, st.name, err)
		}
	}
	if !p.saved {
		p.counters = st.Counters()
		err = t.refuse(&p, nil)
	}
	return p, err
}

// refuse is an error if connections would be lost that nobody gave up.
func (t *takeover) refuse(p *plan, why error) error {
	n := 0
	for _, x := range p.standing {
		if x.Connection {
			n++
		}
	}
	if n == 0 || t.force {
		return nil
	}
	if why == nil {
		why = errors.New("its running version cannot hand over connections (it has no core.Saver)")
	}
	return fmt.Errorf("%w: %d connections of %s would be lost: %w: close them, or give them up (--force): %w", ErrTakeOver, n, p.st.name, why, syscall.EBUSY)
}

// open makes the handler at the other process.
func (t *takeover) open(p *plan) error {
	if err := p.st.greet(); err != nil {
		return err
	}
	if p.saved {
		err := p.st.near.Restore(p.state)
		if err == nil || t.failed != nil {
			return err
		}
		if err := t.refuse(p, err); err != nil {
			return err
		}
		p.saved = false // a new one, which knows nothing
		p.st.near.Close()
		if err := p.st.greet(); err != nil {
			return err
		}
	}
	return t.repeat(p)
}

// receive takes a message of the other process meanwhile; true if it is for later.
// Calls are answered at once, and the end of what it was asked is noted.
func (t *takeover) receive(msg []byte) (later bool, err error) {
	k, _, _, err := remote.Open(msg)
	if err != nil {
		return false, err
	}
	switch k {
	case remote.KindRoute, remote.KindDone, remote.KindLog:
		return false, nil
	case remote.KindOutput, remote.KindSpawn: // the stack keeps what comes of them: to its own addresses until the entry ends
		if t.bytes += len(msg); t.bytes > maxHeld {
			return false, errSays
		}
		return false, nil
	case remote.KindDeliver, remote.KindUnreachable, remote.KindNotify, remote.KindSetTimer, remote.KindReport, remote.KindSendFailed, remote.KindOutputOn:
		if t.bytes += len(msg); t.bytes > maxHeld {
			return false, errSays
		}
		t.deferred = append(t.deferred, append([]byte(nil), msg...))
		return true, nil
	}
	return false, remote.ErrMessage
}

var errSays = fmt.Errorf("it says more than %d bytes while it takes over", maxHeld)

var errHolds = fmt.Errorf("it causes more than %d bytes of messages while it takes over", maxHeld)

// hold keeps a message that the stack tells meanwhile, of what a process causes:
// beyond maxHeld packets are dropped, and the process that speaks is given up.
func (t *takeover) hold(msg []byte) {
	s := t.s
	if t.holding+len(msg) > maxHeld {
		packets := kind(msg) == remote.KindInput || kind(msg) == remote.KindSendOn
		switch {
		case s.link != nil && s.link == t.other:
			s.fail(errHolds)
		case s.link != nil && !packets:
			s.fail(fmt.Errorf("%w: %w", ErrLost, errHolds))
		case t.slow == nil:
			t.slow = errHolds
		}
		if packets {
			s.stats.Dropped++
			return
		}
		if t.holding > 2*maxHeld { // whatever it was, nobody is there who says more
			return
		}
	}
	t.holding += len(msg)
	t.held = append(t.held, append([]byte(nil), msg...))
}

// undo has the old process go on.
func (t *takeover) undo() {
	s := t.s
	if s.takeover != t {
		return
	}
	if t.moved {
		t.giveBack()
	}
	s.takeover = nil
	for i := range t.plans {
		t.plans[i].st.plan = nil
	}
	if t.moved {
		s.link, s.unhandled, s.pulse = t.old, t.unhandled, t.pulse
	}
	t.release()
	t.reopen()
}

// release sends what was held on to whoever goes on.
func (t *takeover) release() {
	for _, msg := range t.held {
		t.s.tell(msg)
	}
	t.held, t.holding = nil, 0
}

// commit has the other process go on, and ends the old link. It returns how many
// sockets are lost by that.
func (t *takeover) commit() (lost int) {
	s := t.s
	t.done = true
	t.remains()
	s.takeover = nil
	s.life++ // congestion controls begin again
	s.stats.Replaced++
	_ = t.old.Close()
	for i := range t.plans {
		lost += t.plans[i].commit()
	}
	s.stats.SocketsLost += uint64(lost)
	for _, msg := range t.deferred {
		if s.link != nil {
			s.receive(msg)
		}
	}
	for i := range t.plans {
		t.plans[i].resume()
	}
	t.release()
	t.connect()
	if s.link != nil && !s.o.Lockstep {
		go s.listen(s.link)
		go s.watch(s.link)
	}
	return lost
}
