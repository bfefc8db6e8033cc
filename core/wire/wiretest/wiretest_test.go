package wiretest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/libos-go/libos/core/wire"
)

const (
	a, b   = "10.0.0.1", "10.0.0.2"
	a6, b6 = "2001:db8::1", "2001:db8::2"
	ma, mb = "02:00:00:00:00:01", "02:00:00:00:00:02"
)

// frames is one of each, with tcpdump's line.
var frames = []struct {
	p    Packet
	line string
}{
	{Ethernet(ma, "ff:ff:ff:ff:ff:ff").ARPRequest(ma, a, b), "ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28"},
	{Ethernet(mb, ma).ARPReply(mb, b, ma, a), "ARP, Reply 10.0.0.2 is-at 02:00:00:00:00:02, length 28"},
	{Ethernet(ma, mb).IPv4(a, b).UDP(Ports(1000, 53)).Payload("hello"), "IP 10.0.0.1.1000 > 10.0.0.2.53: UDP, length 5"},
	{IPv4(a, b, TTL(3), TOS(0xb8), ID(7), DF(true)).UDP(Ports(1, 2), NoChecksum()), "IP 10.0.0.1.1 > 10.0.0.2.2: UDP, length 0"},
	{IPv6(a6, b6, FlowLabel(5)).UDP(SrcPort(1), DstPort(2)).PayloadLen(300), "IP6 2001:db8::1.1 > 2001:db8::2.2: UDP, length 300"},
	{IPv4(a, b).TCP(Ports(1000, 80), Flags("S"), Seq(1), MSS(1460), SACKPermitted(), Timestamps(5, 0), WScale(7)),
		"IP 10.0.0.1.1000 > 10.0.0.2.80: Flags [S], seq 1, win 65535, options [mss 1460,sackOK,TS val 5 ecr 0,wscale 7], length 0"},
	{IPv4(b, a).TCP(Ports(80, 1000), Flags("."), Seq(9), Ack(2), Window(100), SACK(5, 7, 4294967295, 11)),
		"IP 10.0.0.2.80 > 10.0.0.1.1000: Flags [.], ack 2, win 100, options [sack 2 {5:7}{4294967295:11}], length 0"},
	{IPv6(a6, b6).TCP(Ports(1, 2), Flags("FP.U"), Seq(10), Ack(2), Urgent(3)).Payload("xyz"),
		"IP6 2001:db8::1.1 > 2001:db8::2.2: Flags [FP.U], seq 10:13, ack 2, win 65535, urg 3, length 3"},
	{IPv4(a, b).TCP(Flags("R"), Seq(1), TCPOptions(253, 4, 0, 0, 30, 2, 8, 0)),
		"IP 10.0.0.1.0 > 10.0.0.2.0: Flags [R], seq 1, win 65535, options [unknown-253,mptcp,malformed], length 0"},
	{IPv4(a, b).Echo(1, 2).PayloadLen(56), "IP 10.0.0.1 > 10.0.0.2: ICMP echo request, id 1, seq 2, length 64"},
	{IPv6(a6, b6).EchoReply(1, 2), "IP6 2001:db8::1 > 2001:db8::2: ICMP6 echo reply, id 1, seq 2, length 8"},
	{IPv4(a, b).ICMP("unreachable", Code(4), MTU(1280), Quote(IPv4(b, a).UDP(Ports(1, 2)))),
		"IP 10.0.0.1 > 10.0.0.2: ICMP unreachable, code 4, mtu 1280, length 36"},
	{IPv4(a, b).ICMP("parameter problem", Pointer(20)), "IP 10.0.0.1 > 10.0.0.2: ICMP parameter problem, code 0, pointer 20, length 8"},
	{IPv4(a, b).ICMP("redirect", Code(1), Gateway("10.0.0.9")), "IP 10.0.0.1 > 10.0.0.2: ICMP redirect to 10.0.0.9, length 8"},
	{IPv6(a6, b6).ICMP("packet too big", MTU(1280)), "IP6 2001:db8::1 > 2001:db8::2: ICMP6 packet too big, mtu 1280, length 8"},
	{IPv6(a6, b6).ICMP("parameter problem", Code(1), Pointer(6)), "IP6 2001:db8::1 > 2001:db8::2: ICMP6 parameter problem, code 1, pointer 6, length 8"},
	{IPv6("fe80::1", "ff02::1:ff00:2", TTL(255)).NeighborSolicit("fe80::2", SourceLL(ma)),
		"IP6 fe80::1 > ff02::1:ff00:2: ICMP6 neighbor solicitation, who has fe80::2, length 32"},
	{IPv6("fe80::2", "fe80::1", TTL(255)).NeighborAdvert("SO", "fe80::2", TargetLL(mb)),
		"IP6 fe80::2 > fe80::1: ICMP6 neighbor advertisement, tgt is fe80::2, length 32"},
	{IPv6("fe80::2", "ff02::1", TTL(255)).ICMP("router advertisement", Lifetime(1800), SourceLL(mb), MTU(1400),
		PrefixInfo(wire.PrefixInfo{Prefix: wire.MustPrefix("2001:db8::/64"), OnLink: true, Valid: 7, Preferred: 3})),
		"IP6 fe80::2 > ff02::1: ICMP6 router advertisement, length 64"},
	{IPv6("fe80::2", a6, TTL(255)).ICMP("redirect", Target("fe80::3"), Destination(b6)), "IP6 fe80::2 > 2001:db8::1: ICMP6 redirect, 2001:db8::2 by fe80::3, length 40"},
	{IPv6("fe80::2", "ff02::2", TTL(255)).ICMP("router solicitation"), "IP6 fe80::2 > ff02::2: ICMP6 router solicitation, length 8"},
	{IPv4(a, b, ID(9), MF(true), Offset(1480), Proto(wire.ProtoUDP)).PayloadLen(8), "IP 10.0.0.1 > 10.0.0.2: UDP, length 8 (frag 9:8@1480+)"},
	{IPv4(a, b).UDPLite(Ports(1, 2), Coverage(10)).Payload("hello"), "IP 10.0.0.1.1 > 10.0.0.2.2: UDPLITE, coverage 10, length 5"},
	{IPv6(a6, b6).UDPLite(Ports(1, 2)), "IP6 2001:db8::1.1 > 2001:db8::2.2: UDPLITE, coverage 8, length 0"},
	{IPv6(a6, b6).HopByHop(5, 2, 0, 0).Routing(4, 0, 1, 2, 3, 4).DestinationOptions().UDP(Ports(1, 2)), "IP6 2001:db8::1.1 > 2001:db8::2.2: UDP, length 0"},
	{IPv6(a6, b6).Fragment(9, 8, false).Payload("tail"), "IP6 2001:db8::1 > 2001:db8::2: proto 253, length 4 (frag 0x9:4@8)"},
	{IPv4(a, b, IPOptions(0x94, 4, 0, 0)).IPv6(a6, b6).Echo(1, 1), "IP 10.0.0.1 > 10.0.0.2: IP6 2001:db8::1 > 2001:db8::2: ICMP6 echo request, id 1, seq 1, length 8"},
	{IPv4(a, b, Proto(99)).Payload("x"), "IP 10.0.0.1 > 10.0.0.2: proto 99, length 1"},
}

func link(frame []byte) wire.LinkType {
	if v := wire.IPVersion(frame); v == 4 || v == 6 {
		return wire.LinkRaw
	}
	return wire.LinkEthernet
}

func TestWhatIsBuiltChecksAndSumsUp(t *testing.T) {
	for _, f := range frames {
		frame := f.p.Bytes()
		Check(t, frame, f.p)
		if got := wire.Summary(frame, link(frame)); got != f.line {
			t.Errorf("got  %s\nwant %s", got, f.line)
		}
	}
}

func TestSummaryOfWhatIsBrokenOrUnknown(t *testing.T) {
	udp := IPv4(a, b).UDP(Ports(1, 2)).PayloadLen(8)
	for _, tc := range []struct {
		frame []byte
		line  string
	}{
		{nil, "ethernet [malformed: truncated], length 0"},
		{Ethernet(ma, mb, Type(0x88cc)).Payload("lldp").Bytes(), "02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype 0x88cc, length 18"},
		{Ethernet(ma, mb).ARP().Bytes()[:20], "ARP, [malformed: truncated], length 6"},
		{udp.Bytes()[:30], "IP [malformed: truncated], length 30"},
		{IPv4(a, b, Length(19)).Bytes(), "IP [malformed: bad length], length 20"},
		{IPv6(a6, b6, Length(1)).Bytes(), "IP6 [malformed: truncated], length 40"},
		{IPv4(a, b).UDP(Length(9)).Bytes(), "IP 10.0.0.1.0 > 10.0.0.2.0: UDP [malformed: truncated], length 8"},
		{IPv4(a, b, MF(true)).UDP(Length(100)).Bytes(), "IP 10.0.0.1.0 > 10.0.0.2.0: UDP, length 92 (frag 0:8@0+)"},
		{IPv4(a, b).UDPLite(Coverage(9)).Bytes(), "IP 10.0.0.1.0 > 10.0.0.2.0: UDPLITE [malformed: truncated], length 8"},
		{IPv4(a, b, MF(true)).UDPLite(Coverage(100)).Bytes(), "IP 10.0.0.1.0 > 10.0.0.2.0: UDPLITE, coverage 100 (frag 0:8@0+)"},
		{IPv6(a6, b6).Fragment(1, 0, true).UDP(Length(100)).Bytes(), "IP6 2001:db8::1.0 > 2001:db8::2.0: UDP, length 92 (frag 0x1:8@0+)"},
		{IPv4(a, b, Proto(wire.ProtoTCP)).Payload("xyz").Bytes(), "IP 10.0.0.1 > 10.0.0.2: TCP [malformed: truncated], length 3"},
		{IPv4(a, b, Proto(wire.ProtoICMP)).Payload("xyz").Bytes(), "IP 10.0.0.1 > 10.0.0.2: ICMP [malformed: truncated], length 3"},
		{IPv6(a6, b6, Proto(wire.ProtoICMPv6)).Payload("xyz").Bytes(), "IP6 2001:db8::1 > 2001:db8::2: ICMP6 [malformed: truncated], length 3"},
		{IPv6(a6, b6, Proto(wire.ProtoRouting)).Payload("xyz").Bytes(), "IP6 2001:db8::1 > 2001:db8::2: RT [malformed: truncated], length 43"},
	} {
		if got := wire.Summary(tc.frame, link(tc.frame)); got != tc.line {
			t.Errorf("got  %s\nwant %s", got, tc.line)
		}
	}
}

// fakeT notes what Check says.
type fakeT struct{ said string }

func (f *fakeT) Helper()                           {}
func (f *fakeT) Errorf(format string, args ...any) { f.said += fmt.Sprintf(format, args...) }

func TestCheckTellsWhatIsWrong(t *testing.T) {
	syn := IPv4(a, b).TCP(Ports(1000, 80), Flags("S"), Seq(1), MSS(1460))
	for _, tc := range []struct {
		name  string
		frame []byte
		want  Packet
		says  string // "" for no complaint
	}{
		{"same", syn.Bytes(), syn, ""},
		{"fewer fields", syn.Bytes(), TCP(Flags("S")), ""},
		{"behind Ethernet", Ethernet(ma, mb).Then(syn).Bytes(), syn, ""},
		{"flags", syn.Bytes(), TCP(Flags("S.")), "tcp: flags is S, want S."},
		{"seq", syn.Bytes(), TCP(Seq(2)), "tcp: seq is 1, want 2"},
		{"port", syn.Bytes(), TCP(DstPort(81)), "tcp: dst port is 80, want 81"},
		{"address", syn.Bytes(), IPv4(a, a), "ipv4: dst is 10.0.0.2, want 10.0.0.1"},
		{"option missing", syn.Bytes(), TCP(WScale(7)), "tcp: wscale is absent, want 7"},
		{"option not wanted", syn.Bytes(), TCP(Without("mss")), "tcp: mss is 1460, want none"},
		{"option rightly absent", syn.Bytes(), TCP(Without("timestamps")), ""},
		{"layer", syn.Bytes(), IPv4(a, b).UDP(), "udp: frame has tcp there"},
		{"no layer", syn.Bytes(), UDP(), "udp: frame has no such layer there"},
		{"payload", syn.Bytes(), TCP().Payload("x"), `payload: data is , want x`},
		{"payload length", IPv4(a, b).UDP().PayloadLen(3).Bytes(), PayloadLen(4), "payload: length is 3, want 4"},
		{"bad TCP checksum", IPv4(a, b).TCP(BadChecksum()).Bytes(), IPv4(a, b), "tcp: checksum is wrong"},
		{"bad UDP checksum", IPv6(a6, b6).UDP(BadChecksum()).Bytes(), IPv6(a6, b6), "udp: checksum is wrong"},
		{"bad header checksum", IPv4(a, b, BadChecksum()).UDP().Bytes(), UDP(), "ipv4: checksum is wrong"},
		{"bad ICMP checksum", IPv4(a, b).Echo(1, 1, BadChecksum()).Bytes(), Echo(1, 1), "icmp: checksum is wrong"},
		{"bad checksum expected", IPv4(a, b).UDP(BadChecksum()).Bytes(), UDP(BadChecksum()), ""},
		{"bad UDP-Lite checksum", IPv4(a, b).UDPLite(BadChecksum()).Bytes(), IPv4(a, b), "udp-lite: checksum is wrong"},
		{"no UDP-Lite checksum", IPv4(a, b).UDPLite(NoChecksum()).Bytes(), UDPLite(NoChecksum()), ""},
		{"coverage", IPv4(a, b).UDPLite(Coverage(8)).Payload("x").Bytes(), UDPLite(Coverage(9)), "udp-lite: coverage is 8, want 9"},
		{"a UDP-Lite quote", IPv4(a, b).ICMP("unreachable").Payload(string(IPv4(b, a).UDPLite(Ports(1, 2)).PayloadLen(100).Bytes()[:28])).Bytes(),
			ICMP("unreachable", Quote(IPv4(b, a).UDPLite(Ports(1, 2)))), ""},
		{"good checksum instead of bad", IPv4(a, b).UDP().Bytes(), UDP(BadChecksum()), "udp: checksum is good, want bad"},
		{"bad length", IPv4(a, b).UDP(Length(7)).Bytes(), IPv4(a, b), "udp: malformed: bad length"},
		{"quote", IPv4(a, b).ICMP("unreachable", Quote(IPv4(b, a).UDP(Ports(1, 2)))).Bytes(), ICMP("unreachable", Quote(UDP(Ports(1, 3)))),
			"icmp: quote: udp: ports is 1 > 2, want 1 > 3"},
		{"cut quote", IPv4(a, b).ICMP("time exceeded").Payload(string(IPv4(b, a).UDP(Ports(1, 2)).PayloadLen(100).Bytes()[:28])).Bytes(),
			ICMP("time exceeded", Quote(IPv4(b, a).UDP(Ports(1, 2)))), ""},
		{"cut TCP quote", IPv6(a6, b6).ICMP("unreachable").Payload(string(IPv6(b6, a6).TCP(Ports(1, 2), Seq(77)).Bytes()[:48])).Bytes(),
			ICMP("unreachable", Code(0), Quote(IPv6(b6, a6).TCP(Ports(1, 2), Seq(77)))), ""},
		{"empty frame", nil, UDP(), "ethernet: malformed: truncated"},
	} {
		var f fakeT
		ok := Check(&f, tc.frame, tc.want)
		if ok != (tc.says == "") || ok != (f.said == "") || !strings.Contains(f.said, tc.says) {
			t.Errorf("%s: Check said %q, want %q", tc.name, f.said, tc.says)
		}
	}
}

func TestPacketsAreValues(t *testing.T) {
	base := IPv4(a, b)
	x, y := base.UDP(Ports(1, 2)), base.TCP(Ports(3, 4))
	Check(t, x.Bytes(), UDP(Ports(1, 2)))
	Check(t, y.Bytes(), TCP(Ports(3, 4)))
}

func FuzzRead(f *testing.F) {
	for _, fr := range frames {
		f.Add(fr.p.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = Read(b).String()
		for _, l := range []wire.LinkType{wire.LinkEthernet, wire.LinkRaw, 7} {
			if s := wire.Summary(b, l); s == "" || strings.Contains(s, "\n") {
				t.Errorf("%x is summed up as %q", b, s)
			}
		}
		if err := Match(b, UDP(Ports(1, 2))); err == nil && !strings.Contains(Read(b).String(), "1 > 2") {
			t.Errorf("%x matches by mistake", b)
		}
	})
}
