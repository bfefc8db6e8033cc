package ipv4_test

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

// sink is a transport for UDP's and TCP's numbers that keeps what it is told.
type sink struct {
	packets []received
	errors  []core.ErrorReport
	refuse  bool // answer everything with port unreachable
	in      *core.Instance
}

type received struct {
	Src, Dst string
	Protocol uint8
	TTL, TOS uint8
	Data     string
}

func (x *sink) Input(batch []*core.Packet) {
	for _, p := range batch {
		b := make([]byte, p.Len())
		p.CopyOut(0, b)
		x.packets = append(x.packets, received{p.Src.String(), p.Dst.String(), p.Protocol, p.HopLimit, p.TOS, string(b)})
		if x.refuse {
			x.in.Network(p.Dst).Unreachable(p, core.UnreachablePort)
		}
		p.Free()
	}
}
func (x *sink) Error(e *core.ErrorReport) {
	c := *e
	c.Quoted = append([]byte(nil), e.Quoted...)
	x.errors = append(x.errors, c)
}
func (x *sink) Event(*core.Event)                               {}
func (x *sink) NewEndpoint(*core.Socket) (core.Endpoint, error) { return nil, nil }
func (x *sink) Close()                                          {}

// bench is a rig with one instance, its sink and its wiring.
type bench struct {
	*coretest.Rig
	in   *core.Instance
	sink *sink
}

func wiring(x *sink) *core.Wiring {
	return &core.Wiring{
		Name: "ipv4-test",
		Networks: []core.NetworkEntry{{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](),
			Devices: sysctl.Of[ipv4.DeviceSysctls]()}},
		Protocols: []core.ProtocolEntry{
			{Protocol: core.Protocol{Name: "sink", Numbers: []uint8{wire.ProtoUDP, wire.ProtoTCP},
				New: func(in *core.Instance, _ core.SysctlView) core.Transport { x.in = in; return x }}},
			{Protocol: ipv4.PingProtocol()},
		},
	}
}

func newBench(t testing.TB, choices ...coretest.Option) *bench {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1), choices...)
	x := &sink{}
	return &bench{r, r.Instance("a", wiring(x)), x}
}

func (b *bench) set(t testing.TB, name, value string) {
	t.Helper()
	if err := b.in.SetSysctl(name, value); err != nil {
		t.Fatal(err)
	}
}

// count checks a counter.
func (b *bench) count(t testing.TB, group, name string, want uint64) {
	t.Helper()
	if got := b.Counter(b.in, group, name); got != want {
		t.Errorf("counter %s%s is %d, want %d", group, name, got, want)
	}
}

const (
	us   = "10.0.0.1"
	peer = "10.0.0.2"
)

func TestEchoRequestIsAnswered(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us, TTL(9), TOS(0x10)).Echo(7, 3).PayloadLen(100))
	w.Expect(IPv4(us, peer, TTL(64), TOS(0x10), DF(false)).EchoReply(7, 3).PayloadLen(100))
	w.ExpectNothing()
	b.count(t, "Icmp", "InEchos", 1)
	b.count(t, "Icmp", "OutEchoReps", 1)
	b.count(t, "IcmpMsg", "InType8", 1)
	b.count(t, "Ip", "InReceives", 1)
	b.count(t, "Ip", "InDelivers", 1)
	b.count(t, "Ip", "OutRequests", 1)
	b.count(t, "IpExt", "InNoECTPkts", 1)
}

func TestUDPReachesItsTransport(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w.Inject(IPv4(peer, us, TTL(9), TOS(3)).UDP(Ports(5, 6)).Payload("hello"))
	if len(b.sink.packets) != 1 {
		t.Fatalf("got %v", b.sink.packets)
	}
	if g := b.sink.packets[0]; g.Src != peer || g.Dst != us || g.TTL != 9 || g.TOS != 3 || g.Data[8:] != "hello" {
		t.Errorf("got %+v", g)
	}
	b.count(t, "IpExt", "InCEPkts", 1)
	w.ExpectNothing()
}

func TestForwarding(t *testing.T) {
	b := newBench(t)
	w0 := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w1 := b.Wire(b.in, "w1", core.LinkRaw, "10.1.0.1/24")
	p := IPv4(peer, "10.1.0.9", TTL(5), ID(77)).UDP(Ports(5, 6)).Payload("hello")
	w0.Inject(p)
	w1.ExpectNothing()
	b.count(t, "Ip", "InAddrErrors", 1)
	b.set(t, "net.ipv4.ip_forward", "1")
	w0.Inject(p)
	w1.Expect(IPv4(peer, "10.1.0.9", TTL(4), ID(77)).UDP(Ports(5, 6)).Payload("hello"))
	w0.ExpectNothing()
	b.count(t, "Ip", "ForwDatagrams", 1)
}

func TestAddressResolution(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "eth0", core.LinkEthernet, us+"/24")
	mac, peerMAC := "02:00:00:00:00:01", "02:00:00:00:00:02"
	w.Expect(Ethernet(mac, "ff:ff:ff:ff:ff:ff").ARPRequest(mac, us, us)) // the announcement
	w.Inject(Ethernet(peerMAC, mac).IPv4(peer, us).Echo(1, 1))
	w.Expect(Ethernet(mac, "ff:ff:ff:ff:ff:ff").ARPRequest(mac, us, peer))
	w.ExpectNothing()
	w.Inject(Ethernet(peerMAC, mac).ARPReply(peerMAC, peer, mac, us))
	w.Expect(Ethernet(mac, peerMAC).IPv4(us, peer).EchoReply(1, 1))
	w.Inject(Ethernet(peerMAC, "ff:ff:ff:ff:ff:ff").ARPRequest(peerMAC, peer, us))
	w.Expect(Ethernet(mac, peerMAC).ARPReply(mac, us, peerMAC, peer))
	w.ExpectNothing()
}
