package shim_test

import (
	"encoding/binary"
	"slices"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
)

// Talk is the least protocol that asks the narrow contract for all it has:
// connections with a handshake, acknowledged messages in order, retransmission,
// a window, an end, notifications, options and settings of its own.

const (
	talkNumber = 253 // RFC 3692, for experiments
	talkHeader = 10  // ports, kind, a zero, sequence number, acknowledgement
	talkWindow = 4   // messages on their way

	solTalk     = 300
	talkNotify  = 1 // notifications wanted: an int
	talkRetries = 2 // retransmissions so far: an int, read only
	talkRead    = 3 // bytes that the user was said to have read: an int, read only
	talkAddrs   = 4 // addresses heard of: an int, read only
)

const (
	open = iota + 1
	opened
	data
	ack
	end
	reset
)

type talkSysctls struct {
	Wait time.Duration `sysctl:"net.talk.wait" default:"200" unit:"ms" range:"1..60000" help:"Time before a message is sent again."`
}

func talkEntry() core.ProtocolEntry {
	return core.ProtocolEntry{Sysctls: sysctl.Of[talkSysctls](), Protocol: core.Protocol{
		Name: "talk", Numbers: []uint8{talkNumber},
		Sockets: []core.SocketKind{{Family: core.AFInet, Type: core.SockStream, Protocol: talkNumber}},
		NewHandler: func(env core.Env) core.Handler {
			return &talk{env: env, conns: map[core.SocketID]*conn{}, addrs: map[wire.Addr]bool{}, port: 40000}
		},
	}}
}

type talk struct {
	env    core.Env
	conns  map[core.SocketID]*conn
	addrs  map[wire.Addr]bool
	port   uint16
	listen *core.Op // ends when its timer does
}

type conn struct {
	id          core.SocketID
	local, peer core.SockAddr
	listening   bool
	up          bool
	closed      bool // by the user
	notify      bool
	ended       bool // the peer's end was received
	sent, heard uint16
	unacked     [][]byte // segments as they were sent, oldest first
	retries     int
	total       int
	read        int
}

func (h *talk) find(local, peer core.SockAddr) (c, listener *conn) {
	for _, x := range h.conns {
		if x.local.Port != local.Port {
			continue
		}
		if x.listening {
			listener = x
		} else if x.peer == peer {
			c = x
		}
	}
	return c, listener
}

func segment(c *conn, kind byte, seq uint16, body []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, c.local.Port)
	b = binary.BigEndian.AppendUint16(b, c.peer.Port)
	b = append(b, kind, 0)
	b = binary.BigEndian.AppendUint16(b, seq)
	return append(binary.BigEndian.AppendUint16(b, c.heard), body...)
}

func (h *talk) output(c *conn, b []byte) {
	p := h.env.NewPacket(core.Headroom, len(b))
	if p == nil {
		return
	}
	copy(p.Put(len(b)), b)
	p.SetTransportHeader()
	p.Src, p.Dst, p.Protocol = c.local.Addr, c.peer.Addr, talkNumber
	_ = h.env.Output([]*core.Packet{p})
}

// reliably sends a segment until it is acknowledged.
func (h *talk) reliably(c *conn, kind byte, body []byte) {
	c.sent++
	b := segment(c, kind, c.sent, body)
	c.unacked = append(c.unacked, b)
	h.output(c, b)
	if len(c.unacked) == 1 {
		h.env.SetTimer(uint64(c.id), h.env.Now().Add(h.wait()))
	}
}

func (h *talk) wait() time.Duration { return h.env.Sysctls().(*talkSysctls).Wait }

func (h *talk) ready(c *conn) core.Ready {
	var r core.Ready
	if c.up && len(c.unacked) < talkWindow {
		r |= core.ReadyOut
	}
	if c.ended {
		r |= core.ReadyIn | core.ReadyRdHup
	}
	return r
}

func (h *talk) Input(batch []*core.Packet) {
	for _, p := range batch {
		if !h.input(p) {
			p.Free()
		}
	}
}

// input takes p only if it returns true.
func (h *talk) input(p *core.Packet) bool {
	if !p.Pullup(talkHeader) {
		return false
	}
	b := p.Linear()
	be := binary.BigEndian
	peer, local := core.SockAddr{Addr: p.Src, Port: be.Uint16(b)}, core.SockAddr{Addr: p.Dst, Port: be.Uint16(b[2:])}
	kind, seq, acked := b[4], be.Uint16(b[6:]), be.Uint16(b[8:])
	c, listener := h.find(local, peer)
	if c == nil {
		if kind != open {
			return false
		}
		id := core.SocketID(0)
		if listener != nil {
			id = h.env.Spawn(listener.id, local, peer)
		}
		if id == 0 {
			if listener == nil {
				h.output(&conn{local: local, peer: peer}, segment(&conn{local: local, peer: peer}, reset, 0, nil))
				h.env.Unreachable(p, core.UnreachablePort)
			}
			return false
		}
		c = &conn{id: id, local: local, peer: peer, up: true, heard: seq, notify: listener.notify}
		h.conns[id] = c
		h.reliably(c, opened, nil)
		return false
	}
	before := len(c.unacked)
	for len(c.unacked) > 0 && int16(acked-be.Uint16(c.unacked[0][6:])) >= 0 {
		c.unacked = c.unacked[1:]
		c.retries = 0
	}
	if len(c.unacked) < before {
		if len(c.unacked) == 0 {
			h.env.SetTimer(uint64(c.id), core.Never)
			if c.closed {
				delete(h.conns, c.id)
				return false
			}
		} else {
			h.env.SetTimer(uint64(c.id), h.env.Now().Add(h.wait()))
		}
		h.env.Notify(c.id, h.ready(c), 0)
	}
	switch kind {
	case reset:
		h.fail(c, syscall.ECONNREFUSED)
		return false
	case ack:
		return false
	case opened:
		if !c.up {
			c.up, c.heard = true, seq
			h.env.Notify(c.id, h.ready(c), 0)
		}
	case data, end:
		if seq == c.heard+1 {
			c.heard = seq
			if kind == end {
				h.peerEnded(c)
			} else if !c.closed {
				h.output(c, segment(c, ack, 0, nil))
				p.Pull(talkHeader)
				p.SrcPort, p.DstPort = peer.Port, local.Port
				h.env.Deliver(c.id, []*core.Packet{p})
				return true
			}
		}
	}
	h.output(c, segment(c, ack, 0, nil))
	return false
}

func (h *talk) peerEnded(c *conn) {
	c.ended = true
	if c.notify {
		if p := h.env.NewPacket(0, 16); p != nil {
			copy(p.Put(8), "peer end")
			p.Src, p.Dst, p.Flags = c.peer.Addr, c.local.Addr, core.FlagNotification
			h.env.Deliver(c.id, []*core.Packet{p})
		}
	}
	h.env.Notify(c.id, h.ready(c), 0)
}

func (h *talk) fail(c *conn, err syscall.Errno) {
	h.env.SetTimer(uint64(c.id), core.Never)
	c.unacked, c.up = nil, false
	h.env.Notify(c.id, core.ReadyErr|core.ReadyHup|core.ReadyIn|core.ReadyOut|core.ReadyRdHup, err)
	if c.closed {
		delete(h.conns, c.id)
	}
}

func (h *talk) Error(e *core.ErrorReport) {
	if len(e.Quoted) < 4 {
		return
	}
	local := core.SockAddr{Addr: e.Src, Port: binary.BigEndian.Uint16(e.Quoted)}
	peer := core.SockAddr{Addr: e.Dst, Port: binary.BigEndian.Uint16(e.Quoted[2:])}
	if c, _ := h.find(local, peer); c != nil && !c.up {
		h.fail(c, e.Errno)
	}
}

const listenTimer = 1 << 40

func (h *talk) Timer(token uint64) {
	if token == listenTimer {
		op := h.listen
		h.listen = nil
		h.env.Complete(op)
		return
	}
	c := h.conns[core.SocketID(token)]
	if c == nil || len(c.unacked) == 0 {
		return
	}
	if c.retries++; c.retries > 8 {
		h.fail(c, syscall.ETIMEDOUT)
		return
	}
	c.total += len(c.unacked)
	for _, b := range c.unacked {
		binary.BigEndian.PutUint16(b[8:], c.heard)
		h.output(c, b)
	}
	h.env.SetTimer(token, h.env.Now().Add(h.wait()<<c.retries))
}

func (h *talk) Event(e *core.Event) {
	switch e.Kind {
	case core.EventAddress:
		h.addrs[e.Addr] = true
	case core.EventAddressGone:
		delete(h.addrs, e.Addr)
	case core.EventReceived:
		if c := h.conns[e.Socket]; c != nil {
			c.read += e.Count
		}
	}
}

func (h *talk) Control(op *core.Op) {
	c := h.conns[op.Socket]
	op.Done = true
	switch {
	case op.Kind == core.OpOpen:
		h.conns[op.Socket] = &conn{id: op.Socket}
		return
	case c == nil:
		op.Err = syscall.EBADF
		return
	}
	switch op.Kind {
	case core.OpBind:
		if op.Addr.Port == 0 {
			op.Addr.Port, h.port = h.port, h.port+1
		}
		c.local = op.Addr
		op.Local = op.Addr
	case core.OpListen: // takes its time
		c.listening = true
		op.Done = false
		h.listen = op
		h.env.SetTimer(listenTimer, h.env.Now().Add(time.Millisecond))
	case core.OpConnect:
		c.local, c.peer = op.Local, op.Addr
		if i, err := h.env.Route(core.RouteQuery{Dst: op.Addr.Addr}); err != nil || i.Src != op.Local.Addr && !i.Local {
			op.Err = syscall.EHOSTUNREACH
			return
		}
		h.reliably(c, open, nil)
		op.Err = syscall.EINPROGRESS
	case core.OpShutdown:
		if op.Value != core.ShutRead {
			h.reliably(c, end, nil)
		}
	case core.OpClose:
		c.closed = true
		if len(c.unacked) == 0 {
			h.env.SetTimer(uint64(c.id), core.Never)
			delete(h.conns, c.id)
		}
	case core.OpSetOption:
		if op.Level != solTalk || op.Name != talkNotify || len(op.Data) != 4 {
			op.Err = syscall.ENOPROTOOPT
			return
		}
		c.notify = binary.NativeEndian.Uint32(op.Data) != 0
	case core.OpGetOption:
		v, ok := map[int]int{talkRetries: c.total, talkRead: c.read, talkAddrs: len(h.addrs)}[op.Name]
		if op.Level != solTalk || !ok {
			op.Err = syscall.ENOPROTOOPT
			return
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], uint32(v))
		op.Data = op.Data[:copy(op.Data, b[:])]
	}
}

func (h *talk) Send(id core.SocketID, batch []*core.Packet) error {
	c := h.conns[id]
	var err error
	for _, p := range batch {
		switch {
		case c == nil || !c.up:
			err = syscall.EPIPE
		case len(c.unacked) >= talkWindow:
			err = syscall.EAGAIN
		default:
			body := make([]byte, p.Len())
			p.CopyOut(0, body)
			h.reliably(c, data, body)
		}
		p.Free()
	}
	if c != nil {
		h.env.Notify(id, h.ready(c), 0)
	}
	return err
}

func (h *talk) Counters() []core.Counters {
	ids := make([]core.SocketID, 0, len(h.conns))
	for id := range h.conns {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return []core.Counters{{Group: "Talk", Names: []string{"Open"}, Values: []uint64{uint64(len(ids))}}}
}

func (h *talk) Close() { h.conns = nil }
