package ipv6

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func TestExtensionHeadersAreJudged(t *testing.T) {
	udp := wt.UDP(wt.Ports(1, 2)).Payload("abcd")
	one := wt.IPv6("fd00::2", "fd00::1")
	group := wt.IPv6("fd00::2", "ff02::1")
	problem := func(code, at int) *wt.Packet {
		p := wt.ICMP("parameter problem", wt.Code(code), wt.Pointer(at))
		return &p
	}
	for _, c := range []struct {
		name      string
		in        wt.Packet
		delivered bool
		answer    *wt.Packet
	}{
		{"hop-by-hop padding", one.HopByHop(1, 4, 0, 0, 0, 0).Then(udp), true, nil},
		{"router alert", one.HopByHop(5, 2, 0, 0).Then(udp), true, nil},
		{"all known kinds", one.HopByHop().DestinationOptions().Routing(0, 0).DestinationOptions().Then(udp), true, nil},
		{"unknown option, skip", one.HopByHop(0x1e, 0).Then(udp), true, nil},
		{"unknown option, discard", one.HopByHop(0x5e, 0).Then(udp), false, nil},
		{"unknown option, report", one.HopByHop(0x9e, 0).Then(udp), false, problem(2, 42)},
		{"unknown option, report to unicast", one.DestinationOptions(0xde, 0).Then(udp), false, problem(2, 42)},
		{"unknown option, report also to a group", group.DestinationOptions(0x9e, 0).Then(udp), false, problem(2, 42)},
		{"unknown option, do not report to a group", group.DestinationOptions(0xde, 0).Then(udp), false, nil},
		{"hop-by-hop not first", one.DestinationOptions().HopByHop().Then(udp), false, problem(1, 40)},
		{"routing type 0 with segments left", one.Routing(0, 1, make([]byte, 20)...).Then(udp), false, problem(0, 42)},
		{"unknown routing type with segments left", one.Routing(77, 2).Then(udp), false, problem(0, 42)},
		{"unknown routing type without", one.Routing(77, 0).Then(udp), true, nil},
		{"too many headers", one.DestinationOptions().DestinationOptions().DestinationOptions().DestinationOptions().DestinationOptions().
			DestinationOptions().DestinationOptions().DestinationOptions().DestinationOptions().Then(udp), false, problem(8, 104)},
		{"atomic fragment", one.Fragment(9, 0, false).Then(udp), true, nil},
		{"atomic fragment behind options", one.DestinationOptions(0x1e, 0).Fragment(9, 0, false).DestinationOptions().Then(udp), true, nil},
		{"first fragment without the upper header", wt.IPv6("fd00::2", "fd00::1", wt.Proto(wire.ProtoFragment)).Payload(string(fragmentHeader(9, 0, true))), false, problem(3, 0)},
		{"fragment that is no multiple of eight", one.Fragment(9, 0, true).Then(wt.UDP(wt.Length(40)).Payload("abc")), false, problem(0, 4)},
		{"fragment beyond 65535", one.Fragment(9, 65528, false).Payload("0123456789abcdef"), false, problem(0, 42)},
		{"no next header", one.DestinationOptions().Then(wt.Packet{}), false, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.Damaged() // the answers quote what came
			w := b.raw("w0", "fd00::1/64")
			w.Inject(c.in)
			if got := len(b.udp.got) == 1; got != c.delivered {
				t.Errorf("delivered is %v", got)
			}
			if c.delivered && len(b.udp.got) == 1 && b.udp.got[0].Len() != 12 {
				t.Errorf("%d bytes were delivered", b.udp.got[0].Len())
			}
			if c.answer != nil {
				w.Expect(*c.answer)
			}
			w.ExpectNothing()
		})
	}
}

// fragments cuts a UDP datagram with n bytes of payload into pieces.
func fragments(id uint32, n, size int) (all []wt.Packet) {
	b := wt.IPv6("fd00::2", "fd00::1").UDP(wt.Ports(1, 2)).PayloadLen(n).Bytes()[headerSize:]
	for at := 0; at < len(b); at += size {
		end := min(at+size, len(b))
		all = append(all, wt.IPv6("fd00::2", "fd00::1", wt.Proto(wire.ProtoFragment)).Payload(string(fragmentHeader(id, at, end < len(b)))+string(b[at:end])))
	}
	return all
}

func fragmentHeader(id uint32, off int, more bool) []byte {
	f := make(wire.IPv6Fragment, wire.IPv6FragmentSize)
	f.Encode(wire.ProtoUDP, off, more, id)
	return f
}

func TestFragmentsBecomeTheDatagram(t *testing.T) {
	for _, c := range []struct {
		name     string
		n, size  int
		order    func([]wt.Packet) []wt.Packet
		complete bool
	}{
		{"in order", 3000, 1232, func(f []wt.Packet) []wt.Packet { return f }, true},
		{"backwards", 3000, 1232, func(f []wt.Packet) []wt.Packet { return []wt.Packet{f[2], f[1], f[0]} }, true},
		{"one twice", 3000, 1232, func(f []wt.Packet) []wt.Packet { return []wt.Packet{f[0], f[1], f[1], f[0], f[2]} }, true},
		{"one missing", 3000, 1232, func(f []wt.Packet) []wt.Packet { return []wt.Packet{f[0], f[2]} }, false},
		{"the largest", 65507 - 60, 1232, func(f []wt.Packet) []wt.Packet { return f }, true},
		{"two datagrams mixed", 1500, 800, func(f []wt.Packet) []wt.Packet { return []wt.Packet{f[1], fragments(2, 1500, 800)[1], f[0]} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.raw("w0", "fd00::1/64")
			for _, f := range c.order(fragments(1, c.n, c.size)) {
				w.Inject(f)
			}
			w.ExpectNothing()
			if got := len(b.udp.got) == 1; got != c.complete {
				t.Fatalf("complete is %v", got)
			}
			if !c.complete {
				return
			}
			p := b.udp.got[0]
			data := make([]byte, p.Len())
			p.CopyOut(0, data)
			if len(data) != c.n+8 {
				t.Fatalf("%d bytes", len(data))
			}
			sum := wire.Sum(data, wire.PseudoHeader(p.Src, p.Dst, wire.ProtoUDP, len(data)))
			if sum != 0xffff {
				t.Error("the checksum is wrong")
			}
			if b.counter("ReasmOKs") != 1 {
				t.Error("ReasmOKs is not 1")
			}
		})
	}
}

func TestOverlappingFragmentsEndTheDatagram(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	f := fragments(1, 3000, 1232)
	w.Inject(f[0])
	w.Inject(wt.IPv6("fd00::2", "fd00::1", wt.Proto(wire.ProtoFragment)).Payload(string(fragmentHeader(1, 1224, true)) + "01234567"))
	w.Inject(f[1], f[2])
	if len(b.udp.got) != 0 {
		t.Error("the datagram was delivered")
	}
	if b.counter("ReasmFails") != 1 {
		t.Errorf("ReasmFails is %d", b.counter("ReasmFails"))
	}
	b.Advance(61 * time.Second)
}

func TestLateFragmentsAreAnsweredWithTimeExceeded(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	f := fragments(1, 3000, 1232)
	w.Inject(f[0])
	b.Advance(59 * time.Second)
	w.ExpectNothing()
	b.Advance(2 * time.Second)
	w.Expect(wt.IPv6("fd00::1", "fd00::2").ICMP("time exceeded", wt.Code(1)))
	if b.counter("ReasmTimeout") != 1 || b.counter("ReasmFails") != 1 {
		t.Error("the timeout was not counted")
	}
	f = fragments(2, 3000, 1232)
	w.Inject(f[1]) // the first is missing: nobody is told
	b.Advance(61 * time.Second)
	w.ExpectNothing()
}

func TestFragmentsHoldBoundedMemory(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	set(b.in, "net.ipv6.ip6frag_high_thresh", "65536")
	for id := range uint32(200) {
		w.Inject(fragments(id, 3000, 1232)[0])
	}
	b.Domain.Do(func() {
		if held := b.in.Account().Bytes(); held > 200000 {
			t.Errorf("%d bytes are held", held)
		}
	})
	w.Sent()
	if b.counter("ReasmFails") == 0 {
		t.Error("nothing gave way")
	}
}

func TestMarksOfFragmentsCombine(t *testing.T) {
	mark := func(p wt.Packet, tos byte) []byte {
		b := p.Bytes()
		wire.IPv6(b).SetECN(tos)
		return b
	}
	for _, c := range []struct {
		name          string
		first, second byte
		want          int // -1: dropped
	}{{"one saw congestion", 2, 3, 3}, {"none did", 2, 2, 2}, {"congestion without ECN", 0, 3, -1}} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.raw("w0", "fd00::1/64")
			f := fragments(1, 1500, 800)
			w.InjectBytes(mark(f[0], c.first))
			w.InjectBytes(mark(f[1], c.second))
			switch {
			case len(b.udp.got) == 0:
				if c.want != -1 {
					t.Error("not delivered")
				}
			case int(b.udp.got[0].TOS&3) != c.want:
				t.Errorf("the mark is %d", b.udp.got[0].TOS&3)
			}
		})
	}
}

func TestSourceFragmentsAndSaysSo(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	peer := newBed(t)
	v := peer.raw("w0", "fd00::9/64")
	if err := b.send(to("fd00::9"), 4000, nil); err != nil {
		t.Fatal(err)
	}
	sent := w.Sent()
	if len(sent) != 3 {
		t.Fatalf("%d fragments", len(sent))
	}
	for _, f := range sent {
		wt.Check(t, f.Data, wt.IPv6("fd00::1", "fd00::9", wt.Proto(wire.ProtoFragment)))
		if len(f.Data) > 1500 {
			t.Errorf("a fragment has %d bytes", len(f.Data))
		}
		v.InjectBytes(f.Data)
	}
	if len(peer.udp.got) != 1 || peer.udp.got[0].Len() != 4008 {
		t.Error("the fragments do not make the datagram")
	}
	if b.counter("FragOKs") != 1 || b.counter("FragCreates") != 3 {
		t.Error("the fragments were not counted")
	}
	err := b.send(to("fd00::9"), 4000, func(p *core.Packet) { p.Flags |= core.FlagDontFragment })
	if err == nil || err.Error() != "message too long" {
		t.Errorf("with don't-fragment: %v", err)
	}
	w.ExpectNothing()
}
