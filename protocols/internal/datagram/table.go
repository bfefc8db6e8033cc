package datagram

import (
	"math/bits"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// socket is the protocol's side of a socket: what demultiplexing needs.
type socket struct {
	next        [3]*socket // in the tables, by their index
	local, peer wire.Addr
	localPort   uint16 // 0: unbound
	peerPort    uint16
	id          core.SocketID
	device      int32 // bound interface, 0 for any
	flags       socketFlags
	// What the checksum covers in bytes, 0 for all: valid with sendCovers and
	// receiveCovers.
	sendCoverage, receiveCoverage uint16
}

type socketFlags uint16

const (
	inet6         socketFlags = 1 << iota // of AF_INET6
	v6Only                                // and for IPv6 alone
	reuseAddr                             // SO_REUSEADDR
	reusePort                             // SO_REUSEPORT
	connected                             // has a peer
	lockAddr                              // the user chose the address
	lockPort                              // the user chose the port
	noCheckTx                             // SO_NO_CHECK: IPv4 without checksum
	noCheck6Tx                            // UDP_NO_CHECK6_TX
	noCheck6Rx                            // UDP_NO_CHECK6_RX
	sendCovers                            // UDPLITE_SEND_CSCOV was set
	receiveCovers                         // UDPLITE_RECV_CSCOV was set
)

func (s *socket) is(f socketFlags) bool { return s.flags&f != 0 }

func (s *socket) set(f socketFlags, on bool) {
	s.flags &^= f
	if on {
		s.flags |= f
	}
}

// takes tells whether packets of a's family reach the socket at all.
func (s *socket) takes(v4 bool) bool {
	if v4 {
		return s.flags&(inet6|v6Only) != inet6|v6Only && (!s.is(inet6) || s.local.Is4() || s.local.IsUnspecified())
	}
	return s.is(inet6) && !s.local.Is4()
}

// overlaps tells whether one packet could be for both sockets by their
// addresses and devices, ports apart (inet_rcv_saddr_equal,
// net/ipv4/inet_connection_sock.c).
func (s *socket) overlaps(o *socket) bool {
	if s.device != 0 && o.device != 0 && s.device != o.device {
		return false
	}
	if !s.local.IsUnspecified() && !o.local.IsUnspecified() {
		return s.local == o.local
	}
	both := func(v4 bool) bool {
		return s.takesAt(o.local, v4) && o.takesAt(s.local, v4)
	}
	return both(true) || both(false)
}

// takesAt tells whether the socket takes packets of the family, and whether
// they can be to a if that is an address.
func (s *socket) takesAt(a wire.Addr, v4 bool) bool {
	return s.takes(v4) && (a.IsUnspecified() || a.Is4() == v4)
}

// The tables by the index of their links.
const (
	byPort = 0
	byFlow = 1
	byID   = 2
)

// table is a hash table of sockets linked through themselves. It begins with
// one chain and doubles when chains grow; the newest of a chain comes first.
type table struct {
	chains []*socket
	n      int
}

const meanChain = 2

func (t *table) chain(hash uint32) *socket {
	if t.n == 0 {
		return nil
	}
	return t.chains[hash&uint32(len(t.chains)-1)]
}

func (t *table) insert(s *socket, which int, hash func(*socket) uint32) {
	if t.n >= meanChain*len(t.chains) {
		t.grow(which, hash)
	}
	c := &t.chains[hash(s)&uint32(len(t.chains)-1)]
	s.next[which] = *c
	*c = s
	t.n++
}

func (t *table) grow(which int, hash func(*socket) uint32) {
	old := t.chains
	t.chains = make([]*socket, max(1, 2*len(old)))
	for _, s := range old {
		var reversed *socket
		for s != nil {
			s, s.next[which], reversed = s.next[which], reversed, s
		}
		for s = reversed; s != nil; {
			rest := s.next[which]
			c := &t.chains[hash(s)&uint32(len(t.chains)-1)]
			s.next[which] = *c
			*c = s
			s = rest
		}
	}
}

func (t *table) remove(s *socket, which int, hash uint32) {
	if t.n == 0 {
		return
	}
	for c := &t.chains[hash&uint32(len(t.chains)-1)]; *c != nil; c = &(*c).next[which] {
		if *c == s {
			*c = s.next[which]
			s.next[which] = nil
			if t.n--; t.n == 0 {
				t.chains = nil
			}
			return
		}
	}
}

func idHash(s *socket) uint32 { return uint32(s.id) }

// socket finds a socket by its number, nil if it is not open.
func (h *handler) socket(id core.SocketID) *socket {
	for s := h.sockets.chain(uint32(id)); s != nil; s = s.next[byID] {
		if s.id == id {
			return s
		}
	}
	return nil
}

func portHash(s *socket) uint32 { return uint32(s.localPort) }

// flowHash is the keyed hash of a flow: nobody who does not know the key can
// choose flows that meet.
func (h *handler) flowHash(local, remote wire.Addr, localPort, remotePort uint16) uint32 {
	if h.key[0] == 0 {
		h.key = [2]uint64{h.env.Random() | 1, h.env.Random()}
	}
	x := mix(local.Lo^h.key[0], local.Hi^h.key[1])
	x = mix(remote.Lo^x, remote.Hi^h.key[0])
	x = mix(uint64(localPort)<<16|uint64(remotePort)^x, h.key[1]^h.key[0])
	return uint32(x >> 32)
}

func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^0x9e3779b97f4a7c15, b^0xe7037ed1a0b428db)
	return hi ^ lo
}

func (h *handler) hashOf(s *socket) uint32 {
	return h.flowHash(s.local, s.peer, s.localPort, s.peerPort)
}

// flow names the ends of a packet as the receiver sees them.
type flow struct {
	local, remote         wire.Addr
	localPort, remotePort uint16
	device                int32
}

// lookup finds the socket that a packet of f is for: the connected one, then
// the best of those bound to the address, then of those bound to any, by
// Linux's compute_score (net/ipv4/udp.c); among equals the newest.
func (h *handler) lookup(f *flow) *socket {
	if s := h.connectedTo(f); s != nil {
		return s
	}
	var best *socket
	score := 0
	v4 := f.local.Is4()
	for s := h.ports.chain(uint32(f.localPort)); s != nil; s = s.next[byPort] {
		if s.localPort != f.localPort || s.is(connected) || !s.takes(v4) || s.device != 0 && s.device != f.device {
			continue
		}
		n := 1
		if !s.local.IsUnspecified() {
			if s.local != f.local {
				continue
			}
			n += 8
		}
		if s.device != 0 {
			n += 4
		}
		if v4 && !s.is(inet6) {
			n++
		}
		if n > score {
			best, score = s, n
		}
	}
	if best != nil && best.is(reusePort) {
		return h.spread(best, f)
	}
	return best
}

// connectedTo finds the connected socket of a flow.
func (h *handler) connectedTo(f *flow) *socket {
	if h.flows.n == 0 {
		return nil
	}
	var best *socket
	for s := h.flows.chain(h.flowHash(f.local, f.remote, f.localPort, f.remotePort)); s != nil; s = s.next[byFlow] {
		if s.localPort == f.localPort && s.peerPort == f.remotePort && s.local == f.local && s.peer == f.remote &&
			(s.device == 0 || s.device == f.device) && (best == nil || best.device == 0 && s.device != 0) {
			best = s
		}
	}
	return best
}

// spread chooses among the sockets that share a port by SO_REUSEPORT with first
// by the flow's hash, so that a flow stays with its socket.
func (h *handler) spread(first *socket, f *flow) *socket {
	n := uint64(0)
	for s := first; s != nil; s = s.next[byPort] {
		if s.shares(first) {
			n++
		}
	}
	if n == 1 {
		return first
	}
	left := uint64(h.flowHash(f.local, f.remote, f.localPort, f.remotePort)) * n >> 32
	for s := first; s != nil; s = s.next[byPort] {
		if s.shares(first) {
			if left == 0 {
				return s
			}
			left--
		}
	}
	return first
}

// shares tells whether two sockets are of one SO_REUSEPORT group.
func (s *socket) shares(o *socket) bool {
	const same = inet6 | v6Only | reusePort | connected
	return s.localPort == o.localPort && s.local == o.local && s.device == o.device && s.flags&same == o.flags&same
}

// wants tells whether the socket gets a copy of a packet to a group or to
// everybody (__udp_is_mcast_sock, net/ipv4/udp.c).
func (s *socket) wants(f *flow) bool {
	return s.localPort == f.localPort && s.takes(f.local.Is4()) &&
		(s.local.IsUnspecified() || s.local == f.local) &&
		(!s.is(connected) || s.peer == f.remote && s.peerPort == f.remotePort) &&
		(s.device == 0 || s.device == f.device)
}
