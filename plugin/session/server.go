package session

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/core/sysctl"
)

// Served is a protocol, a congestion control or a device kind that a module serves.
type Served struct {
	Name    string
	Open    func(core.Env) core.Handler
	Sysctls *sysctl.Table // nil if it has none
	// Control makes the state of a connection, of a congestion control; the rest
	// is nil then.
	Control func() congestion.Control
	// Device opens a device of this kind; the rest is nil then.
	Device func(parameters map[string]string) (core.Device, error)
}

// Server is the module's end of a session. Everything happens in Serve, but for
// what devices do in real time.
type Server struct {
	link      Link
	protocols []Served
	domain    *core.Domain
	handlers  map[int]*far
	lockstep  bool
	now       core.Time
	clock     atomic.Int64 // now, for devices
	sending   sync.Mutex   // one sends at a time
	state     sync.Mutex   // guards err and the Domains of devices that go on
	err       error        // a breach that ends the session
	log       *slog.Logger
	buffer    []byte
	visit     func()
	current   *far
	message   []byte
	answer    []byte
	judges    judges
	devices   devices
}

// far is one handler with its end of the messages.
type far struct {
	remote.Far
	server   *Server
	number   int
	instance *core.Instance
}

// Serve works for the stack at the other end of l until that is gone, which is no
// error, or breaks the contract. It owns l.
func Serve(l Link, protocols []Served, log *slog.Logger) error {
	s := newServer(l, protocols, log)
	defer s.close()
	for s.breach() == nil {
		msg, err := l.Next()
		if err != nil {
			return err
		}
		if msg == nil {
			if err := l.Doze(time.Time{}); err != nil {
				return nil // the stack is gone
			}
			continue
		}
		s.receive(msg)
	}
	return s.breach()
}

// breach is what ends the session, nil so far.
func (s *Server) breach() error {
	s.state.Lock()
	defer s.state.Unlock()
	return s.err
}

func newServer(l Link, protocols []Served, log *slog.Logger) *Server {
	s := &Server{link: l, protocols: protocols, handlers: make(map[int]*far), log: log}
	s.devices.byNumber = make(map[int]*device)
	s.domain = core.NewDomain(quiet{s}, core.DomainOptions{})
	s.visit = func() { s.answer = s.current.Handle(s.message) }
	return s
}

func (s *Server) close() {
	s.link.Close()
	for _, f := range s.handlers {
		_ = f.instance.Close() // what the handler held dies with it
	}
	for _, d := range s.devices.byNumber {
		_ = d.close()
	}
	_ = s.domain.Close()
}

func (s *Server) fail(err error) {
	s.state.Lock()
	defer s.state.Unlock()
	if s.err == nil {
		s.err = err
	}
}

func (s *Server) receive(msg []byte) {
	k, now, r, err := remote.Open(msg)
	if err != nil {
		s.fail(err)
		return
	}
	s.now = max(s.now, now)
	s.clock.Store(int64(s.now))
	switch k {
	case kindMode:
		s.lockstep = r.Uint8(modeLockstep) == modeLockstep
		err = r.End()
	case kindOpen:
		name := string(r.Block(maxName))
		if err = r.End(); err == nil {
			err = s.open(remote.Number(msg), name)
		}
	case kindPing:
		if err = r.End(); err == nil {
			s.send(remote.Finish(begin(s.buffer, kindPong, 0, s.now)))
		}
	default:
		var mine bool
		if mine, err = s.judge(k, &r); !mine {
			mine, err = s.device(k, msg, &r)
		}
		if !mine {
			err = s.pass(k, msg)
		}
	}
	if err != nil {
		s.fail(err)
	}
	if s.lockstep {
		s.settle()
		s.send(remote.Finish(begin(s.buffer, kindHandled, 0, s.now)))
	}
}

// open makes the end of one more handler.
func (s *Server) open(number int, name string) error {
	if s.handlers[number] != nil {
		return fmt.Errorf("session: handler %d is opened twice", number)
	}
	for i := range s.protocols {
		p := &s.protocols[i]
		if p.Name != name || p.Open == nil {
			continue
		}
		in, err := core.New(core.Options{Name: fmt.Sprint(name, " ", number), Domain: s.domain, Wiring: &core.Wiring{Name: name}})
		if err != nil {
			return err
		}
		f := &far{server: s, number: number, instance: in}
		f.Failed, f.Ahead = s.fail, !s.lockstep
		f.Start(in, p.Open, p.Sysctls, toStack{f})
		s.handlers[number] = f
		return nil
	}
	return fmt.Errorf("session: the module has no protocol %q", name)
}

// pass has a handler work on a message.
func (s *Server) pass(k remote.Kind, msg []byte) error {
	f := s.handlers[remote.Number(msg)]
	if (k == remote.KindSave || k == remote.KindRestore) && contract(s.link) < savesSince {
		return fmt.Errorf("session: message %d, of version %d of the contract: version %d was agreed on", k, savesSince, contract(s.link))
	}
	if f == nil {
		return fmt.Errorf("session: message %d for handler %d, which is not open", k, remote.Number(msg))
	}
	s.current, s.message = f, msg
	s.domain.Do(s.visit)
	if s.answer != nil {
		remote.SetNumber(s.answer, f.number)
		s.send(s.answer)
	}
	if k == remote.KindClose {
		delete(s.handlers, f.number)
		if err := f.instance.Close(); err != nil {
			s.log.Error("a handler ended and left memory", "error", err)
		}
	}
	return nil
}

// send waits for room: the stack must take what it caused.
func (s *Server) send(msg []byte) {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.sendLocked(msg)
}

func (s *Server) sendLocked(msg []byte) {
	for !s.link.Send(msg) {
		if err := s.link.Room(time.Time{}); err != nil {
			s.fail(err)
			return
		}
	}
}

// toStack is the way of one handler's messages.
type toStack struct{ f *far }

// Post implements remote.Peer.
func (p toStack) Post(msg []byte) {
	remote.SetNumber(msg, p.f.number)
	p.f.server.send(msg)
}

// Borrow implements remote.Lender. Where devices send whenever they want the place
// may be theirs before it is used.
func (p toStack) Borrow() []byte {
	if len(p.f.server.devices.byNumber) > 0 {
		return nil
	}
	return p.f.server.link.Borrow()
}

// Call implements remote.Peer.
func (p toStack) Call(msg []byte) []byte {
	s := p.f.server
	remote.SetNumber(msg, p.f.number)
	s.send(msg)
	answer, err := s.link.WaitAnswer(time.Time{})
	if err != nil {
		s.fail(err)
		return nil
	}
	return answer
}

// quiet drives the Domain of a module: its clock is what the stack said last, and
// nothing in it waits.
type quiet struct{ s *Server }

var errNoTasks = errors.New("session: nobody waits in a module")

// Now implements core.Host.
func (h quiet) Now() core.Time { return h.s.now }

// WallNow implements core.Host.
func (h quiet) WallNow() time.Time { return time.Unix(0, int64(h.s.now)) }

// Time implements core.Host.
func (h quiet) Time(t time.Time) core.Time { return core.Time(t.UnixNano()) }

// Arm implements core.Host: the Domain has no timers.
func (h quiet) Arm(*core.Domain, core.Time) {}

// Defer implements core.Host: no frames travel in the Domain.
func (h quiet) Defer(*core.Domain) {}

// Start implements core.Host.
func (h quiet) Start(string, func()) {}

// Park implements core.Host.
func (h quiet) Park(*core.Waiter) error { return errNoTasks }

// Wake implements core.Host.
func (h quiet) Wake(*core.Waiter) {}

// Random implements core.Host.
func (h quiet) Random(string) core.Source { return rand.NewPCG(1, 2) }

// Log implements core.Host.
func (h quiet) Log() *slog.Logger { return h.s.log }
