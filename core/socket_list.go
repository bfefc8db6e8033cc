package core

import "time"

// SocketEntry is one line of a list of sockets: what /proc/net and
// NETLINK_SOCK_DIAG(7) tell of it.
type SocketEntry struct {
	// Socket is nil for what no program has: a connection that is not accepted yet,
	// or one that goes on after its socket was closed.
	Socket *Socket
	// Endpoint is the protocol's side, which answers Option even so. Of the entry alone.
	Endpoint               Endpoint
	Family, Type, Protocol int // as in socket(2), with the protocol's number instead of 0
	Local, Peer            SockAddr
	// State has Linux's number (include/net/tcp_states.h): 1 ESTABLISHED, … 7 CLOSE, …
	// 10 LISTEN, 11 CLOSING. A datagram socket that is not connected is in CLOSE.
	State uint8
	// Received and Unsent are bytes that wait to be read and to be acknowledged; of a
	// listener, how many connections wait and how many may.
	Received, Unsent uint32
	// Timer is what the connection waits for, and Left how long it still does.
	Timer       SocketTimer
	Left        time.Duration
	Retransmits uint8  // without an answer
	Probes      uint8  // of keepalive or of a shut window, without an answer
	Drops       uint64 // datagrams that found no room, where somebody counts them
	Inode       uint64 // 0 without a socket
	UID         uint32
}

// SocketTimer is the kind of timer that runs, as /proc/net/tcp numbers them.
type SocketTimer uint8

const (
	TimerOff        SocketTimer = 0
	TimerRetransmit SocketTimer = 1
	TimerKeepalive  SocketTimer = 2 // or the end of FIN-WAIT-2
	TimerTimeWait   SocketTimer = 3
	TimerProbe      SocketTimer = 4 // of a shut window
)

// The states of sockets that have no connection.
const (
	SocketEstablished uint8 = 1
	SocketClosed      uint8 = 7
	SocketListening   uint8 = 10
)

// SocketLister is a Transport that knows more of its sockets than the core does, or
// has connections without one.
type SocketLister interface {
	// AppendSockets appends all of them: first those that programs have, in the order
	// of the instance's sockets. Inside an entry.
	AppendSockets(list []SocketEntry) []SocketEntry
}

// SocketEntries are all sockets of the instance, by protocol in the wiring's order. The
// order is the same each time as long as nothing is opened or closed. Inside an entry.
func (in *Instance) SocketEntries() []SocketEntry {
	var list []SocketEntry
	for i, t := range in.transports {
		if l, ok := t.(SocketLister); ok {
			list = l.AppendSockets(list)
			continue
		}
		for _, s := range in.Sockets() {
			if int(s.place) == i && s.endpoint != nil {
				list = append(list, s.Entry())
			}
		}
	}
	return list
}

// Entry is the line of a socket, as far as the core knows it. Inside an entry.
func (s *Socket) Entry() SocketEntry {
	e := SocketEntry{Socket: s, Endpoint: s.endpoint, Family: int(s.family), Type: int(s.typ), Protocol: int(s.protocol), State: SocketClosed}
	e.Inode, e.UID = s.Owner()
	e.Local = s.endpoint.Local()
	if e.Protocol == 0 && s.typ != SockRaw {
		for _, p := range s.numbers() {
			e.Protocol = int(p)
		}
	}
	if p, ok := s.endpoint.Peer(); ok {
		e.Peer, e.State = p, SocketEstablished
	}
	if h, ok := s.endpoint.(interface{ Held() (received, sent int) }); ok {
		received, sent := h.Held()
		e.Received, e.Unsent = uint32(received), uint32(sent)
	}
	if l, ok := s.endpoint.(interface{ Listening() bool }); ok && l.Listening() {
		e.State = SocketListening
	}
	if d, ok := s.endpoint.(*datagramEndpoint); ok {
		e.Drops = uint64(d.lost)
		if q := d.accepts; q != nil {
			e.Received, e.Unsent = uint32(len(q.sockets)), uint32(q.most)
		}
	}
	return e
}

// numbers are the IP protocols of the socket's transport, those of a protocol that
// came later as well.
func (s *Socket) numbers() []uint8 {
	if int(s.place) < len(s.instance.wiring.Protocols) {
		return s.instance.wiring.Protocols[s.place].Protocol.Numbers
	}
	return nil
}

// owner is who has a socket outside of the instance.
type owner struct {
	inode uint64
	uid   uint32
}

// SetOwner says by what number the system around the instance knows the socket, such
// as the inode of the file that stands for it in a program, and what user has opened
// it. Inside an entry.
func (s *Socket) SetOwner(inode uint64, uid uint32) {
	t := &s.instance.sockets
	if t.owners == nil {
		t.owners = make(map[SocketID]owner)
	}
	t.owners[s.id] = owner{inode, uid}
}

// Owner is what SetOwner has said, otherwise the socket's own number and root. Inside
// an entry.
func (s *Socket) Owner() (inode uint64, uid uint32) {
	if o, ok := s.instance.sockets.owners[s.id]; ok {
		return o.inode, o.uid
	}
	return uint64(s.id), 0
}
