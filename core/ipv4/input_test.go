package ipv4_test

import (
	"strings"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

// damage changes one byte of a packet.
func damage(p Packet, at int, v byte) []byte {
	b := p.Bytes()
	b[at] = v
	return b
}

func TestBadHeadersAreDroppedAndCounted(t *testing.T) {
	good := IPv4(peer, us).UDP(Ports(5, 6)).Payload("hello")
	for _, x := range []struct {
		name    string
		frame   []byte
		group   string
		counter string
	}{
		{"shorter than a header", good.Bytes()[:19], "Ip", "InHdrErrors"},
		{"header length below 20", damage(good, 0, 0x44), "Ip", "InHdrErrors"},
		{"header longer than the packet", damage(good, 0, 0x4f), "Ip", "InHdrErrors"},
		{"header checksum", damage(good, 8, 7), "Ip", "InHdrErrors"},
		{"total length below the header", IPv4(peer, us, Length(19)).UDP(Ports(5, 6)).Bytes(), "Ip", "InHdrErrors"},
		{"total length beyond the frame", IPv4(peer, us, Length(60)).UDP(Ports(5, 6)).Bytes(), "IpExt", "InTruncatedPkts"},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t)
			w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
			w.InjectBytes(x.frame)
			b.count(t, x.group, x.counter, 1)
			b.count(t, "Ip", "InReceives", 1)
			w.ExpectNothing()
			if len(b.sink.packets) != 0 {
				t.Errorf("delivered: %v", b.sink.packets)
			}
		})
	}
}

func TestHeaderChecksumErrorsAreCountedTwice(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us, BadChecksum()).UDP(Ports(5, 6)))
	b.count(t, "IpExt", "InCsumErrors", 1)
	b.count(t, "Ip", "InHdrErrors", 1)
}

func TestLinkPaddingIsCutOff(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.InjectBytes(append(IPv4(peer, us).UDP(Ports(5, 6)).Payload("hi").Bytes(), make([]byte, 16)...))
	if len(b.sink.packets) != 1 || len(b.sink.packets[0].Data) != 10 {
		t.Errorf("got %v", b.sink.packets)
	}
}

func TestImpossibleAddressesAreMartian(t *testing.T) {
	for _, x := range []struct{ name, src, dst string }{
		{"multicast source", "224.0.0.5", us},
		{"limited broadcast source", "255.255.255.255", us},
		{"network's broadcast as source", "10.0.0.255", us},
		{"loopback source", "127.0.0.1", us},
		{"zero source to a host", "0.0.0.0", us},
		{"source of network 0", "0.1.2.3", us},
		{"our own source", us, us},
		{"loopback destination", peer, "127.0.0.1"},
		{"destination of network 0", peer, "0.0.0.1"},
		{"loopback source to all", "127.0.0.1", "255.255.255.255"},
		{"our own source to a group", us, "224.0.0.1"},
	} {
		t.Run(x.name, func(t *testing.T) {
			b := newBench(t)
			w := b.Wire(b.in, "eth0", core.LinkEthernet, us+"/24")
			w.Sent()
			b.set(t, "net.ipv4.ip_forward", "1")
			w.Inject(Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01").IPv4(x.src, x.dst).UDP(Ports(5, 6)))
			b.count(t, "Ip", "InAddrErrors", 1)
			b.count(t, "Ip", "InDelivers", 0)
			w.ExpectNothing()
		})
	}
}

func TestAcceptLocalAndRouteLocalnet(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.set(t, "net.ipv4.conf.w0.accept_local", "1")
	w.Inject(IPv4(us, us).UDP(Ports(5, 6)))
	b.set(t, "net.ipv4.conf.all.route_localnet", "1")
	w.Inject(IPv4("127.0.0.9", us).UDP(Ports(5, 6)))
	if len(b.sink.packets) != 2 {
		t.Errorf("got %v", b.sink.packets)
	}
}

func TestBroadcastsAreDelivered(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "eth0", core.LinkEthernet, us+"/24")
	w.Sent()
	for _, dst := range []string{"255.255.255.255", "10.0.0.255"} {
		w.Inject(Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").IPv4(peer, dst).UDP(Ports(5, 6)))
	}
	// A host without an address asks for one (RFC 2131).
	w.Inject(Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").IPv4("0.0.0.0", "255.255.255.255").UDP(Ports(68, 67)))
	if len(b.sink.packets) != 3 {
		t.Errorf("got %v", b.sink.packets)
	}
	b.count(t, "IpExt", "InBcastPkts", 3)
	w.ExpectNothing()
}

func TestUnicastInABroadcastFrame(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "eth0", core.LinkEthernet, us+"/24")
	w.Sent()
	p := Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").IPv4(peer, us).UDP(Ports(5, 6))
	w.Inject(p)
	b.set(t, "net.ipv4.conf.eth0.drop_unicast_in_l2_multicast", "1")
	w.Inject(p)
	if len(b.sink.packets) != 1 {
		t.Errorf("got %v", b.sink.packets)
	}
	b.set(t, "net.ipv4.ip_forward", "1")
	w.Inject(Ethernet("02:00:00:00:00:02", "ff:ff:ff:ff:ff:ff").IPv4(peer, "10.0.0.7").UDP(Ports(5, 6)))
	b.count(t, "Ip", "ForwDatagrams", 0)
	b.count(t, "Ip", "InDiscards", 1)
}

func TestGroupsAreFiltered(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	p := IPv4(peer, "239.1.2.3", TTL(1)).UDP(Ports(5, 6))
	w.Inject(p)
	if len(b.sink.packets) != 0 {
		t.Errorf("a group nobody joined was delivered")
	}
	b.Domain.Do(func() { w.Interface.JoinGroup(addr("239.1.2.3")) })
	w.Sent()
	w.Inject(p)
	if len(b.sink.packets) != 1 {
		t.Errorf("a group that was joined was not delivered")
	}
	b.count(t, "IpExt", "InMcastPkts", 2)
}

func TestReversePathFilter(t *testing.T) {
	for _, x := range []struct {
		mode string
		src  string
		ok   bool
	}{
		{"0", "10.1.0.9", true},   // another interface's network
		{"0", "192.0.2.1", true},  // no way back at all
		{"1", peer, true},         // strict: the way back is this interface
		{"1", "10.1.0.9", false},  // strict: it is another
		{"2", "10.1.0.9", true},   // loose: there is one
		{"2", "192.0.2.1", false}, // loose: there is none
		{"1", "192.0.2.1", false},
	} {
		t.Run(x.mode+" "+x.src, func(t *testing.T) {
			b := newBench(t)
			w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
			b.Wire(b.in, "w1", core.LinkRaw, "10.1.0.1/24")
			b.set(t, "net.ipv4.conf.w0.rp_filter", x.mode)
			w.Inject(IPv4(x.src, us).UDP(Ports(5, 6)), IPv4(x.src, us).UDP(Ports(5, 6)))
			if got := len(b.sink.packets) == 2; got != x.ok {
				t.Errorf("delivered %v", b.sink.packets)
			}
		})
	}
}

func TestReversePathFilterTakesTheGreaterOfAllAndInterface(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.set(t, "net.ipv4.conf.all.rp_filter", "2")
	b.set(t, "net.ipv4.conf.w0.rp_filter", "1")
	w.Inject(IPv4("192.0.2.1", us).UDP(Ports(5, 6)))
	b.count(t, "Ip", "InAddrErrors", 1)
	b.set(t, "net.ipv4.conf.all.rp_filter", "0")
	b.set(t, "net.ipv4.conf.w0.rp_filter", "0")
	w.Inject(IPv4("192.0.2.1", us).UDP(Ports(5, 6)))
	b.count(t, "Ip", "InDelivers", 1)
}

func TestUnknownProtocolIsAnswered(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	p := IPv4(peer, us, Proto(132)).Payload("12345678")
	w.Inject(p)
	w.Expect(IPv4(us, peer, TOS(0xc0)).ICMP("unreachable", Code(2), Quote(IPv4(peer, us, Proto(132)))))
	b.count(t, "Ip", "InUnknownProtos", 1)
}

func TestBadOptionIsAnsweredWithItsPlace(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us, IPOptions(7, 3, 2, 0)).UDP(Ports(5, 6))) // record route with pointer 2
	w.Expect(IPv4(us, peer).ICMP("parameter problem", Code(0), Pointer(22)))
	b.count(t, "Ip", "InHdrErrors", 1)
}

func TestSourceRoutesAreRefusedByDefault(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us, IPOptions(131, 7, 8, 10, 0, 0, 9, 0)).UDP(Ports(5, 6)))
	b.count(t, "Ip", "InHdrErrors", 1)
	w.ExpectNothing()
	b.set(t, "net.ipv4.conf.all.accept_source_route", "1")                          // an interface's own is 1 from the start
	w.Inject(IPv4(peer, us, IPOptions(131, 7, 8, 10, 0, 0, 9, 0)).UDP(Ports(5, 6))) // used up: it ends here
	b.count(t, "Ip", "InDelivers", 1)
}

func TestEchoAnswersRecordRouteAndTimestamp(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us, IPOptions(7, 7, 4, 0, 0, 0, 0, 0)).Echo(1, 1))
	w.Expect(IPv4(us, peer, IPOptions(7, 7, 8, 10, 0, 0, 1, 0)).EchoReply(1, 1))
	w.Inject(IPv4(peer, us, IPOptions(68, 8, 5, 0, 0, 0, 0, 0)).Echo(1, 1))
	if f := w.Expect(IPv4(us, peer).EchoReply(1, 1)); f != nil && (f[0] != 0x47 || f[20] != 68 || f[22] != 9) {
		t.Errorf("timestamp option of the answer: % x", f[20:28])
	}
}

func TestNeverAPanicOnTinyFrames(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	e := b.Wire(b.in, "eth0", core.LinkEthernet, "10.1.0.1/24")
	full := IPv4(peer, us).Echo(1, 1).PayloadLen(20).Bytes()
	eth := Ethernet("02:00:00:00:00:02", "02:00:00:00:00:01").ARPRequest("02:00:00:00:00:02", "10.1.0.2", "10.1.0.1").Bytes()
	for i := range full {
		w.InjectBytes(full[:i])
	}
	for i := range eth {
		e.InjectBytes(eth[:i])
	}
	if got := b.Counter(b.in, "Ip", "InReceives"); got != uint64(len(full)-1) {
		t.Errorf("InReceives is %d", got)
	}
	b.count(t, "Arp", "InErrors", uint64(len(eth)-14))
	if names := strings.Join(b.in.SysctlNames(), " "); !strings.Contains(names, "net.ipv4.conf.eth0.rp_filter") {
		t.Errorf("no names of eth0 in %s", names)
	}
}

func TestSourcesAreCheckedOnEachInterface(t *testing.T) {
	b := newBench(t)
	w0 := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w1 := b.Wire(b.in, "w1", core.LinkRaw, "10.1.0.1/24")
	b.set(t, "net.ipv4.conf.all.rp_filter", "1")
	p := IPv4(peer, us).UDP(Ports(5, 6))
	w0.Inject(p)
	w1.Inject(p)
	w0.Inject(p)
	b.count(t, "Ip", "InDelivers", 2)
	b.count(t, "Ip", "InAddrErrors", 1)
	if err := b.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix(peer + "/32"), Interface: w1.Interface}); err != nil {
		t.Fatal(err)
	}
	w0.Inject(p) // what was concluded before the route came does not hold
	b.count(t, "Ip", "InAddrErrors", 2)
}

func TestAHostDoesNotAnswerForOthers(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, "192.0.2.1").UDP(Ports(5, 6)), IPv4(peer, "10.0.0.77").UDP(Ports(5, 6)))
	w.ExpectNothing()
	b.count(t, "Ip", "InAddrErrors", 2)
}

func TestWithoutSysctlsTheDefaultsHold(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	full := wiring(&sink{})
	bare := &core.Wiring{Name: "bare", Networks: []core.NetworkEntry{{Network: full.Networks[0].Network}}}
	in := r.Instance("a", bare)
	w := r.Wire(in, "w0", core.LinkRaw, us+"/24")
	r.Wire(in, "w1", core.LinkRaw, "10.1.0.1/24")
	w.Inject(IPv4(peer, us).Echo(1, 1))
	w.Expect(IPv4(us, peer, TTL(64)).EchoReply(1, 1))
	w.Inject(IPv4(peer, "10.0.0.255").Echo(1, 1), IPv4(peer, far).UDP(Ports(5, 6)), IPv4(peer, us).EchoReply(1, 1))
	w.ExpectNothing()
	w.Inject(IPv4(peer, us).UDP(Ports(5, 6))) // no transport at all
	w.Expect(ICMP("unreachable", Code(2)))
	if got := r.Counter(in, "Ip", "DefaultTTL"); got != 64 {
		t.Errorf("DefaultTTL is %d", got)
	}
}
