package session

import (
	"fmt"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
)

// Stub is the handler that the core sees of a protocol in a module.
type Stub struct {
	near    remote.Near
	session *Session
	number  int
	name    string
	env     core.Env
	table   *sysctl.Table
	open    bool // the module knows it

	settings settings
	plan     *plan           // while the sockets are made again at another process
	before   []core.Counters // of processes before this one
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
	st.near.Failed, st.near.Heard = s.breach, st.heard
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

// news tells a module that came late what the handler would have heard before.
func (st *Stub) news() {
	if e, ok := st.env.(interface{ News() }); ok {
		e.News()
	}
}

// lost ends the handler's sockets.
func (st *Stub) lost() int {
	if !st.open {
		return 0
	}
	st.open = false
	st.settings.clear()
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

// Borrow implements remote.Lender.
func (p peer) Borrow() []byte { return p.st.session.borrow() }

// borrow is where the next message goes. While messages wait for room the place at
// the end of the way is theirs; in lockstep the module may speak before a message
// is on its way.
func (s *Session) borrow() []byte {
	if s.link == nil || len(s.spare) > 0 || s.o.Lockstep {
		return nil
	}
	return s.link.Borrow()
}

// Call implements remote.Peer.
func (p peer) Call(msg []byte) []byte {
	remote.SetNumber(msg, p.st.number)
	s := p.st.session
	if t := s.takeover; t != nil && t.isStep(kind(msg)) && t.tooLong() {
		return nil
	}
	return s.call(msg)
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
	st.settings.note(op)
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
	return add(st.near.Counters(), st.before)
}

// heard is told of the end of every operation; true if it is nobody else's.
func (st *Stub) heard(op *core.Op) bool {
	if st.plan != nil && st.plan.answered(op) {
		return true
	}
	st.settings.ended(op)
	return false
}

// add is what was counted now and before.
func add(now, before []core.Counters) []core.Counters {
	for _, b := range before {
		for _, n := range now {
			if n.Group != b.Group || !slices.Equal(n.Names, b.Names) {
				continue
			}
			for i := range n.Values {
				n.Values[i] += b.Values[i]
			}
		}
	}
	return now
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
