package core

import (
	"log/slog"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// Protocol describes a transport protocol: a value that the wiring names, not
// a registration. Exactly one of New and NewHandler is set.
type Protocol struct {
	Name    string
	Numbers []uint8      // IP protocol numbers it takes
	Sockets []SocketKind // socket(2) triples it serves
	// ControlLevel is the level of the control messages (sendmsg(2), recvmsg(2)) of
	// a protocol behind the narrow contract, 0 for none: Handler.Send gets those of
	// this level in front of the user's bytes, Env.Deliver brings them likewise
	// (Packet.TakeAncillary, Packet.AddControl).
	ControlLevel int
	// Generic are the protocol's families of generic netlink.
	Generic []GenericFamily
	// New makes an in-process transport (TCP).
	New func(*Instance, SysctlView) Transport
	// NewHandler makes a protocol behind the narrow contract, which can also
	// live in a process of its own (UDP, SCTP, DCCP).
	NewHandler func(Env) Handler
}

// open makes the protocol's part of an instance.
func (p *Protocol) open(in *Instance, v SysctlView) Transport {
	if p.New != nil {
		return p.New(in, v)
	}
	return newSeparable(in, p, v)
}

// Serves tells whether the protocol has sockets of that kind; protocol may be 0.
func (p *Protocol) Serves(family, typ, protocol int) bool {
	for _, k := range p.Sockets {
		if k.Family == family && k.Type == typ && (k.Protocol == protocol || k.Protocol == AnyProtocol || protocol == 0 && k.ByDefault()) {
			return true
		}
	}
	return false
}

// SocketKind is a triple of socket(2).
type SocketKind struct{ Family, Type, Protocol int }

// AnyProtocol as the Protocol of a SocketKind serves every number: those of raw
// sockets and of packet sockets.
const AnyProtocol = -1

// ByDefault tells whether protocol 0 may choose this kind: ping and UDP-Lite
// sockets are opened by their number only, so that SOCK_DGRAM means UDP.
func (k SocketKind) ByDefault() bool {
	return k.hasPorts() && k.Protocol != int(wire.ProtoUDPLite) && k.Protocol != AnyProtocol
}

// hasPorts tells whether the protocol has ports: echo has none.
func (k SocketKind) hasPorts() bool {
	return k.Type != SockRaw && k.Protocol != int(wire.ProtoICMP) && k.Protocol != int(wire.ProtoICMPv6)
}

// hasPorts tells whether the socket's protocol has ports.
func (s *Socket) hasPorts() bool {
	return SocketKind{int(s.family), int(s.typ), int(s.protocol)}.hasPorts()
}

// RawReceiver is a Handler of raw sockets (raw(7)): beside what is its own it sees
// what is for other protocols. It is linked in.
type RawReceiver interface {
	Handler
	// ReceiveRaw sees a packet for this instance before its protocol does: p starts
	// at the transport header and is borrowed. It tells whether a socket wants such
	// packets, so that a protocol which nobody else has is none that is unknown.
	ReceiveRaw(p *Packet) bool
	// ErrorRaw sees an ICMP error about a packet of any protocol. e is borrowed.
	ErrorRaw(e *ErrorReport)
}

// Transport is a transport protocol of one instance, in process. All methods
// run inside an entry.
type Transport interface {
	// Input takes ownership of the packets, each of which starts at the
	// transport header; the slice is the caller's again afterwards.
	Input(batch []*Packet)
	// Error tells of an ICMP error about a packet that was sent. e is borrowed.
	Error(e *ErrorReport)
	// Event tells of addresses, interfaces and sysctls. e is borrowed.
	Event(e *Event)
	// NewEndpoint makes the protocol's side of a new socket.
	NewEndpoint(s *Socket) (Endpoint, error)
	// Close frees what is left. The sockets are closed already.
	Close()
}

// ErrorJudge is a Transport that can tell an ICMP error about a packet of its own
// from one that somebody made up. Asked before anything is learnt from the error
// that others than its connection would feel, such as a path MTU (RFC 5927 §7.2).
type ErrorJudge interface {
	// Credible tells whether the quoted packet is one that may be on its way now. e is
	// borrowed, its Quoted holds 8 bytes at least.
	Credible(e *ErrorReport) bool
}

// ErrorReport is an ICMP error in values.
type ErrorReport struct {
	Protocol uint8         // of the quoted packet
	Src, Dst wire.Addr     // of the quoted packet: Src is ours
	Offender wire.Addr     // who sent the error
	Errno    syscall.Errno // what a socket call would report
	Hard     bool          // ends a connection attempt at once (RFC 1122 §4.2.3.9)
	Type     uint8         // ICMP type and code
	Code     uint8
	MTU      int    // packet too big: next-hop MTU in bytes
	Info     uint32 // the ICMP header's own: MTU as it was told, pointer of a parameter problem
	Ifindex  int    // interface by which the error came
	TOS      uint8  // of the packet with the error
	HopLimit uint8  // 0 if the error was made here
	Quoted   []byte // the quoted transport header, at least 8 bytes
	Whole    []byte // the quoted packet from its IP header on; nil behind a wall
}

// SoftErrorer is an Endpoint that met errors which did not end its connection
// (RFC 1122 §4.2.3.9). SO_ERROR tells of them where there is no pending one.
type SoftErrorer interface {
	// TakeSoftError is the last such error, 0 if there is none; it is forgotten.
	TakeSoftError() syscall.Errno
}

// Endpoint is what a socket of one protocol does. Calls come inside an entry
// and never block: EAGAIN means that the caller may wait for readiness and
// try again, EINPROGRESS that a connect goes on.
type Endpoint interface {
	Bind(a SockAddr) error
	Connect(a SockAddr) error
	Listen(backlog int) error
	Accept() (*Socket, error)
	// Send and Receive move data as sendmsg(2) and recvmsg(2) do and return
	// the bytes moved.
	Send(m *Message) (int, error)
	Receive(m *Message) (int, error)
	Shutdown(how int) error
	// Close ends the user's side. The endpoint may live on (FIN-WAIT); it
	// calls nothing of the socket any more.
	Close()
	// Ready is the readiness now, as poll(2) has it.
	Ready() Ready
	Local() SockAddr
	Peer() (SockAddr, bool)
	SetOption(level, name int, value []byte) error
	Option(level, name int, buf []byte) (int, error)
}

// BulkEndpoint is an endpoint whose user bytes are copied outside the lock.
type BulkEndpoint interface {
	Endpoint
	// Reserve takes pages for up to n bytes of a Send and fills r; EAGAIN
	// when no room is left.
	Reserve(n int, r *Reservation) error
	// Commit queues the first n bytes of r and ends it.
	Commit(r *Reservation, n int) error
	// Take moves references to up to n received bytes into r; 0 bytes and nil
	// mean the end of the stream.
	Take(n int, r *Reservation) error
	// Done ends r after the bytes were copied out: window and pages return.
	Done(r *Reservation)
}

// Reservation is a list of page pieces that are being copied outside the lock.
type Reservation struct {
	Pieces [20]Frag
	N      int
	Bytes  int
}

// Ready is a set of poll(2) events.
type Ready uint16

const (
	ReadyIn    Ready = 0x001
	ReadyPri   Ready = 0x002
	ReadyOut   Ready = 0x004
	ReadyErr   Ready = 0x008
	ReadyHup   Ready = 0x010
	ReadyRdHup Ready = 0x2000
)

// SockAddr is a socket address.
type SockAddr struct {
	Addr  wire.Addr
	Port  uint16
	Scope uint32 // interface index of a link-local address
}

// SocketID names a socket within its instance, in the datagram contract.
type SocketID uint32

// Env is what the core offers to a protocol behind the narrow contract. Values
// and packets only: it can be carried to another process. All calls happen
// inside an entry.
type Env interface {
	Now() Time
	Random() uint64
	Log() *slog.Logger
	// NewPacket makes a packet to send, nil when memory is short.
	NewPacket(headroom, room int) *Packet
	// Output sends packets that start at the transport header, with Src, Dst
	// and Protocol set. It owns them. What cannot be sent is counted by the
	// network protocol, and the first such error is returned: EMSGSIZE, or
	// those of a look-up.
	Output(batch []*Packet) error
	// Deliver appends datagrams to a socket's receive queue: they start at the
	// user's bytes, or at control messages for whoever reads them
	// (Packet.AddControl), with Src, SrcPort, Dst and DstPort set. It owns them.
	// What finds no room is dropped; EventReceiveDropped tells how many (one
	// event for each address family, which Addr shows).
	Deliver(s SocketID, batch []*Packet)
	// Unreachable answers a packet with an ICMP error; it borrows p.
	Unreachable(p *Packet, why Unreachable)
	// Notify sets the protocol's own readiness of a socket and, if err is not
	// 0, its pending error (SO_ERROR), and wakes who waits. ReadyOut on a socket
	// whose connect goes on tells that it is connected, ReadyRdHup that what was
	// delivered is all there will be. Datagram sockets are always ready to send.
	Notify(s SocketID, r Ready, err syscall.Errno)
	// Report tells a socket of an ICMP error about a datagram that it sent to
	// port. It becomes the pending error of a connected socket if it is hard,
	// and of any socket that asked for errors (IP_RECVERR, IPV6_RECVERR), which
	// also gets it in its error queue with the quoted bytes after the first
	// header ones. r is borrowed.
	Report(s SocketID, r *ErrorReport, port uint16, header int)
	// Route asks how dst is reached.
	Route(q RouteQuery) (RouteInfo, error)
	// SetTimer has Handler.Timer(token) called at t; Never cancels.
	SetTimer(token uint64, t Time)
	// Spawn makes a socket that waits to be accepted on listener; 0 when the
	// backlog is full.
	Spawn(listener SocketID, local, peer SockAddr) SocketID
	// Complete ends an operation that Handler.Control left pending.
	Complete(op *Op)
	// Sysctls is the protocol's block of settings now.
	Sysctls() any
}

// RouteInfo is a route in values.
type RouteInfo struct {
	Src       wire.Addr
	Interface int
	MTU       int
	Local     bool
	Broadcast bool
	Multicast bool
}

// Handler is a protocol behind the narrow contract. All calls happen inside an
// entry.
type Handler interface {
	// Input takes ownership of packets that start at the transport header.
	Input(batch []*Packet)
	// Error tells of an ICMP error.
	Error(e *ErrorReport)
	// Timer tells that a timer set by Env.SetTimer expired.
	Timer(token uint64)
	// Event tells of addresses, interfaces, sysctls and dropped datagrams.
	Event(e *Event)
	// Control carries out a socket operation. It sets op.Err and op.Done before
	// it returns, or calls Env.Complete later.
	Control(op *Op)
	// Send takes ownership of datagrams of one socket: each starts at the
	// user's bytes with room for headers before, Src, SrcPort, Dst, DstPort
	// and, where known, Route set. Where the protocol has a ControlLevel and the
	// user sent control messages, it starts at those (Packet.TakeAncillary). It
	// returns what a send call reports.
	Send(s SocketID, batch []*Packet) error
	// Counters are the protocol's SNMP counters.
	Counters() []Counters
	Close()
}

// OpKind is a socket operation of the narrow contract.
type OpKind uint8

const (
	OpOpen OpKind = iota
	OpBind
	OpConnect   // ends with EINPROGRESS if Notify will tell; OpDissolve: end the association
	OpListen    // Value is the backlog
	OpShutdown  // Value is SHUT_RD, SHUT_WR or SHUT_RDWR
	OpClose     // Value is SO_LINGER's time in milliseconds, -1 if it is off
	OpSetOption // Level, Name, Data; Local in the result if it bound the socket; Flags and Device changed for SO_REUSEADDR, SO_REUSEPORT and SO_BINDTODEVICE
	OpGetOption // Level, Name, Data is the buffer's size in and the value out
)

// Op is one socket operation of the narrow contract.
type Op struct {
	Kind   OpKind
	Tag    uint32 // the core's name for it: a completion carries the same
	Socket SocketID
	Family int
	Type   int
	Addr   SockAddr // Bind, Connect
	Flags  OpFlags
	Device int       // bound interface, 0 for any
	Ports  PortRange // Bind: where to choose a port from
	Value  int
	// SO_RCVBUF and SO_SNDBUF, in bytes.
	ReceiveBuffer, SendBuffer int

	Level int
	Name  int
	Data  []byte

	// results
	Local SockAddr
	Peer  SockAddr
	Given Given // Open, SetOption: which control messages receives give from now on
	Err   error // nil or a syscall.Errno: nothing else crosses to another process
	Done  bool
}

// OpFlags are socket options that a bind needs to know.
type OpFlags uint8

const (
	OpReuseAddr OpFlags = 1 << iota
	OpReusePort
	OpV6Only
	OpDissolve
)

// Counters is one group of SNMP counters, as a line pair of /proc/net/snmp.
type Counters struct {
	Group  string // "Udp", "Tcp", "Ip", …
	Names  []string
	Values []uint64
}

// Counted is implemented by networks and transports that keep SNMP counters.
type Counted interface{ Counters() []Counters }

// Counters are the SNMP counters of all protocols of the instance.
func (in *Instance) Counters() []Counters {
	var out []Counters
	in.domain.Do(func() {
		for _, n := range in.networks {
			if c, ok := n.(Counted); ok {
				out = append(out, c.Counters()...)
			}
		}
		for _, t := range in.transports {
			if c, ok := t.(Counted); ok {
				out = append(out, c.Counters()...)
			}
		}
	})
	return out
}
