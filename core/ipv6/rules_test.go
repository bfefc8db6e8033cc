package ipv6

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func TestUnknownNeighboursAreNotLearntFromAdvertisements(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	w.Inject(wt.Ethernet(them, us).IPv6("fd00::2", "fd00::1", wt.TTL(255)).NeighborAdvert("SO", "fd00::2", wt.TargetLL(them)))
	b.Domain.Do(func() {
		if n := len(w.Interface.Neighbours()); n != 0 {
			t.Errorf("%d neighbours (RFC 4861 §7.2.5)", n)
		}
	})
}

func TestSolicitationsComeFromTheWaitingPacketsSource(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64", "fd00::5/64")
	for i, src := range []string{"fd00::1", "fd00::5"} {
		dst := []string{"fd00::77", "fd00::78"}[i]
		if err := b.send(core.RouteQuery{Dst: wire.MustAddr(dst), Src: wire.MustAddr(src)}, 1, nil); err != nil {
			t.Fatal(err)
		}
		w.Expect(wt.IPv6(src, nil).NeighborSolicit(dst))
	}
	w.ExpectNothing()
}

func TestErrorsAreAboutWholeTransportHeaders(t *testing.T) {
	short := wt.IPv6("fd00::1", "fd05::9", wt.Proto(wire.ProtoUDP)).Payload("1234567")
	later := wt.IPv6("fd00::1", "fd05::9", wt.Proto(wire.ProtoFragment)).Payload(string(fragmentHeader(1, 8, true)) + "12345678")
	for name, quote := range map[string]wt.Packet{"seven bytes": short, "a later fragment": later} {
		b := newBed(t)
		w := b.raw("w0", "fd00::1/64")
		w.InjectBytes(errorAbout(quote.Bytes()))
		if len(b.udp.errors) != 0 {
			t.Errorf("%s was reported", name)
		}
	}
	first := wt.IPv6("fd00::1", "fd05::9", wt.Proto(wire.ProtoFragment)).Payload(string(fragmentHeader(1, 0, true)) + "12345678")
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	w.InjectBytes(errorAbout(first.Bytes()))
	if len(b.udp.errors) != 1 {
		t.Error("an error about the first fragment was not reported")
	}
}

// errorAbout is a port unreachable message that quotes b as it is.
func errorAbout(b []byte) []byte {
	m := make(wire.ICMPv6, wire.ICMPv6BodySize, wire.ICMPv6BodySize+len(b))
	m.Encode(wire.ICMPv6Unreachable, wire.ICMPv6PortUnreachable, 0)
	m = append(m, b...)
	m.UpdateChecksum(wire.MustAddr("fd00::7"), wire.MustAddr("fd00::1"))
	return wt.IPv6("fd00::7", "fd00::1", wt.Proto(wire.ProtoICMPv6)).Payload(string(m)).Bytes()
}

func TestHeadersMadeByTheCallerAreSentAsTheyAre(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0", "fd00::1/64")
	raw := wt.IPv6("fd00::42", "fd00::9", wt.TTL(3)).UDP(wt.Ports(1, 2)).Bytes()
	send := func(bytes []byte) (err error) {
		b.Domain.Do(func() {
			r, rerr := b.in.Route(to("fd00::9"))
			if rerr != nil {
				t.Fatal(rerr)
			}
			p := b.in.NewPacket(core.Headroom, 2000)
			copy(p.Put(len(bytes)), bytes)
			p.Src, p.Dst, p.Protocol, p.Route = wire.MustAddr("fd00::42"), r.Dst, wire.ProtoUDP, r
			p.Flags |= core.FlagHeader
			err = b.in.Output(p)
		})
		return err
	}
	if err := send(raw); err != nil {
		t.Fatal(err)
	}
	w.Expect(wt.IPv6("fd00::42", "fd00::9", wt.TTL(3)).UDP(wt.Ports(1, 2)))
	if err := send(raw[:39]); err == nil {
		t.Error("39 bytes are no header")
	}
	if err := send(make([]byte, 1501)); err == nil {
		t.Error("more than the MTU cannot be fragmented here")
	}
	w.ExpectNothing()
}

func TestSuperSegmentsAreJudgedByTheirSegments(t *testing.T) {
	for _, c := range []struct {
		name    string
		segment int
		packet  wt.Packet
		fits    bool
	}{
		{"TCP that fits", 1440, wt.TCP().PayloadLen(4000), true},
		{"TCP that does not", 1441, wt.TCP().PayloadLen(4000), false},
		{"TCP with options that fits", 1428, wt.TCP(wt.Timestamps(1, 2)).PayloadLen(4000), true},
		{"TCP with options that does not", 1429, wt.TCP(wt.Timestamps(1, 2)).PayloadLen(4000), false},
		{"UDP that fits", 1452, wt.UDP().PayloadLen(4000), true},
		{"UDP that does not", 1453, wt.UDP().PayloadLen(4000), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			b.Damaged() // what comes has no checksums
			set(b.in, "net.ipv6.conf.all.forwarding", "1")
			w0, w1 := b.raw("w0", "fd00::1/64"), b.raw("w1", "fd01::1/64")
			w0.InjectFrames(core.Frame{Data: wt.IPv6("fd00::2", "fd01::2").Then(c.packet).Bytes(), Meta: core.FrameMeta{SegmentSize: uint16(c.segment)}})
			if _, passed := w1.Next(); passed != c.fits {
				t.Errorf("forwarded: %v", passed)
			}
		})
	}
}

func TestAddressesWithLifetimesOfTheAdministratorEnd(t *testing.T) {
	b := newBed(t)
	w := b.raw("w0")
	b.Domain.Do(func() {
		now := b.in.Now()
		for i, a := range []*core.Address{
			{Prefix: wire.MustPrefix("fd00::1/64"), Valid: now.Add(10 * time.Second)},
			{Prefix: wire.MustPrefix("fd00::2/64"), Preferred: now.Add(10 * time.Second)},
		} {
			if err := w.Interface.AddAddressLocked(a); err != nil {
				t.Fatal(i, err)
			}
		}
	})
	b.Advance(11 * time.Second)
	if _, ok := b.flags(w.Interface, "fd00::1"); ok {
		t.Error("the address outlived its lifetime")
	}
	if f, _ := b.flags(w.Interface, "fd00::2"); f&core.AddressDeprecated == 0 {
		t.Error("the address is not deprecated")
	}
}

func TestALinkLocalAddressBelongsToItsLink(t *testing.T) {
	b := newBed(t)
	w0 := b.raw("w0", "fe80::1/64")
	b.raw("w1", "fe80::2/64")
	w0.Inject(wt.IPv6("fe80::9", "fe80::2").UDP(wt.Ports(1, 2)))
	w0.ExpectNothing()
	if len(b.udp.got) != 0 {
		t.Error("the address of another link was reached")
	}
	w0.Inject(wt.IPv6("fe80::9", "fe80::1").UDP(wt.Ports(1, 2)))
	if len(b.udp.got) != 1 {
		t.Error("the address of the link was not reached")
	}
}

func TestLinkLayerBroadcastsAreNotForwardedNorAnswered(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	w0, w1 := b.wire("eth0", "fd00::1/64"), b.raw("w1", "fd01::1/64")
	w1.Sent()
	w0.Inject(wt.Ethernet(them, "33:33:00:00:00:01").IPv6("fd00::2", "fd01::2").UDP(wt.Ports(1, 2)))
	w0.Inject(wt.Ethernet(them, "33:33:00:00:00:01").IPv6("fd00::2", "fd00::1", wt.Proto(200)).Payload("12345678"))
	w0.ExpectNothing()
	w1.ExpectNothing()
}

func TestRejectedRoutesAreToldApart(t *testing.T) {
	for _, c := range []struct {
		typ  core.RouteType
		code int // -1: silence
	}{{core.RouteBlackhole, -1}, {core.RouteProhibit, 1}, {core.RouteUnreachable, 0}, {core.RouteThrow, 0}} {
		b := newBed(t)
		set(b.in, "net.ipv6.conf.all.forwarding", "1")
		w := b.raw("w0", "fd00::1/64")
		if err := b.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix("fd07::/64"), Type: c.typ}); err != nil {
			t.Fatal(err)
		}
		w.Inject(wt.IPv6("fd00::2", "fd07::1").UDP(wt.Ports(1, 2)))
		if c.code >= 0 {
			w.Expect(wt.ICMP("unreachable", wt.Code(c.code)))
		}
		w.ExpectNothing()
	}
}

func TestDiscoveryInFragmentsIsIgnored(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	ask := wt.Ethernet(them, "33:33:ff:00:00:01").IPv6("fd00::2", "ff02::1:ff00:1", wt.TTL(255))
	w.Inject(ask.Fragment(1, 0, false).NeighborSolicit("fd00::1", wt.SourceLL(them)))
	w.ExpectNothing()
	w.Inject(ask.DestinationOptions().NeighborSolicit("fd00::1", wt.SourceLL(them)))
	w.Expect(wt.NeighborAdvert("SO", "fd00::1"))
}
