package datagram

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Options of level SOL_UDP with Linux's numbers.
const (
	NoCheck6Tx = 101 // UDP_NO_CHECK6_TX
	NoCheck6Rx = 102 // UDP_NO_CHECK6_RX
)

// Control implements core.Handler. Every operation ends at once.
func (h *handler) Control(op *core.Op) {
	op.Done = true
	if op.Kind == core.OpOpen {
		s := &socket{id: op.Socket}
		s.set(inet6, op.Family == core.AFInet6)
		s.unbindAddr()
		h.sockets.insert(s, byID, idHash)
		return
	}
	s := h.socket(op.Socket)
	if s == nil {
		op.Err = syscall.EBADF
		return
	}
	switch op.Kind {
	case core.OpBind:
		op.Err = h.bind(s, op)
		op.Local = core.SockAddr{Addr: s.local, Port: s.localPort, Scope: op.Addr.Scope}
	case core.OpConnect:
		if op.Flags&core.OpDissolve != 0 {
			h.dissolve(s, op)
		} else {
			h.connect(s, op)
		}
	case core.OpListen:
		op.Err = syscall.EOPNOTSUPP
	case core.OpShutdown: // the core keeps what was shut down
	case core.OpClose:
		h.disconnect(s)
		h.unbind(s)
		h.sockets.remove(s, byID, idHash(s))
	case core.OpSetOption:
		op.Err = h.setOption(s, op)
	case core.OpGetOption:
		op.Err = h.option(s, op)
	default:
		op.Err = syscall.EOPNOTSUPP
	}
}

// take copies what the core's options say about binding.
func (s *socket) take(op *core.Op) {
	s.set(reuseAddr, op.Flags&core.OpReuseAddr != 0)
	s.set(reusePort, op.Flags&core.OpReusePort != 0)
	s.set(v6Only, op.Flags&core.OpV6Only != 0)
	s.device = int32(op.Device)
}

func (s *socket) unbindAddr() {
	s.local = wire.IPv6Any()
	if !s.is(inet6) {
		s.local = wire.IPv4Any()
	}
}

func (h *handler) bind(s *socket, op *core.Op) error {
	if s.localPort != 0 {
		return syscall.EINVAL
	}
	s.take(op)
	s.local = op.Addr.Addr
	port := op.Addr.Port
	if port != 0 {
		if h.inUse(s, port, false) {
			s.unbindAddr()
			return syscall.EADDRINUSE
		}
	} else if port = h.choosePort(s, op.Ports); port == 0 {
		s.unbindAddr()
		if op.Addr.Addr.IsUnspecified() {
			return syscall.EAGAIN
		}
		return syscall.EADDRINUSE
	}
	s.set(lockPort, op.Addr.Port != 0)
	s.set(lockAddr, !op.Addr.Addr.IsUnspecified())
	s.localPort = port
	h.ports.insert(s, byPort, portHash)
	return nil
}

// inUse tells whether s, not in the table yet, must not have port
// (udp_lib_lport_inuse, net/ipv4/udp.c). A chosen port is shared with nobody,
// whatever the options say.
func (h *handler) inUse(s *socket, port uint16, chosen bool) bool {
	for o := h.ports.chain(uint32(port)); o != nil; o = o.next[byPort] {
		if o.localPort != port || !s.overlaps(o) {
			continue
		}
		if chosen || !(s.is(reuseAddr) && o.is(reuseAddr) || s.is(reusePort) && o.is(reusePort)) {
			return true
		}
	}
	return false
}

// choosePort takes a port of the range at random (RFC 6056 §3.3.1) and the next
// free one from there; 0 when there is none.
func (h *handler) choosePort(s *socket, r core.PortRange) uint16 {
	n := uint64(r.High) - uint64(r.Low) + 1
	if r.High < r.Low || r.Low == 0 {
		return 0
	}
	at := h.env.Random() % n
	for range n {
		port := r.Low + uint16(at)
		if !r.IsReserved(port) && !h.inUse(s, port, true) {
			return port
		}
		if at++; at == n {
			at = 0
		}
	}
	return 0
}

func (h *handler) unbind(s *socket) {
	if s.localPort != 0 {
		h.ports.remove(s, byPort, portHash(s))
		s.localPort = 0
	}
}

func (h *handler) connect(s *socket, op *core.Op) {
	s.take(op)
	h.disconnect(s)
	if s.local.IsUnspecified() {
		s.local = op.Local.Addr
	}
	s.peer, s.peerPort = op.Addr.Addr, op.Addr.Port
	s.set(connected, true)
	h.flows.insert(s, byFlow, h.hashOf)
	op.Local = core.SockAddr{Addr: s.local, Port: s.localPort, Scope: op.Local.Scope}
	op.Peer = op.Addr
}

func (h *handler) disconnect(s *socket) {
	if s.is(connected) {
		h.flows.remove(s, byFlow, h.hashOf(s))
		s.set(connected, false)
		s.peer, s.peerPort = wire.Addr{}, 0
	}
}

// dissolve ends the association and gives up what the user did not bind to
// (__udp_disconnect, net/ipv4/udp.c).
func (h *handler) dissolve(s *socket, op *core.Op) {
	h.disconnect(s)
	s.take(op)
	if !s.is(lockAddr) {
		s.unbindAddr()
	}
	if !s.is(lockPort) {
		h.unbind(s)
	}
	op.Local = core.SockAddr{Addr: s.local, Port: s.localPort}
}

// coverageOf finds the coverage behind an option, nil if it is none of this
// flavour's.
func (h *handler) coverageOf(s *socket, op *core.Op) (*uint16, socketFlags) {
	if !h.Coverage || !ownLevel(op.Level) {
		return nil, 0
	}
	return s.coverageOption(op.Name)
}

// ownLevel tells whether options of a level are the protocol's: either takes the
// level of both (udp_setsockopt, net/ipv4/udp.c).
func ownLevel(level int) bool { return level == core.SolUDP || level == core.SolUDPLite }

// flagOf is the flag behind a boolean option, 0 if there is no such option.
func flagOf(level, name int) socketFlags {
	switch {
	case level == core.SolSocket && name == core.SoNoCheck:
		return noCheckTx
	case ownLevel(level) && name == NoCheck6Tx:
		return noCheck6Tx
	case ownLevel(level) && name == NoCheck6Rx:
		return noCheck6Rx
	}
	return 0
}

func (h *handler) setOption(s *socket, op *core.Op) error {
	if op.Level == core.SolSocket && (op.Name == core.SoReuseAddr || op.Name == core.SoReusePort || op.Name == core.SoBindToDevice) {
		s.take(op)
		return nil
	}
	if v, set := h.coverageOf(s, op); v != nil {
		return s.setCoverage(v, set, op.Data)
	}
	f := flagOf(op.Level, op.Name)
	if f == 0 {
		return syscall.ENOPROTOOPT
	}
	if len(op.Data) < 4 {
		return syscall.EINVAL
	}
	s.set(f, binary.NativeEndian.Uint32(op.Data) != 0)
	return nil
}

func (h *handler) option(s *socket, op *core.Op) error {
	if v, _ := h.coverageOf(s, op); v != nil {
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(*v))
		op.Data = op.Data[:copy(op.Data, b[:])]
		return nil
	}
	f := flagOf(op.Level, op.Name)
	if f == 0 {
		return syscall.ENOPROTOOPT
	}
	var b [4]byte
	if s.is(f) {
		binary.NativeEndian.PutUint32(b[:], 1)
	}
	op.Data = op.Data[:copy(op.Data, b[:])]
	return nil
}
