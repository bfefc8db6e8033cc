package tcp_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

// The language of the segment tests. One instance has a bare wire, the test is
// its peer and speaks segments:
//
//	p := newPeer(t, addrA, addrB)
//	l := p.listen(1)
//	p.in(syn, seq(0), mss(1460))
//	p.out(synack, seq(0), ack(1))
//	p.in(plain)
//	c := l.accept()
//	p.in(plain, data("hello"))
//	c.reads("hello")
//
// Sequence numbers count from the SYN of whoever sends them, acknowledgements
// and SACK edges from the other side's. A segment of the peer has, unless it
// says otherwise, the next sequence number, acknowledges all it saw, and offers
// p.window. Of a segment of ours the named fields are compared; payload always,
// PSH only where named. What was sent and never asked for fails the test.

// control is the control bits of a segment, in tcpdump's letters.
type control string

const (
	syn     control = "S"
	synack  control = "S."
	plain   control = "." // an acknowledgement, or data
	push    control = "P."
	fin     control = "F."
	bareFin control = "F"
	rst     control = "R"
	rstack  control = "R."
	urg     control = "U."
	bare    control = "none"
)

// part is one field of a segment.
type part func(*draft)

// draft is a segment in the making: what is written, or what is expected.
type draft struct {
	seqBase, ackBase uint32 // initial numbers of who sends it and of the other
	valBase, ecrBase uint32 // of the timestamps likewise
	seq, ack, win    *uint32
	fields           []wiretest.Field
	data             string
	length           int
}

func (d *draft) add(f wiretest.Field) { d.fields = append(d.fields, f) }

// seq is the sequence number, from the sender's SYN on.
func seq(n int) part { return func(d *draft) { v := d.seqBase + uint32(n); d.seq = &v } }

// ack is the acknowledgement number, from the SYN of the other side on.
func ack(n int) part { return func(d *draft) { v := d.ackBase + uint32(n); d.ack = &v } }

// win is the window field, as it stands in the header.
func win(n int) part { return func(d *draft) { v := uint32(n); d.win = &v } }

func mss(n int) part     { return func(d *draft) { d.add(wiretest.MSS(n)) } }
func wscale(n int) part  { return func(d *draft) { d.add(wiretest.WScale(n)) } }
func sackOK() part       { return func(d *draft) { d.add(wiretest.SACKPermitted()) } }
func urgent(n int) part  { return func(d *draft) { d.add(wiretest.Urgent(n)) } }
func badSum() part       { return func(d *draft) { d.add(wiretest.BadChecksum()) } }
func raw(b ...byte) part { return func(d *draft) { d.add(wiretest.TCPOptions(b...)) } }

// without expects that an option is missing: "mss", "wscale", "sackOK",
// "timestamps", "sack".
func without(names ...string) part {
	return func(d *draft) {
		for _, n := range names {
			d.add(wiretest.Without(n))
		}
	}
}

// ts is a timestamp option. Those of the peer are as they are, ours count
// milliseconds from our first.
func ts(val, ecr int) part {
	return func(d *draft) { d.add(wiretest.Timestamps(d.valBase+uint32(val), d.ecrBase+uint32(ecr))) }
}

// sack is a SACK option, as pairs of edges.
func sack(edges ...int) part {
	return func(d *draft) {
		v := make([]uint32, len(edges))
		for i, e := range edges {
			v[i] = d.ackBase + uint32(e)
		}
		d.add(wiretest.SACK(v...))
	}
}

// data is the payload.
func data(s string) part { return func(d *draft) { d.data, d.length = s, len(s) } }

// length is a payload of a length, whatever is in it.
func length(n int) part { return func(d *draft) { d.data, d.length = "", n } }

// peer is the other end of one connection of the instance under test.
type peer struct {
	*coretest.Rig
	host          *core.Instance
	wire          *coretest.Wire
	local, remote string // addresses, of the instance and of the peer
	port, from    int    // ports likewise
	window        int    // offered by segments that say nothing else

	iss, irs       uint32 // SYN of the peer, of the instance
	known          bool   // irs was seen
	sent, received int    // end of what either side sent, from its SYN on
	tsBase         uint32 // first timestamp of the instance
	stamped        bool   // it was seen
}

// newPeer makes an instance with the address local, and its peer.
func newPeer(t testing.TB, local, remote string) *peer {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1))
	p := &peer{Rig: r, host: r.Instance("host", wiring()), local: local, remote: remote, port: 80, from: 40000, window: 65535}
	p.wire = r.Wire(p.host, "eth0", core.LinkRaw, addrA+"/24", addrA6+"/64")
	p.iss = 0xffffff80 // numbers wrap early, and so in every test
	r.Advance(20 * time.Second)
	p.wire.Sent()
	t.Cleanup(p.silent)
	return p
}

// eachFamily runs a test over IPv4 and over IPv6.
func eachFamily(t *testing.T, test func(t *testing.T, p *peer)) {
	t.Helper()
	t.Run("IPv4", func(t *testing.T) { test(t, newPeer(t, addrA, addrB)) })
	t.Run("IPv6", func(t *testing.T) { test(t, newPeer(t, addrA6, addrB6)) })
}

// at is another peer of the same instance, at another port.
func (p *peer) at(port int) *peer {
	q := *p
	q.from = port
	q.forget(p.iss + uint32(port)<<8)
	return &q
}

// forget begins a new connection at the initial sequence number iss.
func (p *peer) forget(iss uint32) {
	p.iss, p.irs, p.known, p.sent, p.received, p.tsBase, p.stamped = iss, 0, false, 0, 0, 0, false
}

// segment is the peer's segment as a packet.
func (p *peer) segment(c control, parts ...part) wiretest.Packet {
	d := draft{seqBase: p.iss, ackBase: p.irs, ecrBase: p.tsBase}
	seq(p.sent)(&d)
	win(p.window)(&d)
	if strings.Contains(string(c), ".") {
		ack(p.received)(&d)
	}
	for _, f := range parts {
		f(&d)
	}
	fields := append(d.fields, wiretest.Flags(string(c)), wiretest.Ports(p.from, p.port), wiretest.Seq(*d.seq), wiretest.Window(int(*d.win)))
	if d.ack != nil {
		fields = append(fields, wiretest.Ack(*d.ack))
	}
	end := int(int32(*d.seq-p.iss)) + d.length + strings.Count(string(c), "S") + strings.Count(string(c), "F")
	if !strings.Contains(string(c), "R") {
		p.sent = max(p.sent, end)
	}
	x := wiretest.IP(p.remote, p.local).TCP(fields...)
	if d.data != "" {
		return x.Payload(d.data)
	}
	return x.PayloadLen(d.length)
}

// in lets a segment of the peer arrive.
func (p *peer) in(c control, parts ...part) {
	p.T.Helper()
	p.wire.Inject(p.segment(c, parts...))
	p.Advance(0)
}

// next takes the next TCP segment or ICMP error that the instance sent; nil if
// there is none. Neighbour and group chatter is passed over.
func (p *peer) next() []byte {
	for {
		f, ok := p.wire.Next()
		if !ok {
			return nil
		}
		b := f.Data
		switch {
		case b[0]>>4 == 4 && (b[9] == wire.ProtoTCP || b[9] == wire.ProtoICMP):
			return b
		case b[0]>>4 == 6 && (b[6] == wire.ProtoTCP || b[6] == wire.ProtoICMPv6 && b[40] < 128):
			return b
		}
	}
}

// tcpOf is the TCP header in an IP packet without options.
func tcpOf(b []byte) wire.TCP {
	if b[0]>>4 == 4 {
		return wire.TCP(b[wire.IPv4MinSize:])
	}
	return wire.TCP(b[wire.IPv6Size:])
}

// seen is a segment of ours as the peer saw it, numbers relative.
type seen struct {
	flags    wire.TCPFlags
	seq, ack int
	window   int
	opts     wire.TCPOptions
	data     string
}

// read takes the next segment of ours whatever it is; ok is false when there is
// none.
func (p *peer) read() (s seen, frame []byte, ok bool) {
	p.T.Helper()
	b := p.next()
	if b == nil {
		return s, nil, false
	}
	h := tcpOf(b)
	if h.Flags()&wire.TCPSyn != 0 && (!p.known || uint32(h.Seq()) != p.irs) && int(h.DstPort()) == p.from {
		p.irs, p.known, p.received, p.stamped = uint32(h.Seq()), true, 0, false
	}
	_ = wire.ParseTCPOptions(h.Options(), &s.opts)
	if s.opts.Has&wire.TCPHasTimestamp != 0 && !p.stamped {
		p.tsBase, p.stamped = s.opts.TSVal, true
	}
	s.flags, s.window, s.data = h.Flags(), int(h.Window()), string(h[h.HeaderLen():])
	s.seq, s.ack = int(int32(uint32(h.Seq())-p.irs)), int(int32(uint32(h.Ack())-p.iss))
	end := s.seq + len(s.data)
	if s.flags&wire.TCPSyn != 0 {
		end++
	}
	if s.flags&wire.TCPFin != 0 {
		end++
	}
	if s.flags&wire.TCPRst == 0 && int(h.DstPort()) == p.from {
		p.received = max(p.received, end)
	}
	return s, b, true
}

// out takes the next segment that the instance sent and checks it.
func (p *peer) out(c control, parts ...part) seen {
	p.T.Helper()
	s, b, ok := p.read()
	if !ok {
		p.T.Fatalf("nothing was sent, and %q was expected", c)
	}
	d := draft{seqBase: p.irs, ackBase: p.iss, valBase: p.tsBase}
	for _, f := range parts {
		f(&d)
	}
	h := tcpOf(b)
	flags := h.Flags()
	if !strings.Contains(string(c), "P") {
		flags &^= wire.TCPPsh
	}
	if want, _ := wire.ParseTCPFlags(string(c)); want != flags {
		p.T.Fatalf("expected flags %q: %s", c, wire.Summary(b, wire.LinkRaw))
	}
	fields := append(d.fields, wiretest.Ports(p.port, p.from))
	relative := func(name string, want *uint32, got int, base uint32, make func(uint32) wiretest.Field) {
		if want == nil {
			return
		}
		fields = append(fields, make(*want))
		if w := int(int32(*want - base)); w != got {
			p.T.Errorf("%s %d, expected %d", name, got, w)
		}
	}
	relative("seq", d.seq, s.seq, p.irs, wiretest.Seq)
	relative("ack", d.ack, s.ack, p.iss, wiretest.Ack)
	if d.win != nil {
		fields = append(fields, wiretest.Window(int(*d.win)))
	}
	switch {
	case len(s.data) != d.length:
		p.T.Errorf("%d bytes of payload, expected %d", len(s.data), d.length)
	case d.data != "" && s.data != d.data:
		p.T.Errorf("payload %q, expected %q", s.data, d.data)
	}
	wiretest.Check(p.T, b, wiretest.IP(p.local, p.remote).TCP(fields...))
	return s
}

// silent checks that nothing was sent that was not asked for.
func (p *peer) silent() {
	p.T.Helper()
	for b := p.next(); b != nil; b = p.next() {
		p.T.Errorf("a segment nobody asked for: %s", wire.Summary(b, wire.LinkRaw))
	}
}

// drop forgets what was sent and tells how many segments it was.
func (p *peer) drop() (n int) {
	for _, _, ok := p.read(); ok; _, _, ok = p.read() {
		n++
	}
	return n
}

// wait lets d pass.
func (p *peer) wait(d time.Duration) { p.Advance(d) }

// sends checks that nothing is sent before d has passed, and that something is
// then: what follows is out's to check.
func (p *peer) sends(d time.Duration) {
	p.T.Helper()
	p.quiet(d - time.Millisecond)
	p.Advance(time.Millisecond)
}

// quiet checks that nothing is sent for d.
func (p *peer) quiet(d time.Duration) {
	p.T.Helper()
	p.silent()
	p.Advance(d)
	p.silent()
}

// icmp lets an ICMP error arrive about our segment with the sequence number seq.
func (p *peer) icmp(message string, code, seq int, fields ...wiretest.Field) {
	p.T.Helper()
	q := wiretest.IP(p.local, p.remote).TCP(wiretest.Ports(p.port, p.from), wiretest.Seq(p.irs+uint32(seq)))
	p.wire.Inject(wiretest.IP(p.remote, p.local).ICMP(message, append(fields, wiretest.Code(code), wiretest.Quote(q))...))
	p.Advance(0)
}
