package core

import (
	"log/slog"
	"syscall"

	"github.com/libos-go/libos/core/timer"
)

// separable joins a Handler to an instance: it is the Env of the handler and
// the Transport of the instance.
type separable struct {
	in      *Instance
	proto   *Protocol
	view    SysctlView
	handler Handler
	timers  map[uint64]*tokenTimer
}

type tokenTimer struct {
	timer timer.Timer
	sep   *separable
	token uint64
}

// Expire implements timer.Expirer.
func (t *tokenTimer) Expire(*timer.Timer, Time) {
	delete(t.sep.timers, t.token)
	t.sep.handler.Timer(t.token)
}

func newSeparable(in *Instance, p *Protocol, v SysctlView) *separable {
	s := &separable{in: in, proto: p, view: v}
	s.handler = p.NewHandler(s)
	return s
}

// Transport side.

func (s *separable) Input(batch []*Packet) { s.handler.Input(batch) }
func (s *separable) Error(e *ErrorReport)  { s.handler.Error(e) }
func (s *separable) Event(e *Event)        { s.handler.Event(e) }
func (s *separable) Counters() []Counters  { return s.handler.Counters() }

func (s *separable) Close() {
	for _, t := range s.timers {
		s.in.CancelTimer(&t.timer)
	}
	s.timers = nil
	s.handler.Close()
}

func (s *separable) NewEndpoint(sock *Socket) (Endpoint, error) {
	e := &datagramEndpoint{socket: sock, sep: s}
	op := Op{Kind: OpOpen, Socket: sock.id, Family: sock.family, Type: sock.typ, Value: sock.protocol}
	if err := e.control(&op); err != nil {
		return nil, err
	}
	return e, nil
}

// Env side.

func (s *separable) Now() Time                            { return s.in.domain.now }
func (s *separable) Random() uint64                       { return s.in.Random().Uint64() }
func (s *separable) Log() *slog.Logger                    { return s.in.domain.host.Log() }
func (s *separable) NewPacket(headroom, room int) *Packet { return s.in.NewPacket(headroom, room) }
func (s *separable) Sysctls() any                         { return s.view.Block() }

func (s *separable) Output(batch []*Packet) {
	for _, p := range batch {
		_ = s.in.Output(p) // counted by the network protocol
	}
}

func (s *separable) Deliver(id SocketID, batch []*Packet) {
	e := s.endpoint(id)
	if e == nil {
		for _, p := range batch {
			p.Free()
		}
		return
	}
	dropped := 0
	for _, p := range batch {
		if !e.enqueue(p) {
			dropped++
		}
	}
	e.socket.Wake(ReadyIn)
	if dropped > 0 {
		s.handler.Event(&Event{Kind: EventReceiveDropped, Socket: id, Count: dropped})
	}
}

func (s *separable) endpoint(id SocketID) *datagramEndpoint {
	sock := s.in.sockets.get(id)
	if sock == nil {
		return nil
	}
	e, _ := sock.endpoint.(*datagramEndpoint)
	if e == nil || e.sep != s {
		return nil
	}
	return e
}

func (s *separable) Unreachable(p *Packet, why Unreachable) {
	if i := s.in.networkOf(p.Dst); i >= 0 {
		s.in.networks[i].Unreachable(p, why)
	}
}

func (s *separable) Notify(id SocketID, r Ready, err syscall.Errno) {
	e := s.endpoint(id)
	if e == nil {
		return
	}
	e.ready = r
	if err != 0 {
		e.socket.SetError(err)
		r |= ReadyErr
	}
	e.socket.Wake(r)
}

func (s *separable) Route(q RouteQuery) (RouteInfo, error) {
	r, err := s.in.Route(q)
	if err != nil {
		return RouteInfo{}, err
	}
	return RouteInfo{Src: r.Src, Interface: r.Interface.index, MTU: r.MTU, Local: r.Type == RouteLocal,
		Broadcast: r.Type == RouteBroadcast, Multicast: r.Type == RouteMulticast}, nil
}

func (s *separable) SetTimer(token uint64, t Time) {
	x := s.timers[token]
	if t == Never {
		if x != nil {
			s.in.CancelTimer(&x.timer)
			delete(s.timers, token)
		}
		return
	}
	if x == nil {
		x = &tokenTimer{sep: s, token: token}
		if s.timers == nil {
			s.timers = make(map[uint64]*tokenTimer)
		}
		s.timers[token] = x
	}
	s.in.SetTimer(&x.timer, t, x)
}

func (s *separable) Spawn(listener SocketID, local, peer SockAddr) SocketID {
	l := s.endpoint(listener)
	if l == nil || len(l.backlog) >= l.backlogMax {
		return 0
	}
	child := newSocket(s.in, l.socket.family, l.socket.typ, l.socket.protocol)
	if child == nil {
		return 0
	}
	child.options = l.socket.options
	e := &datagramEndpoint{socket: child, sep: s, local: local, peer: peer, connected: true}
	child.endpoint = e
	l.backlog = append(l.backlog, child)
	l.socket.Wake(ReadyIn)
	return child.id
}

func (s *separable) Complete(op *Op) {
	op.Done = true
	if e := s.endpoint(op.Socket); e != nil {
		e.completed(op)
	}
}
