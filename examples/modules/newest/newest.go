// Package newest is a transport protocol for values that are soon out of date, such
// as positions and measurements: datagrams between ports, of which a receiver gets
// none that is older than one it got before. What was overtaken on the way is
// dropped and counted, what is missing is told by a socket option.
//
// A datagram is an IP packet of protocol 254 (for experiments, RFC 3692) that begins
// with sixteen bytes: source port, destination port, length of header and data, the
// Internet checksum over a pseudo header (RFC 9293 §3.1), header and data; then the
// number of the stream, random for each socket that sends, and that of the datagram
// in it, which begins anywhere and wraps (RFC 1982). Start reading at Protocol, then
// judge.go.
package newest

import (
	"encoding/binary"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Number is the IP protocol number.
const Number = 254

const (
	headerSize     = 16
	checksumOffset = 6
	streamOffset   = 8
	orderOffset    = 12
	maxData        = 65535 - headerSize - wire.IPv4MinSize
)

// Sysctls are the settings of an instance.
type Sysctls struct {
	ForgetMS   int `sysctl:"net.newest.forget_ms" default:"60000" range:"1..86400000" unit:"ms" help:"How long a stream that sends nothing is remembered."`
	MaxStreams int `sysctl:"net.newest.max_streams" default:"1024" range:"1..65536" help:"Streams that one socket remembers; the one heard longest ago goes first."`
	MaxSize    int `sysctl:"net.newest.max_size" default:"65507" range:"1..65507" unit:"bytes" help:"Longest datagram that is sent or taken."`
}

// Protocol describes newest to the stack, linked in or as a module.
func Protocol() core.Protocol {
	return core.Protocol{
		Name:    "newest",
		Numbers: []uint8{Number},
		Sockets: []core.SocketKind{
			{Family: core.AFInet, Type: core.SockDgram, Protocol: Number},
			{Family: core.AFInet6, Type: core.SockDgram, Protocol: Number},
		},
		NewHandler: newHandler,
	}
}

func newHandler(env core.Env) core.Handler {
	return &handler{env: env, sockets: make(map[core.SocketID]*socket), ports: make(map[uint16]*socket)}
}

// socket is what the protocol keeps of one: addresses, route and receive queue
// are with the core.
type socket struct {
	id    core.SocketID
	local wire.Addr // unspecified: all
	port  uint16    // 0: not bound
	peer  core.SockAddr

	stream uint32 // of what it sends
	order  uint32 // of the next datagram
	judge  judge
}

// handler is the protocol of one instance. The core calls it one call at a time.
type handler struct {
	env     core.Env
	sockets map[core.SocketID]*socket
	ports   map[uint16]*socket

	in, late, out, noPorts, errors uint64
}

func (h *handler) settings() *Sysctls { return h.env.Sysctls().(*Sysctls) }

func (h *handler) patience() time.Duration {
	return time.Duration(h.settings().ForgetMS) * time.Millisecond
}

// Control implements core.Handler: every operation ends at once.
func (h *handler) Control(op *core.Op) {
	op.Done = true
	s := h.sockets[op.Socket]
	if s == nil && op.Kind != core.OpOpen {
		op.Err = syscall.EBADF
		return
	}
	switch op.Kind {
	case core.OpOpen:
		h.sockets[op.Socket] = &socket{id: op.Socket, stream: uint32(h.env.Random()), order: uint32(h.env.Random())}
	case core.OpBind:
		op.Err = h.bind(s, op)
		op.Local = core.SockAddr{Addr: s.local, Port: s.port, Scope: op.Addr.Scope}
	case core.OpConnect:
		op.Err = h.connect(s, op)
	case core.OpGetOption:
		op.Err = s.option(op)
	case core.OpClose:
		h.unbind(s)
		delete(h.sockets, s.id)
	case core.OpShutdown: // the core keeps what was shut down
	default:
		op.Err = syscall.EOPNOTSUPP
	}
}

func (h *handler) bind(s *socket, op *core.Op) error {
	if s.port != 0 {
		return syscall.EINVAL
	}
	port := op.Addr.Port
	if port == 0 {
		if port = h.freePort(op.Ports); port == 0 {
			return syscall.EADDRINUSE
		}
	}
	if h.ports[port] != nil {
		return syscall.EADDRINUSE
	}
	s.local, s.port = op.Addr.Addr, port
	h.ports[port] = s
	return nil
}

// freePort takes a port of the range at random and the next free one from there
// (RFC 6056 §3.3.1); 0 if there is none.
func (h *handler) freePort(r core.PortRange) uint16 {
	if r.Low == 0 || r.High < r.Low {
		return 0
	}
	n := uint64(r.High-r.Low) + 1
	at := h.env.Random() % n
	for range n {
		port := r.Low + uint16(at)
		if h.ports[port] == nil && !r.IsReserved(port) {
			return port
		}
		at = (at + 1) % n
	}
	return 0
}

func (h *handler) unbind(s *socket) {
	if s.port != 0 {
		delete(h.ports, s.port)
		s.port = 0
	}
}

func (h *handler) connect(s *socket, op *core.Op) error {
	if op.Flags&core.OpDissolve != 0 {
		s.peer = core.SockAddr{}
		op.Local = core.SockAddr{Addr: s.local, Port: s.port}
		return nil
	}
	if op.Addr.Port == 0 {
		return syscall.EINVAL
	}
	route, err := h.env.Route(core.RouteQuery{Dst: op.Addr.Addr, Src: s.local, Interface: op.Device})
	if err != nil {
		return err
	}
	if s.port == 0 {
		if s.port = h.freePort(op.Ports); s.port == 0 {
			return syscall.EADDRNOTAVAIL
		}
		h.ports[s.port] = s
	}
	s.local, s.peer = route.Src, op.Addr
	op.Local, op.Peer = core.SockAddr{Addr: s.local, Port: s.port}, s.peer
	return nil
}

// Send implements core.Handler: it puts a header in front of each datagram.
func (h *handler) Send(id core.SocketID, batch []*core.Packet) error {
	for _, p := range batch {
		if h.sockets[id] == nil {
			return free(batch, syscall.EBADF)
		}
		if n := p.Len(); n > maxData || n > h.settings().MaxSize {
			return free(batch, syscall.EMSGSIZE)
		}
		if !p.EnsureHeadroom(headerSize) {
			return free(batch, syscall.ENOBUFS)
		}
		b := p.Push(headerSize)
		be := binary.BigEndian
		be.PutUint16(b, p.SrcPort)
		be.PutUint16(b[2:], p.DstPort)
		be.PutUint16(b[4:], uint16(p.Len()))
		be.PutUint16(b[checksumOffset:], 0)
		s := h.sockets[id]
		be.PutUint32(b[streamOffset:], s.stream)
		be.PutUint32(b[orderOffset:], s.order)
		s.order++
		p.Protocol = Number
		p.SetTransportHeader()
		be.PutUint16(b[checksumOffset:], ^sum(p))
	}
	h.out += uint64(len(batch))
	return h.env.Output(batch)
}

// sum is the sum over pseudo header, header and data, not complemented.
func sum(p *core.Packet) uint16 {
	var c wire.Checksum
	c.AddPseudoHeader(p.Src, p.Dst, Number, p.Len())
	p.Sum(&c, 0)
	return c.Fold()
}

func free(batch []*core.Packet, err error) error {
	for _, p := range batch {
		p.Free()
	}
	return err
}

// Input implements core.Handler. Whatever comes is checked: it is from outside.
func (h *handler) Input(batch []*core.Packet) {
	for i, p := range batch {
		s, ok := h.receive(p)
		switch {
		case !ok:
			h.errors++
			p.Free()
		case s == nil:
			h.noPorts++
			h.env.Unreachable(p, core.UnreachablePort)
			p.Free()
		case !h.isNews(s, p):
			h.late++
			p.Free()
		default:
			h.in++
			p.Pull(headerSize)
			h.env.Deliver(s.id, batch[i:i+1])
		}
	}
}

// receive finds the socket of a datagram; false if it is not one.
func (h *handler) receive(p *core.Packet) (*socket, bool) {
	if p.LinearLen() < headerSize && !p.Pullup(headerSize) {
		return nil, false
	}
	be := binary.BigEndian
	b := p.Linear()
	n := int(be.Uint16(b[4:]))
	if n < headerSize || n > p.Len() || n-headerSize > h.settings().MaxSize {
		return nil, false
	}
	p.Trim(n)
	if sum(p) != 0xffff {
		return nil, false
	}
	p.SrcPort, p.DstPort = be.Uint16(b), be.Uint16(b[2:])
	s := h.ports[p.DstPort]
	if s == nil || !s.local.IsUnspecified() && s.local != p.Dst && !p.Dst.IsMulticast() {
		return nil, true
	}
	if s.peer.Port != 0 && (s.peer.Port != p.SrcPort || s.peer.Addr != p.Src) {
		return nil, true
	}
	return s, true
}

// Error implements core.Handler: it tells the socket that sent what is quoted.
func (h *handler) Error(e *core.ErrorReport) {
	if len(e.Quoted) < 4 {
		return
	}
	if s := h.ports[binary.BigEndian.Uint16(e.Quoted)]; s != nil {
		h.env.Report(s.id, e, binary.BigEndian.Uint16(e.Quoted[2:]), headerSize)
	}
}

// Event implements core.Handler: settings are read where they are used.
func (h *handler) Event(*core.Event) {}

// Counters implements core.Handler: a line pair of /proc/net/snmp.
func (h *handler) Counters() []core.Counters {
	return []core.Counters{{Group: "Newest", Names: []string{"InDatagrams", "InLate", "NoPorts", "InErrors", "OutDatagrams"},
		Values: []uint64{h.in, h.late, h.noPorts, h.errors, h.out}}}
}

// Close implements core.Handler. The sockets are closed already.
func (h *handler) Close() {}
