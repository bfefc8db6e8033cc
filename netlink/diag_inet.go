package netlink

import (
	"bytes"
	"encoding/binary"
	"hash/fnv"
	"slices"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Sockets of IPv4 and IPv6: struct inet_diag_req_v2, struct inet_diag_msg and
// INET_DIAG_… attributes (net/ipv4/inet_diag.c, tcp_diag.c, udp_diag.c, raw_diag.c).

const (
	sizeofInetRequest = 56

	inetMemInfo    = 1
	inetInfo       = 2
	inetCongestion = 4
	inetTOS        = 5
	inetTClass     = 6
	inetSKMemInfo  = 7
	inetShutdown   = 8
	inetProtocol   = 10
	inetV6Only     = 11
	inetMark       = 15
	inetClassID    = 17
	inetSockOpt    = 22

	inetReqBytecode = 1
	inetReqProtocol = 3

	noCookie = 1<<64 - 1

	tcpInfo       = 11
	tcpCongestion = 13

	stateSynReceived = 3 // include/net/tcp_states.h
	stateFinWait1    = 4
	stateFinWait2    = 5
	stateTimeWait    = 6
	stateClosed      = 7
	stateCloseWait   = 8
	stateLastAck     = 9
	stateListen      = 10
	stateClosing     = 11
	protoRaw         = 255 // stands for raw sockets of all protocols
)

// inetSocket is what a list tells of one socket. It is copied when the list is made.
type inetSocket struct {
	core.SocketEntry
	local, peer [16]byte // as Linux has them, by family
	options     core.SocketOptions
	cookie      uint64
	shutdown    uint8 // 1: no more is received, 2: no more is sent
	info        []byte
	algorithm   string
	held        [2]int
	memory      [9]uint32
}

// inetRequest is struct inet_diag_req_v2.
type inetRequest struct {
	family, ext  uint8
	protocol     int
	states       uint32
	sport, dport uint16
	src, dst     [16]byte
	ifindex      uint32
	cookie       uint64
	filter       bytecode
}

func (r *request) inetRequest() (q inetRequest, err error) {
	b := r.fixed
	be := binary.BigEndian
	q = inetRequest{family: b[0], protocol: int(b[1]), ext: b[2], states: r.u32At(4), sport: be.Uint16(b[8:]), dport: be.Uint16(b[10:]),
		ifindex: r.u32At(44), cookie: uint64(r.u32At(48)) | uint64(r.u32At(52))<<32}
	copy(q.src[:], b[12:])
	copy(q.dst[:], b[28:])
	if x, ok := r.attrs.find(inetReqProtocol); ok {
		if len(x.data) < 4 {
			return q, refuseAt(x.at, syscall.EINVAL, "attribute is shorter than its four bytes")
		}
		q.protocol = int(int32(binary.NativeEndian.Uint32(x.data)))
	}
	if !r.knows(q.protocol) {
		return q, refuse(syscall.ENOENT, "there are no sockets of that protocol")
	}
	if x, ok := r.attrs.find(inetReqBytecode); ok {
		if q.filter = x.data; !q.filter.sound() {
			return q, refuseAt(x.at, syscall.EINVAL, "the filter is no program that ends")
		}
	}
	return q, nil
}

// knows tells whether the instance has the protocol.
func (r *request) knows(protocol int) bool {
	for i := range r.in.Wiring().Protocols {
		p := &r.in.Wiring().Protocols[i].Protocol
		for _, k := range p.Sockets {
			if k.Type == core.SockRaw && (k.Family == core.AFInet || k.Family == core.AFInet6) && protocol == protoRaw {
				return true
			}
		}
		if protocol != protoRaw && protocol > 0 && protocol < 256 && slices.Contains(p.Numbers, uint8(protocol)) {
			return true
		}
	}
	return false
}

// sockets calls f with those of a protocol and a family that others can reach,
// listening ones first.
func (r *request) sockets(protocol, family int, f func(*inetSocket)) {
	all := r.in.SocketEntries()
	for _, listening := range [...]bool{true, false} {
		for _, x := range all {
			p := x.Protocol
			if x.Type == core.SockRaw {
				p = protoRaw
			}
			if p != protocol || x.Family != family || (x.State == stateListen) != listening || !reachable(&x) {
				continue
			}
			s := subject(x)
			f(&s)
		}
	}
}

// reachable tells whether Linux would have the socket in its tables.
func reachable(x *core.SocketEntry) bool {
	if x.Type == core.SockStream {
		return x.State != stateClosed
	}
	return x.Type == core.SockRaw || x.Local.Port != 0
}

// inetAddress is an address as a family has it, in the first bytes of 16.
func inetAddress(a wire.Addr, family int) (out [16]byte) {
	if family != core.AFInet {
		return a.As16()
	}
	if a.Is4() {
		v := a.As4()
		copy(out[:], v[:])
	}
	return out
}

// subject is what filters look at.
func subject(x core.SocketEntry) inetSocket {
	if x.State == stateTimeWait {
		x.Socket, x.Inode, x.UID = nil, 0, 0
	}
	if x.Socket == nil && x.State == stateFinWait2 && x.Timer != core.TimerOff {
		x.Timer = core.TimerTimeWait
	}
	s := inetSocket{SocketEntry: x}
	s.local, s.peer = inetAddress(x.Local.Addr, x.Family), inetAddress(x.Peer.Addr, x.Family)
	if x.Socket != nil {
		s.options, s.cookie = *x.Socket.Options(), uint64(x.Socket.ID())
		if x.Type != core.SockStream {
			r := x.Endpoint.Ready()
			s.shutdown = uint8(bit(r&core.ReadyRdHup != 0) | bit(r&core.ReadyOut == 0)<<1)
		}
	} else {
		h := fnv.New64a()
		_, _ = h.Write(s.local[:])
		_, _ = h.Write(s.peer[:])
		_, _ = h.Write(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, x.Local.Port), x.Peer.Port))
		s.cookie = 1<<63 | h.Sum64()
	}
	switch x.State {
	case stateCloseWait:
		s.shutdown = 1
	case stateFinWait1, stateFinWait2:
		s.shutdown = 2
	case stateLastAck, stateClosing:
		s.shutdown = 3
	}
	return s
}

// full takes in what an answer has beside, inside the entry of the list.
func (s *inetSocket) full(ext uint8) {
	if s.Socket != nil {
		s.memory = s.Socket.MemInfo()
	}
	if h, ok := s.Endpoint.(interface{ Held() (received, sent int) }); ok {
		s.held[0], s.held[1] = h.Held()
	}
	if s.Protocol != core.SolTCP || s.Type != core.SockStream || s.small() {
		return
	}
	var b [512]byte
	if ext>>(inetInfo-1)&1 != 0 {
		if n, err := s.Endpoint.Option(core.SolTCP, tcpInfo, b[:]); err == nil {
			s.info = slices.Clone(b[:n])
		}
	}
	if ext>>(inetCongestion-1)&1 != 0 {
		if n, err := s.Endpoint.Option(core.SolTCP, tcpCongestion, b[:]); err == nil {
			name, _, _ := bytes.Cut(b[:n], []byte{0})
			s.algorithm = string(name)
		}
	}
}

// small tells whether Linux would have kept less than a socket: a request or what is
// left of a connection.
func (s *inetSocket) small() bool {
	return s.State == stateTimeWait || s.State == stateSynReceived || s.Timer == core.TimerTimeWait
}

// dumpInet lists sockets (inet_diag_dump_icsk, udp_dump, raw_diag_dump).
func (r *request) dumpInet() (*dump, error) {
	q, err := r.inetRequest()
	if err != nil {
		return nil, err
	}
	var list []inetSocket
	r.sockets(q.protocol, int(q.family), func(s *inetSocket) {
		if q.states>>s.State&1 == 0 || q.sport != 0 && s.Local.Port != q.sport || q.dport != 0 && s.Peer.Port != q.dport {
			return
		}
		if q.filter.passes(s) {
			s.full(q.ext)
			list = append(list, *s)
		}
	})
	return listOf(list, func(w *writer, begin func(uint16), s inetSocket) {
		begin(sockDiagByFamily)
		writeInet(w, &s, q.ext)
	}), nil
}

// find is the socket that a request names by addresses and ports, and by its cookie:
// a connection before one that takes what comes (inet_diag_find_one_icsk).
func (r *request) find(q *inetRequest, f func(*inetSocket) error) error {
	found := false
	err := refuse(syscall.ENOENT, "there is no such socket")
	var zero [16]byte
	for _, exact := range [...]bool{true, false} {
		r.sockets(q.protocol, int(q.family), func(s *inetSocket) {
			local := s.Local.Port == q.sport && s.local == q.src
			if !exact {
				local = s.Local.Port == q.sport && (s.local == q.src || s.local == zero)
			}
			peer := s.Peer.Port == q.dport && s.peer == q.dst
			if !exact && (s.State == stateListen || s.State == stateClosed) {
				peer = true
			}
			if found || !local || !peer {
				return
			}
			found = true
			if q.cookie != noCookie && q.cookie != s.cookie {
				err = refuse(syscall.ESTALE, "the socket of that name is another now")
				return
			}
			err = f(s)
		})
	}
	return err
}

// getInet tells of one socket.
func (r *request) getInet() error {
	q, err := r.inetRequest()
	if err != nil {
		return err
	}
	return r.find(&q, func(s *inetSocket) error {
		s.full(q.ext)
		return r.answer(func(w *writer) {
			w.begin(sockDiagByFamily, 0, r.seq, r.pid)
			writeInet(w, s, q.ext)
			w.end()
		})
	})
}

// breakInet is SOCK_DESTROY.
func (r *request) breakInet() error {
	q, err := r.inetRequest()
	if err != nil {
		return err
	}
	return r.find(&q, func(s *inetSocket) error { return s.Break() })
}

// writeInet writes struct inet_diag_msg and its attributes as an open message.
func writeInet(w *writer, s *inetSocket, ext uint8) {
	be := binary.BigEndian
	retries := s.Retransmits
	if s.Timer == core.TimerKeepalive || s.Timer == core.TimerProbe {
		retries = s.Probes
	}
	w.u8(uint8(s.Family), s.State, uint8(s.Timer), retries)
	w.b = be.AppendUint16(be.AppendUint16(w.b, s.Local.Port), s.Peer.Port)
	w.b = append(append(w.b, s.local[:]...), s.peer[:]...)
	w.u32(uint32(s.options.Device))
	w.cookie(s.cookie)
	w.u32(uint32(s.Left / time.Millisecond))
	w.u32(s.Received)
	w.u32(s.Unsent)
	w.u32(s.UID)
	w.u32(uint32(s.Inode))
	o := &s.options
	asked := func(attr int) bool { return ext>>(attr-1)&1 != 0 }
	if s.small() {
		w.attr32(inetMark, o.Mark)
		return
	}
	w.attr8(inetShutdown, s.shutdown)
	if asked(inetTOS) {
		w.attr8(inetTOS, o.TOS)
	}
	if s.Family == core.AFInet6 {
		if asked(inetTClass) {
			w.attr8(inetTClass, o.TOS)
		}
		if s.State == stateListen || s.State == stateClosed {
			w.attr8(inetV6Only, uint8(bit(o.V6Only)))
		}
	}
	w.attr32(inetMark, o.Mark)
	if asked(inetTClass) {
		w.attr32(inetClassID, uint32(o.Priority))
	}
	if s.Socket != nil {
		w.header(inetSockOpt, 2)
		w.u8(s.sockOpt(), uint8(0))
		w.pad()
	}
	if asked(inetMemInfo) {
		w.header(inetMemInfo, 16)
		for _, v := range [...]int{s.held[0], s.held[1], 0, s.held[1]} {
			w.u32(uint32(v))
		}
	}
	if asked(inetSKMemInfo) {
		w.header(inetSKMemInfo, 4*len(s.memory))
		for _, v := range s.memory {
			w.u32(v)
		}
	}
	if s.Type == core.SockRaw {
		w.attr8(inetProtocol, uint8(s.Protocol))
	}
	if s.info != nil {
		w.attr(inetInfo, s.info)
	}
	if s.algorithm != "" {
		w.text(inetCongestion, s.algorithm)
	}
}

// sockOpt is the first byte of struct inet_diag_sockopt.
func (s *inetSocket) sockOpt() (b uint8) {
	o := &s.options
	for i, on := range [...]bool{o.RecvErr, s.Type == core.SockStream, o.FreeBind, false, o.MulticastLoop, false, o.MulticastAll} {
		b |= uint8(bit(on)) << i
	}
	return b
}
