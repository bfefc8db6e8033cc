// Package talk is the least protocol that asks the narrow contract for all it has:
// connections with a handshake, acknowledged messages in order, retransmission, a
// window, several addresses of a peer, an end, notifications, control messages,
// options and settings of its own, and a state that goes over to another process.
// Tests run it linked in, through core/shim and in a module. save.go is what goes
// over, info.go what is told of single messages.
package talk

import (
	"cmp"
	"encoding/binary"
	"slices"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
)

// Number is the protocol number (RFC 3692, for experiments).
const Number = 253

const (
	header = 10 // ports, kind, a zero, sequence number, acknowledgement
	window = 4  // messages on their way
	tries  = 8  // retransmissions of a message before the connection fails
)

// Level is that of the options and control messages.
const Level = 300

// Options, each an int. All but Notify, WantInfo and WantNext can only be read.
const (
	Notify  = 1 // notifications wanted
	Retries = 2 // retransmissions so far
	Read    = 3 // bytes that the user was said to have read
	Addrs   = 4 // addresses heard of
	Paths   = 5 // addresses of the peer

	WantInfo = 6 // a ReceiveInfo wanted with every message
	WantNext = 7 // a NextInfo wanted where another message waits
)

const (
	open = iota + 1
	opened
	data
	ack
	end
	reset
)

// Sysctls are the settings.
type Sysctls struct {
	Wait time.Duration `sysctl:"net.talk.wait" default:"200" unit:"ms" range:"1..60000" help:"Time before a message is sent again."`
}

// Protocol describes the protocol to a wiring.
func Protocol() core.Protocol {
	return core.Protocol{Name: "talk", Numbers: []uint8{Number}, NewHandler: New, ControlLevel: Level,
		Sockets: []core.SocketKind{{Family: core.AFInet, Type: core.SockStream, Protocol: Number}}}
}

// Entry is the protocol with its settings.
func Entry() core.ProtocolEntry {
	return core.ProtocolEntry{Protocol: Protocol(), Sysctls: sysctl.Of[Sysctls]()}
}

// New makes the protocol's part of an instance. It is a core.Saver.
func New(env core.Env) core.Handler {
	return &talk{env: env, conns: map[core.SocketID]*conn{}, addrs: map[wire.Addr]bool{}, port: 40000}
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
	paths       []wire.Addr // addresses of the peer beside the one in use, the next to try first
	listening   bool
	up          bool
	closed      bool // by the user
	notify      bool
	info        bool
	next        bool
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
		} else if x.peer.Port == peer.Port && (x.peer.Addr == peer.Addr || slices.Contains(x.paths, peer.Addr)) {
			c = x
		}
	}
	return c, listener
}

// addresses are ours that a peer can reach, as the first message to it names them.
func (h *talk) addresses() []byte {
	var list []wire.Addr
	for a := range h.addrs {
		if a.Is4() && !a.IsLoopback() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b wire.Addr) int { return cmp.Compare(a.V4(), b.V4()) })
	var b []byte
	for _, a := range list {
		b = binary.BigEndian.AppendUint32(b, a.V4())
	}
	return b
}

// learn takes the peer's addresses.
func (c *conn) learn(b []byte) {
	for ; len(b) >= 4; b = b[4:] {
		if a := wire.FromV4(binary.BigEndian.Uint32(b)); a != c.peer.Addr && !slices.Contains(c.paths, a) {
			c.paths = append(c.paths, a)
		}
	}
}

// nextPath goes on with another address of the peer, if it has one.
func (h *talk) nextPath(c *conn) {
	if len(c.paths) == 0 {
		return
	}
	c.paths = append(c.paths, c.peer.Addr)
	c.peer.Addr, c.paths = c.paths[0], c.paths[1:]
	h.notify(c, "path change")
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
	p.Src, p.Dst, p.Protocol = c.local.Addr, c.peer.Addr, Number
	if i, err := h.env.Route(core.RouteQuery{Dst: c.peer.Addr}); err == nil { // an address of the way that it goes
		p.Src = i.Src
	}
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

func (h *talk) wait() time.Duration { return h.env.Sysctls().(*Sysctls).Wait }

func (h *talk) ready(c *conn) core.Ready {
	var r core.Ready
	if c.up && len(c.unacked) < window {
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
	if !p.Pullup(header) {
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
		c = &conn{id: id, local: local, peer: peer, up: true, heard: seq, notify: listener.notify, info: listener.info, next: listener.next}
		h.conns[id] = c
		c.learn(b[header:])
		h.reliably(c, opened, h.addresses())
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
			c.learn(b[header:])
			h.env.Notify(c.id, h.ready(c), 0)
		}
	case data, end:
		if seq == c.heard+1 {
			c.heard = seq
			if kind == end {
				h.peerEnded(c)
			} else if !c.closed {
				h.output(c, segment(c, ack, 0, nil))
				return h.deliver(c, p)
			}
		}
	}
	h.output(c, segment(c, ack, 0, nil))
	return false
}

func (h *talk) peerEnded(c *conn) {
	c.ended = true
	h.notify(c, "peer end")
	h.env.Notify(c.id, h.ready(c), 0)
}

// notify tells the user what came to pass, if it asked for that.
func (h *talk) notify(c *conn, what string) {
	if !c.notify {
		return
	}
	if p := h.env.NewPacket(0, 16); p != nil {
		copy(p.Put(len(what)), what)
		p.Src, p.Dst, p.Flags = c.peer.Addr, c.local.Addr, core.FlagNotification
		h.env.Deliver(c.id, []*core.Packet{p})
	}
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
		if op := h.listen; op != nil {
			h.listen = nil
			h.env.Complete(op)
		}
		return
	}
	c := h.conns[core.SocketID(token)]
	if c == nil || len(c.unacked) == 0 {
		return
	}
	if c.retries++; c.retries > tries {
		h.fail(c, syscall.ETIMEDOUT)
		return
	}
	if c.retries%2 == 0 {
		h.nextPath(c)
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
		c = &conn{id: op.Socket}
		h.conns[op.Socket], op.Given = c, c.given()
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
		h.reliably(c, open, h.addresses())
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
		on := map[int]*bool{Notify: &c.notify, WantInfo: &c.info, WantNext: &c.next}[op.Name]
		if op.Level != Level || on == nil || len(op.Data) != 4 {
			op.Err = syscall.ENOPROTOOPT
			return
		}
		*on = binary.NativeEndian.Uint32(op.Data) != 0
		op.Given = c.given()
	case core.OpGetOption:
		v, ok := map[int]int{Retries: c.total, Read: c.read, Addrs: len(h.addrs), Paths: len(c.paths) + 1}[op.Name]
		if op.Level != Level || !ok {
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
		case len(c.unacked) >= window:
			err = syscall.EAGAIN
		default:
			var i Info
			if i, err = sendInfo(p.TakeAncillary()); err == nil {
				body := append(i.appendTo(nil), make([]byte, p.Len())...)
				p.CopyOut(0, body[infoSize:])
				h.reliably(c, data, body)
			}
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
