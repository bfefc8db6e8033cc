package usernet

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

const (
	// maxFlows bounds the connections of the guest.
	maxFlows = 1 << 14
	// patience is how long the host may take to connect, and the guest to take up a
	// connection that the host has.
	patience = 30 * time.Second
	// linger is how long a flow that has ended is remembered, for what is sent again.
	linger = time.Minute
)

// stage is how far a flow is.
type stage uint8

const (
	dialing stage = iota // the host's connection is being made
	open
	over // only for what is sent again
)

// flow is a connection of the guest. The gateway knows it by port.
type flow struct {
	pair
	port  uint16
	stage stage
	host  net.Conn
	timer *time.Timer
}

// flows are those of one guest. The zero value has none.
type flows struct {
	mu     sync.Mutex
	guests map[pair]*flow
	ports  map[uint16]*flow
	last   uint16
	closed bool
}

// add begins a flow; nil if there is no room.
func (t *flows) add(of pair) *flow {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old := t.guests[of]; old != nil {
		if old.stage != over {
			return nil
		}
		t.forget(old)
	}
	if t.closed || len(t.guests) >= maxFlows {
		return nil
	}
	if t.guests == nil {
		t.guests, t.ports = make(map[pair]*flow), make(map[uint16]*flow)
	}
	for {
		if t.last++; t.last == 0 {
			continue
		}
		if _, taken := t.ports[t.last]; !taken {
			break
		}
	}
	f := &flow{pair: of, port: t.last}
	t.guests[of], t.ports[f.port] = f, f
	return f
}

// forget drops a flow, with t.mu held.
func (t *flows) forget(f *flow) {
	if t.ports[f.port] != f {
		return
	}
	delete(t.ports, f.port)
	delete(t.guests, f.pair)
	if f.timer != nil {
		f.timer.Stop()
	}
	if f.host != nil {
		_ = f.host.Close()
	}
}

func (t *flows) end(f *flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.forget(f)
}

// connected has f wait for the gateway to be connected, too; false if all is over.
func (t *flows) connected(f *flow, c net.Conn) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	f.host, f.stage = c, open
	f.timer = time.AfterFunc(patience, func() { t.end(f) })
	return true
}

// claim is the flow that the gateway has just accepted, and the host's connection,
// which is the caller's from now on.
func (t *flows) claim(port uint16) (*flow, net.Conn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f := t.ports[port]
	if f == nil || f.host == nil {
		return nil, nil
	}
	f.timer.Stop()
	return f, f.host
}

// ended keeps f for a while for what is sent again.
func (t *flows) ended(f *flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.stage, f.host = over, nil; t.closed {
		return
	}
	f.timer = time.AfterFunc(linger, func() { t.end(f) })
}

func (t *flows) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, f := range t.ports {
		t.forget(f)
	}
}

// find is the flow of a pair and its stage.
func (t *flows) find(of pair) (f *flow, s stage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f = t.guests[of]; f != nil {
		s = f.stage
	}
	return f, s
}

// judgeStream decides about a TCP packet of the guest.
func (d *Device) judgeStream(p *core.Packet, h *header) fate {
	four := family(h.src.addr)
	if h.src.addr == d.at.borrowed[four] { // rewritten already, and sent again by its queue
		return pass
	}
	flags := wire.TCP(h.l4).Flags()
	first := flags&(wire.TCPSyn|wire.TCPAck|wire.TCPRst) == wire.TCPSyn
	f, stage := d.flows.find(pair{h.src, h.dst})
	switch {
	case f == nil && first, f != nil && stage == over && first:
		return keep
	case f == nil && d.at.isGateway(h.dst.addr):
		return pass // of a connection that the gateway has made
	case f == nil && flags&wire.TCPRst == 0:
		return keep // it is to be told that there is no connection
	case f == nil, stage == dialing:
		return drop
	}
	if !p.Unshare() {
		return drop
	}
	h, ok := again(p)
	if !ok {
		return drop
	}
	h.rewrite(endpoint{d.at.borrowed[four], f.port}, endpoint{d.at.gateway[four], d.at.port})
	return pass
}

// again parses a packet whose bytes may have moved.
func again(p *core.Packet) (*header, bool) {
	h, ok := parse(p.Linear())
	return &h, ok
}

// restore gives a packet of the gateway the addresses that the guest knows; false if
// it is of no flow any more.
func (d *Device) restore(p *core.Packet) bool {
	if !p.Pullup(min(need, p.Len())) {
		return false
	}
	h, ok := parse(p.Linear())
	if !ok || h.protocol != wire.ProtoTCP || h.dst.addr != d.at.borrowed[family(h.dst.addr)] {
		return true
	}
	d.flows.mu.Lock()
	f := d.flows.ports[h.dst.port]
	d.flows.mu.Unlock()
	if f == nil || !p.Unshare() {
		return false
	}
	r, ok := again(p)
	if ok {
		r.rewrite(f.remote, f.guest)
	}
	return ok
}

// begin answers a packet of no flow: a first one by a connection of the host.
func (d *Device) begin(h *header) {
	flags := wire.TCP(h.l4).Flags()
	if flags&(wire.TCPSyn|wire.TCPAck) != wire.TCPSyn {
		d.toGuest(reset(h))
		return
	}
	to, ok := d.target(h.dst)
	if !ok {
		d.toGuest(prohibited(h))
		return
	}
	f := d.flows.add(pair{h.src, h.dst})
	if f == nil {
		d.dropped.Add(1) // it will be sent again
		return
	}
	d.goes(func() { d.dial(f, to, h) })
}

// dial makes the host's connection of a flow; then the gateway gets the first packet.
func (d *Device) dial(f *flow, to netip.AddrPort, h *header) {
	dialer := net.Dialer{Timeout: patience}
	c, err := dialer.DialContext(d.ctx, "tcp", to.String())
	if err == nil && !d.flows.connected(f, c) {
		_ = c.Close()
		return
	}
	if err != nil {
		d.flows.end(f)
		switch {
		case d.ctx.Err() != nil:
		case errors.Is(err, syscall.ECONNREFUSED):
			d.toGuest(reset(h))
		default:
			d.toGuest(unreachable(h))
		}
		return
	}
	four := family(f.guest.addr)
	h.rewrite(endpoint{d.at.borrowed[four], f.port}, endpoint{d.at.gateway[four], d.at.port})
	d.inside.Deliver([]core.Frame{{Data: h.ip}})
}

// accept takes the guest's connections.
func (d *Device) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			if d.ctx.Err() == nil {
				d.ifc.Instance().Domain().Host().Log().Error("device: the gateway takes no more connections", "error", err)
			}
			return
		}
		a, _ := c.RemoteAddr().(*net.TCPAddr)
		f, host := d.flows.claim(uint16(a.Port))
		if f == nil {
			abort(c)
			continue
		}
		d.goes(func() {
			d.join(c, host)
			d.flows.ended(f)
		})
	}
}

// forward brings connections of the host to the guest.
func (d *Device) forward(l net.Listener, guest netip.AddrPort) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // it is closed
		}
		d.goes(func() {
			to, err := (&core.Dialer{Instance: d.gateway, Timeout: patience}).DialContext(d.ctx, "tcp", guest.String())
			if err != nil {
				abort(c)
				return
			}
			d.join(to, c)
		})
	}
}

// stream is what both sides' connections can do.
type stream interface {
	net.Conn
	CloseWrite() error
	SetLinger(seconds int) error
}

// abort closes a connection by a reset.
func abort(c net.Conn) {
	if s, ok := c.(stream); ok {
		_ = s.SetLinger(0)
	}
	_ = c.Close()
}

// join carries bytes both ways until both directions have ended, or one has failed,
// which resets the other connection, or the device is closed.
func (d *Device) join(a, b net.Conn) {
	stop := context.AfterFunc(d.ctx, func() {
		abort(a)
		abort(b)
	})
	defer stop()
	var wg sync.WaitGroup
	carry := func(to, from net.Conn) {
		defer wg.Done()
		_, err := io.Copy(to, from)
		if s, ok := to.(stream); ok && err == nil {
			err = s.CloseWrite()
		}
		if err != nil {
			abort(to)
			abort(from)
		}
	}
	wg.Add(2)
	go carry(a, b)
	carry(b, a)
	wg.Wait()
	_ = a.Close()
	_ = b.Close()
}
