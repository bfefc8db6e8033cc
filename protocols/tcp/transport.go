package tcp

import (
	"syscall"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
)

// Protocol describes TCP with these congestion controls, the default one first.
// index is the place of a name among them, -1 for none: a switch in a generated
// wiring; nil searches the list.
func Protocol(index func(name string) int, algorithms ...congestion.Algorithm) core.Protocol {
	if index == nil {
		index = search(algorithms)
	}
	cc := &controls{list: algorithms, index: index}
	return core.Protocol{
		Name:    "tcp",
		Numbers: []uint8{wire.ProtoTCP},
		Sockets: []core.SocketKind{
			{Family: core.AFInet, Type: core.SockStream, Protocol: 0},
			{Family: core.AFInet, Type: core.SockStream, Protocol: int(wire.ProtoTCP)},
			{Family: core.AFInet6, Type: core.SockStream, Protocol: 0},
			{Family: core.AFInet6, Type: core.SockStream, Protocol: int(wire.ProtoTCP)},
		},
		New: func(in *core.Instance, view core.SysctlView) core.Transport {
			return &door{in: in, view: view, controls: cc}
		},
	}
}

// door is TCP of one instance until it is first used: it takes no more memory
// than itself.
type door struct {
	in       *core.Instance
	view     core.SysctlView
	controls *controls
	t        *Transport
}

func (d *door) open() *Transport {
	if d.t == nil {
		d.t = open(d.in, d.view, d.controls)
	}
	return d.t
}

// Input implements core.Transport.
func (d *door) Input(batch []*core.Packet) { d.open().Input(batch) }

// NewEndpoint implements core.Transport.
func (d *door) NewEndpoint(s *core.Socket) (core.Endpoint, error) { return d.open().NewEndpoint(s) }

// Error implements core.Transport.
func (d *door) Error(e *core.ErrorReport) {
	if d.t != nil {
		d.t.Error(e)
	}
}

// Credible implements core.ErrorJudge.
func (d *door) Credible(e *core.ErrorReport) bool { return d.t != nil && d.t.Credible(e) }

// Event implements core.Transport: routes say by themselves when they no longer
// hold.
func (d *door) Event(*core.Event) {}

// Close implements core.Transport.
func (d *door) Close() {
	if d.t != nil {
		d.t.Close()
	}
}

// Counters implements core.Counted.
func (d *door) Counters() []core.Counters {
	if d.t == nil {
		return new(counters).groups()
	}
	return d.t.counters.groups()
}

// Transport is TCP of one instance.
type Transport struct {
	in        *core.Instance
	view      core.SysctlView
	account   *allocator.Account
	slabs     slabs
	conns     *allocator.Cache[conn]
	helds     *allocator.Cache[held]
	controls  *controls
	demux     demux
	last      *conn              // in the table, found by the last look-up
	ports     map[uint16][]*conn // sockets that were bound to a port
	secret    secret
	keyed     bool
	waiting   int32      // connections in TIME-WAIT
	orphans   int32      // connections that no program has, in setOrphan
	nextPort  [16]uint32 // of RFC 6056 §3.3.4
	own       *Sysctls   // of a wiring without a table
	dirty     *conn      // connections with work at the end of a batch
	counters  counters
	event     congestion.Event    // lent to congestion controls for one call
	decision  congestion.Decision // likewise
	challenge struct {
		second core.Time
		budget uint32 // answers left in it
	}
	options wire.TCPOptions // of the segment that is being made
	segment segment         // that is being received
}

func open(in *core.Instance, view core.SysctlView, cc *controls) *Transport {
	d := in.Domain()
	t := &Transport{in: in, view: view, account: in.Account(), controls: cc}
	t.slabs = slabs{pool: d.Pool(), account: t.account, blocks: core.CacheOf[pieceBlock](d, "tcp_pieces")}
	t.conns = core.CacheOf[conn](d, "tcp_conn")
	t.helds = core.CacheOf[held](d, "tcp_held")
	return t
}

// algorithm is the congestion control of that name, the instance's for "", the
// default one for a name that is not there; nil if there is none at all.
func (t *Transport) algorithm(name string) *congestion.Algorithm {
	if name == "" {
		name = t.settings().Congestion
	}
	if a := t.controls.named(name); a != nil {
		return a
	}
	return t.controls.preset()
}

// settings are the instance's now; the defaults of a wiring without a table.
func (t *Transport) settings() *Sysctls {
	if s, ok := t.view.Block().(*Sysctls); ok {
		return s
	}
	if t.own == nil {
		t.own = sysctl.Of[Sysctls]().Default.(*Sysctls)
	}
	return t.own
}

// key is the instance's secret, made when it is first needed.
func (t *Transport) key() *secret {
	if !t.keyed {
		t.secret, t.keyed = newSecret(t.in.Random()), true
	}
	return &t.secret
}

// Close ends outlived its socket (TIME-WAIT, FIN-WAIT).
func (t *Transport) Close() {
	for _, c := range t.all() {
		c.end(0)
	}
	t.settle()
}

// all are the connections in the table.
func (t *Transport) all() []*conn {
	var out []*conn
	t.demux.each(func(r reference) {
		if c := t.at(r); c != nil {
			out = append(out, c)
		}
	})
	return out
}

// at is the connection of a reference.
func (t *Transport) at(r reference) *conn { return t.conns.At(uint32(r) - 1) }

// lookup finds the connection of a four-tuple.
func (t *Transport) lookup(u *tuple) *conn {
	if t.demux.n == 0 {
		return nil
	}
	if c := t.last; c != nil && c.tuple.equal(u) { // segments come in runs
		return c
	}
	r := t.demux.find(t.key().hash(u), func(r reference) bool {
		c := t.at(r)
		return c != nil && c.tuple.equal(u)
	})
	if r == 0 {
		return nil
	}
	t.last = t.at(r)
	return t.last
}

// Input takes segments to their connections.
func (t *Transport) Input(batch []*core.Packet) {
	for _, p := range batch {
		t.receive(p)
		p.Free()
	}
	t.settle()
}

// settle does what was put off to the end of a batch: sending what became
// possible, acknowledging, arming timers.
func (t *Transport) settle() {
	for c := t.dirty; c != nil; c = t.dirty {
		t.dirty = c.dirty
		c.dirty = nil
		c.flags &^= flagDirty
		if c.state != stateClosed {
			c.output()
			c.acknowledge()
			c.arm()
		}
		if c.woken != 0 {
			if c.socket != nil {
				c.socket.Wake(c.woken)
			}
			c.woken = 0
		}
		if c.state == stateClosed {
			c.release()
		}
	}
}

// receive checks one segment and finds whom it is for (RFC 9293 §3.10.7). p
// stays the caller's.
func (t *Transport) receive(p *core.Packet) {
	t.counters.inSegs++
	if p.LinearLen() < wire.TCPMinSize && !p.Pullup(wire.TCPMinSize) {
		t.counters.inErrs++
		return
	}
	if n := wire.TCP(p.Linear()).HeaderLen(); n > p.LinearLen() && !p.Pullup(n) {
		t.counters.inErrs++
		return
	}
	h, err := wire.ParseTCP(p.Linear())
	if err != nil || p.Dst.IsMulticast() || p.Dst.IsBroadcast() || p.Type == core.PacketBroadcast || p.Type == core.PacketMulticast {
		t.counters.inErrs++
		return
	}
	if p.Checksum == core.ChecksumUnknown {
		sum := wire.PseudoHeader(p.Src, p.Dst, wire.ProtoTCP, p.Len())
		if len(p.Frags()) == 0 {
			sum = uint32(wire.Sum(p.Linear(), sum))
		} else {
			var x wire.Checksum
			x.AddSum(sum, 0)
			p.Sum(&x, 0)
			sum = uint32(x.Fold())
		}
		if sum != 0xffff {
			t.counters.inCsumErrors++
			t.counters.inErrs++
			return
		}
	}
	// One segment at a time, kept by the Transport: making one anew each time, or by
	// a literal that is built aside and copied, costs as much as the look-up.
	s := &t.segment
	s.p, s.seq, s.ack, s.flags = p, h.Seq(), h.Ack(), h.Flags()
	s.window, s.urgent, s.skip = uint32(h.Window()), h.Urgent(), uint32(h.HeaderLen())
	s.n = uint32(p.Len()) - s.skip
	s.iss, s.renewed = 0, false
	s.opts.Has, s.opts.NumSACK = 0, 0 // without which the rest says nothing
	if s.skip > wire.TCPMinSize {
		_ = wire.ParseTCPOptions(h.Options(), &s.opts) // what came before an error counts, as in Linux
	}
	var u tuple
	u.local, u.peer, u.lport, u.pport = p.Dst, p.Src, h.DstPort(), h.SrcPort()
	c := t.lookup(&u)
	switch {
	case c == nil:
	case c.renews(s) && t.listening(&u, p) != nil: // RFC 9293 §3.6.1
		s.iss, s.renewed = c.successor(), true
		c.end(0)
	default:
		c.tally.segsIn += s.count()
		if s.n > 0 {
			c.tally.dataIn += s.count()
		}
		c.arrive(s)
		return
	}
	if l := t.listening(&u, p); l != nil {
		l.arrive(&u, s)
		return
	}
	t.refuse(&u, s)
}

// segment is one that arrived.
type segment struct {
	p      *core.Packet
	seq    wire.Seq
	ack    wire.Seq
	window uint32
	skip   uint32 // header bytes
	urgent uint16 // pointer
	n      uint32 // payload bytes
	flags  wire.TCPFlags
	opts   wire.TCPOptions
	// iss is where our numbers begin if renewed, for a connection that takes the
	// place of one in TIME-WAIT
	iss     wire.Seq
	renewed bool
}

// count is how many segments were merged into this one.
func (s *segment) count() uint32 {
	if size := uint32(s.p.SegmentSize); size != 0 && s.n > size {
		return (s.n + size - 1) / size
	}
	return 1
}

// length is what the segment takes of the sequence space.
func (s *segment) length() uint32 {
	n := s.n
	if s.flags&wire.TCPSyn != 0 {
		n++
	}
	if s.flags&wire.TCPFin != 0 {
		n++
	}
	return n
}

// quoted is the connection that an ICMP error is about, nil if there is none, and
// the sequence number of the segment.
func (t *Transport) quoted(e *core.ErrorReport) (*conn, wire.Seq) {
	q := e.Quoted
	if len(q) < 8 {
		return nil, 0
	}
	u := tuple{local: e.Src, peer: e.Dst, lport: uint16(q[0])<<8 | uint16(q[1]), pport: uint16(q[2])<<8 | uint16(q[3])}
	return t.lookup(&u), wire.Seq(uint32(q[4])<<24 | uint32(q[5])<<16 | uint32(q[6])<<8 | uint32(q[7]))
}

// Credible tells whether an ICMP error quotes a segment that waits for its
// acknowledgement (RFC 5927 §4.1): who is not on the path cannot know its number.
func (t *Transport) Credible(e *core.ErrorReport) bool {
	c, seq := t.quoted(e)
	return c != nil && seq.GEQ(c.snd.una) && seq.LT(c.snd.max)
}

// Error takes an ICMP error about a segment of ours. Only what quotes
// outstanding data counts (RFC 5927 §4.1).
func (t *Transport) Error(e *core.ErrorReport) {
	c, seq := t.quoted(e)
	if c == nil {
		return
	}
	if seq.LT(c.snd.una) || seq.GT(c.snd.max) {
		t.counters.outOfWindowICMPs++
		return
	}
	if e.MTU > 0 { // RFC 1191, RFC 8201: packet too big: the route knows the new MTU
		size := c.snd.mss
		if !c.refreshRoute() || c.snd.mss >= size {
			return // nothing in flight is too big
		}
		if c.state.in(setFlushing) { // no sign of congestion (RFC 1191 §6.5)
			c.rec.active, c.rec.timedOut = false, false
			c.goBack()
		}
		c.touch()
		t.settle()
		return
	}
	if c.state == stateTimeWait || e.Errno == 0 || e.Errno == syscall.EMSGSIZE { // a size that nobody believed is no error
		return
	}
	// RFC 1122 §4.2.3.9 would have soft errors wait for the timeout. Linux tells
	// them at once while the connection opens (net/ipv4/tcp_ipv4.c, tcp_v4_err),
	// so that another address of the host can be tried (RFC 5461 §3.1).
	if c.state.in(setOpening) {
		c.end(e.Errno)
		t.settle()
		return
	}
	// An established connection goes on, and the error is the reason if it times out;
	// who asks for errors gets it at once, and the connection goes on even so (ip(7),
	// IP_RECVERR).
	if o := c.options(); c.socket != nil && o.AsksForErrors(c.tuple.peer.Is4()) {
		c.socket.SetError(e.Errno)
		return
	}
	c.softErr = e.Errno
}
