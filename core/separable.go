package core

import (
	"log/slog"
	"math/rand/v2"
	"syscall"

	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// separable joins a Handler to an instance: it is the Env of the handler and
// the Transport of the instance.
type separable struct {
	in      *Instance
	name    string
	handler Handler
	timers  map[uint64]*tokenTimer
	random  *rand.PCG // nil until the first number is drawn
	table   int32     // of its sysctls
	control int       // level of its control messages, 0 for none
	raw     RawReceiver
	life    uint32 // grows when the handler was lost: sockets of an earlier one are dead
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
	s := &separable{in: in, name: p.Name, table: int32(v.table), control: p.ControlLevel}
	s.handler = p.NewHandler(s)
	s.raw, _ = s.handler.(RawReceiver)
	return s
}

// Transport side.

func (s *separable) Input(batch []*Packet) { s.handler.Input(batch) }
func (s *separable) Error(e *ErrorReport)  { s.handler.Error(e) }
func (s *separable) Counters() []Counters  { return s.handler.Counters() }

// Event passes news on in values: an index stands for the interface.
func (s *separable) Event(e *Event) {
	v := &s.in.domain.event // a copy in values, borrowed for the call
	outer := *v             // a handler's call may have brought the next event
	*v = *e
	if v.Interface != nil {
		v.Ifindex, v.Interface = v.Interface.index, nil
	}
	s.handler.Event(v)
	*v = outer
}

func (s *separable) Close() {
	for _, t := range s.timers {
		s.in.CancelTimer(&t.timer)
	}
	s.timers = nil
	s.handler.Close()
}

func (s *separable) NewEndpoint(sock *Socket) (Endpoint, error) {
	e := &datagramEndpoint{socket: sock, sep: s, life: s.life}
	if sock.typ == SockRaw { // what it has in the place of a port (net/ipv4/af_inet.c, inet_create)
		e.local.Port = sock.protocol
		s.in.raw = s.raw
	}
	sock.endpoint = e // a completion may come before NewEndpoint returns
	op := Op{Kind: OpOpen, Socket: sock.id, Family: int(sock.family), Type: int(sock.typ), Value: int(sock.protocol)}
	if _, err := e.control(op); err != nil && err != errPending {
		sock.endpoint = nil
		return nil, err
	}
	return e, nil
}

// Env side.

func (s *separable) Now() Time                            { return s.in.domain.now }
func (s *separable) Log() *slog.Logger                    { return s.in.domain.host.Log() }
func (s *separable) NewPacket(headroom, room int) *Packet { return s.in.NewPacket(headroom, room) }
func (s *separable) Sysctls() any                         { return s.in.sysctls.blocks[s.table] }

// Seed is where the handler's random numbers begin: a stream of its own, so that
// they are the same wherever the handler is.
func (s *separable) Seed() (uint64, uint64) {
	r := s.in.domain.host.Random("instance/" + s.in.name + "/" + s.name)
	return r.Uint64(), r.Uint64()
}

func (s *separable) Random() uint64 {
	if s.random == nil {
		s.random = rand.NewPCG(s.Seed())
	}
	return s.random.Uint64()
}

// Lost is for what stands in the place of a handler that is elsewhere and has
// ended without notice: its timers stop and its sockets are dead. Each call on
// one of them fails with why from now on; the handler knows nothing of them.
func (s *separable) Lost(why syscall.Errno) (sockets int) {
	s.ClearTimers()
	s.life++
	for _, sock := range s.in.Sockets() {
		if e, ok := sock.endpoint.(*datagramEndpoint); ok && e.sep == s && e.life != s.life && !e.dead() {
			e.die(why)
			sockets++
		}
	}
	return sockets
}

// Post is for what stands in the place of a handler that is elsewhere: f runs
// soon as an entry of the Domain.
func (s *separable) Post(f func()) { s.in.domain.Post(f) }

// adopt gives a packet that was made from bytes its interface; false if that is
// gone.
func (s *separable) adopt(p *Packet) bool {
	if p.Interface == nil && p.foreign != 0 {
		p.Interface = s.in.InterfaceByIndex(int(p.foreign))
		return p.Interface != nil
	}
	return true
}

func (s *separable) Output(batch []*Packet) error {
	var first error
	for _, p := range batch {
		p.ancillary = 0 // that is for sockets
		if !s.adopt(p) {
			p.Free()
			if first == nil {
				first = syscall.ENODEV
			}
			continue
		}
		if err := s.in.Output(p); err != nil && first == nil {
			first = err
		}
	}
	return first
}

func (s *separable) Deliver(id SocketID, batch []*Packet) {
	e := s.endpoint(id)
	if e == nil {
		for _, p := range batch {
			p.Free()
		}
		return
	}
	var dropped, ignored [2]int // IPv4 and IPv6
	for _, p := range batch {
		family := bit(!p.Dst.Is4())
		if p.Dst.IsMulticast() && !e.socket.hears(p.Dst, p.Ifindex()) {
			p.Free()
			ignored[family]++
			continue
		}
		if !e.enqueue(p) {
			dropped[family]++
		}
	}
	e.socket.Wake(ReadyIn)
	for family, of := range [2]wire.Addr{wire.IPv4Any(), wire.IPv6Any()} {
		if n := dropped[family]; n > 0 {
			s.handler.Event(&Event{Kind: EventReceiveDropped, Socket: id, Count: n, Addr: of})
		}
		if n := ignored[family]; n > 0 {
			s.handler.Event(&Event{Kind: EventReceiveIgnored, Socket: id, Count: n, Addr: of})
		}
	}
}

func (s *separable) endpoint(id SocketID) *datagramEndpoint {
	sock := s.in.sockets.get(id)
	if sock == nil {
		return nil
	}
	e, _ := sock.endpoint.(*datagramEndpoint)
	if e == nil || e.sep != s || e.life != s.life {
		return nil
	}
	return e
}

func (s *separable) Unreachable(p *Packet, why Unreachable) {
	if i := s.in.networkOf(p.Dst); i >= 0 && s.adopt(p) {
		s.in.networks[i].Unreachable(p, why)
	}
}

func (s *separable) Notify(id SocketID, r Ready, err syscall.Errno) {
	e := s.endpoint(id)
	if e == nil {
		return
	}
	e.ready = r
	if e.connecting && (err != 0 || r&ReadyOut != 0) {
		e.connecting, e.connected = false, err == 0
	}
	if err != 0 {
		e.socket.SetError(err)
		r |= ReadyErr
	}
	e.socket.Wake(r)
}

// SendFailed is for what stands in the place of a handler that is elsewhere: the
// error of a Send that was over for its caller.
func (s *separable) SendFailed(id SocketID, err syscall.Errno) {
	if e := s.endpoint(id); e != nil {
		e.socket.SetError(err)
	}
}

func (s *separable) Report(id SocketID, r *ErrorReport, port uint16, header int) {
	if e := s.endpoint(id); e != nil {
		e.report(r, port, header)
	}
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

// Timers is how many are set.
func (s *separable) Timers() int { return len(s.timers) }

func (s *separable) Spawn(listener SocketID, local, peer SockAddr) SocketID {
	l := s.endpoint(listener)
	if l == nil || l.accepts == nil || len(l.accepts.sockets) >= l.accepts.most {
		return 0
	}
	child := l.socket.child()
	if child == nil {
		return 0
	}
	e := &datagramEndpoint{socket: child, sep: s, life: s.life, local: local, peer: peer, connected: true, ready: ReadyOut, given: l.given}
	child.endpoint = e
	l.accepts.sockets = append(l.accepts.sockets, child)
	l.socket.Wake(ReadyIn)
	return child.id
}

func (s *separable) Complete(op *Op) {
	op.Done = true
	if e := s.endpoint(op.Socket); e != nil {
		e.completed(op)
	}
}
