package ipv6

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func TestEchoIsAnswered(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	w.Inject(wt.IPv6("fd00::2", "fd00::1", wt.TOS(0x28)).Echo(7, 9).Payload("are you there"))
	w.Expect(wt.IPv6("fd00::1", "fd00::2", wt.TTL(64), wt.TOS(0x28)).EchoReply(7, 9).Payload("are you there"))
	w.ExpectNothing()
}

func TestNeighbourIsSolicitedBeforeTheReply(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1").Echo(1, 1))
	w.Expect(wt.Ethernet(us, "33:33:ff:00:00:02").IPv6("fd00::1", "ff02::1:ff00:2", wt.TTL(255)).NeighborSolicit("fd00::2", wt.SourceLL(us)))
	w.ExpectNothing()
	w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1", wt.TTL(255)).NeighborAdvert("SO", "fd00::2", wt.TargetLL(them)))
	w.Expect(wt.Ethernet(us, them).IPv6("fd00::1", "fd00::2").EchoReply(1, 1))
	w.ExpectNothing()
}

func TestSolicitationIsAnswered(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	w.Inject(wt.Ethernet(them, "33:33:ff:00:00:01").IPv6("fd00::2", "ff02::1:ff00:1", wt.TTL(255)).NeighborSolicit("fd00::1", wt.SourceLL(them)))
	w.Expect(wt.Ethernet(us, them).IPv6("fd00::1", "fd00::2", wt.TTL(255)).NeighborAdvert("SO", "fd00::1", wt.TargetLL(us)))
	w.ExpectNothing()
}

func TestDatagramIsDelivered(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	w.Inject(wt.IPv6("fd00::2", "fd00::1").UDP(wt.Ports(5, 6)).Payload("hello"))
	w.ExpectNothing()
	if len(b.udp.got) != 1 {
		t.Fatalf("%d datagrams were delivered", len(b.udp.got))
	}
	p := b.udp.got[0]
	if p.Src != wire.MustAddr("fd00::2") || p.Dst != wire.MustAddr("fd00::1") || p.Protocol != wire.ProtoUDP || p.Len() != 13 {
		t.Errorf("delivered %v > %v protocol %d, %d bytes", p.Src, p.Dst, p.Protocol, p.Len())
	}
	if got := b.counter("InDelivers"); got != 1 {
		t.Errorf("InDelivers is %d", got)
	}
}

func TestDatagramToOurselvesComesBack(t *testing.T) {
	b := newBed(t)
	b.raw("w0", "fd00::1/64")
	if err := b.send(to("fd00::1"), 10, nil); err != nil {
		t.Fatal(err)
	}
	if len(b.udp.got) != 1 {
		t.Fatalf("%d datagrams were delivered", len(b.udp.got))
	}
}

func TestWhatTheHeaderForbidsIsDroppedAndCounted(t *testing.T) {
	udp := wt.UDP(wt.Ports(1, 2))
	for _, c := range []struct {
		name, counter string
		frame         []byte
	}{
		{"multicast source", "InHdrErrors", wt.IPv6("ff02::5", "fd00::1").Then(udp).Bytes()},
		{"loopback source", "InHdrErrors", wt.IPv6("::1", "fd00::1").Then(udp).Bytes()},
		{"loopback destination", "InHdrErrors", wt.IPv6("fd00::2", "::1").Then(udp).Bytes()},
		{"interface-local group", "InHdrErrors", wt.IPv6("fd00::2", "ff01::1").Then(udp).Bytes()},
		{"unspecified destination", "InAddrErrors", wt.IPv6("fd00::2", "::").Then(udp).Bytes()},
		{"v4-mapped source", "InAddrErrors", wt.IPv6("::ffff:1.2.3.4", "fd00::1").Then(udp).Bytes()},
		{"not for us", "InAddrErrors", wt.IPv6("fd00::2", "fd00::77").Then(udp).Bytes()},
		{"too short for its header", "InTruncatedPkts", wt.IPv6("fd00::2", "fd00::1").Then(udp).Bytes()[:39]},
		{"shorter than its length", "InTruncatedPkts", wt.IPv6("fd00::2", "fd00::1", wt.Length(9)).Then(udp).Bytes()},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.raw("w0", "fd00::1/64")
			w.InjectBytes(c.frame)
			w.ExpectNothing()
			if got := b.counter(c.counter); got != 1 {
				t.Errorf("%s is %d", c.counter, got)
			}
			if len(b.udp.got) != 0 {
				t.Error("it was delivered")
			}
		})
	}
}

func TestPaddingOfTheLinkIsCutOff(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	w.InjectBytes(append(wt.IPv6("fd00::2", "fd00::1").UDP(wt.Ports(1, 2)).Payload("abc").Bytes(), make([]byte, 20)...))
	if len(b.udp.got) != 1 || b.udp.got[0].Len() != 11 {
		t.Error("the padding was delivered")
	}
}

func TestForwardingTakesOneHop(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	w0, w1 := b.raw("w0", "fd00::1/64"), b.raw("w1", "fd01::1/64")
	w0.Inject(wt.IPv6("fd00::2", "fd01::2", wt.TTL(9), wt.FlowLabel(77)).UDP(wt.Ports(1, 2)).Payload("x"))
	w1.Expect(wt.IPv6("fd00::2", "fd01::2", wt.TTL(8), wt.FlowLabel(77)).UDP(wt.Ports(1, 2)).Payload("x"))
	w0.ExpectNothing()
	if got := b.counter("OutForwDatagrams"); got != 1 {
		t.Errorf("OutForwDatagrams is %d", got)
	}
}

func TestWhatARouterRefusesItAnswers(t *testing.T) {
	big := wt.IPv6("fd00::2", "fd01::2").UDP(wt.Ports(1, 2)).PayloadLen(1400)
	for _, c := range []struct {
		name      string
		in        wt.Packet
		answer    wt.Packet
		has, want int
	}{
		{"hop limit 1", wt.IPv6("fd00::2", "fd01::2", wt.TTL(1)).UDP(), wt.ICMP("time exceeded", wt.Code(0)), 1500, 1},
		{"no route", wt.IPv6("fd00::2", "fd77::2").UDP(), wt.ICMP("unreachable", wt.Code(0)), 1500, 1},
		{"too big", big, wt.ICMP("packet too big", wt.MTU(1300)), 1300, 1},
		{"link-local source", wt.IPv6("fe80::2", "fd01::2").UDP(), wt.ICMP("unreachable", wt.Code(2)), 1500, 1},
		{"link-local destination", wt.IPv6("fd00::2", "fe80::77").UDP(), wt.Packet{}, 1500, 0},
		{"error about an error", wt.IPv6("fd00::2", "fd01::2", wt.TTL(1)).ICMP("unreachable", wt.Quote(wt.IPv6("::1", "::1"))), wt.Packet{}, 1500, 0},
		{"error about a redirect", wt.IPv6("fd00::2", "fd01::2", wt.TTL(1)).ICMP("redirect", wt.Target("fe80::1"), wt.Destination("fd00::9")), wt.Packet{}, 1500, 0},
		{"unspecified source", wt.IPv6("::", "fd01::2", wt.TTL(1)).UDP(), wt.Packet{}, 1500, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			set(b.in, "net.ipv6.conf.all.forwarding", "1")
			w0, w1 := b.raw("w0", "fd00::1/64", "fe80::1/64"), b.raw("w1", "fd01::1/64")
			if err := w1.Interface.SetMTU(c.has); err != nil {
				t.Fatal(err)
			}
			w0.Inject(c.in)
			w1.ExpectNothing()
			if c.want == 1 {
				f := w0.Expect(c.answer)
				if len(f) > 1280 {
					t.Errorf("the error has %d bytes", len(f))
				}
			}
			w0.ExpectNothing()
		})
	}
}

func TestAHostForwardsNothing(t *testing.T) {
	b := newBed(t)
	w0, w1 := b.raw("w0", "fd00::1/64"), b.raw("w1", "fd01::1/64")
	w0.Inject(wt.IPv6("fd00::2", "fd01::2").UDP(wt.Ports(1, 2)))
	w0.ExpectNothing()
	w1.ExpectNothing()
}

func TestUnknownProtocolIsAParameterProblem(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	w.Inject(wt.IPv6("fd00::2", "fd00::1", wt.Proto(200)).Payload("12345678"))
	w.Expect(wt.IPv6("fd00::1", "fd00::2").ICMP("parameter problem", wt.Code(1), wt.Pointer(6)))
	w.Inject(wt.IPv6("fd00::2", "fd00::1").DestinationOptions().Then(wt.Payload("12345678")))
	w.Expect(wt.IPv6("fd00::1", "fd00::2").ICMP("parameter problem", wt.Code(1), wt.Pointer(40)))
	if got := b.counter("InUnknownProtos"); got != 2 {
		t.Errorf("InUnknownProtos is %d", got)
	}
	w.Inject(wt.IPv6("fd00::2", "fd00::1", wt.Proto(wire.ProtoNoNext)))
	w.ExpectNothing()
}

func TestOutputMakesTheHeader(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	if err := b.send(to("fd00::9"), 5, func(p *core.Packet) { p.TOS, p.HopLimit = 0xb8, 3 }); err != nil {
		t.Fatal(err)
	}
	f := w.Expect(wt.IPv6("fd00::1", "fd00::9", wt.TOS(0xb8), wt.TTL(3)).UDP(wt.Ports(1000, 2000), wt.Length(13)))
	label := wire.IPv6(f).FlowLabel()
	if label == 0 {
		t.Error("there is no flow label")
	}
	if err := b.send(to("fd00::9"), 6, nil); err != nil {
		t.Fatal(err)
	}
	if f = w.Expect(wt.IPv6("fd00::1", "fd00::9", wt.TTL(64))); wire.IPv6(f).FlowLabel() != label {
		t.Error("one flow has two labels")
	}
	set(b.in, "net.ipv6.auto_flowlabels", "0")
	if err := b.send(to("fd00::9"), 6, nil); err != nil {
		t.Fatal(err)
	}
	w.Expect(wt.IPv6("fd00::1", "fd00::9", wt.FlowLabel(0)))
}
