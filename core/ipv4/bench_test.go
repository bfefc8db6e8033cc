package ipv4_test

import (
	"fmt"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

// cable joins two interfaces of one Domain: what one sends the other receives.
type cable struct {
	mac   wire.HWAddr
	other *cable
	ifc   *core.Interface
}

func (c *cable) Properties() core.Properties {
	return core.Properties{Kind: "cable", Link: core.LinkEthernet, MTU: 1500, HWAddr: c.mac,
		Flags: core.FlagBroadcast | core.FlagMulticast}
}
func (c *cable) Attach(ifc *core.Interface) { c.ifc = ifc }
func (c *cable) Send(batch []*core.Packet) int {
	for _, p := range batch {
		if c.other.ifc == nil { // not plugged in yet
			p.Free()
			continue
		}
		c.other.ifc.Receive(p)
	}
	return len(batch)
}
func (c *cable) Close() error { return nil }

// chain is n routers in a row with a test wire at both ends: packets from the
// first network, 10.0.0.0/24, to the last one.
type chain struct {
	*coretest.Rig
	routers     []*core.Instance
	first, last *coretest.Wire
	end         *drain
}

// drain is a link on which everything vanishes.
type drain struct{ n int }

func (*drain) Properties() core.Properties {
	return core.Properties{Kind: "drain", Link: core.LinkRaw, MTU: 1500}
}
func (*drain) Attach(*core.Interface) {}
func (d *drain) Send(batch []*core.Packet) int {
	for _, p := range batch {
		p.Free()
	}
	d.n += len(batch)
	return len(batch)
}
func (*drain) Close() error { return nil }

func newChain(t testing.TB, n int, choices ...coretest.Option) *chain {
	c := &chain{Rig: coretest.New(t, host.NewVirtual(1), choices...)}
	for i := range n {
		c.routers = append(c.routers, c.Instance(fmt.Sprint("r", i), wiring(&sink{})))
	}
	c.first = c.Wire(c.routers[0], "in", core.LinkRaw, "10.0.0.1/24")
	for i := 0; i < n-1; i++ {
		a := &cable{mac: wire.HWAddr{2, 0, 0, 0, byte(i), 1}}
		b := &cable{mac: wire.HWAddr{2, 0, 0, 0, byte(i), 2}, other: a}
		a.other = b
		left := c.Attach(c.routers[i], a, "right", fmt.Sprintf("10.0.%d.1/24", i+1))
		right := c.Attach(c.routers[i+1], b, "left", fmt.Sprintf("10.0.%d.2/24", i+1))
		for _, r := range []core.RouteEntry{
			{Prefix: wire.MustPrefix("0.0.0.0/0"), Gateway: wire.MustAddr(fmt.Sprintf("10.0.%d.2", i+1)), Interface: left},
		} {
			if err := c.routers[i].AddRoute(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.routers[i+1].AddRoute(core.RouteEntry{Prefix: wire.MustPrefix("10.0.0.0/16"),
			Gateway: wire.MustAddr(fmt.Sprintf("10.0.%d.1", i+1)), Interface: right}); err != nil {
			t.Fatal(err)
		}
	}
	c.last = c.Wire(c.routers[n-1], "out", core.LinkRaw, "10.9.0.1/24")
	c.end = &drain{}
	c.Attach(c.routers[n-1], c.end, "drain", "10.8.0.1/24")
	for _, in := range c.routers {
		if err := in.SetSysctl("net.ipv4.ip_forward", "1"); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func TestPacketsCrossAChainOfRouters(t *testing.T) {
	c := newChain(t, 8)
	c.first.Inject(IPv4("10.0.0.9", "10.9.0.9", TTL(20)).UDP(Ports(5, 6)).PayloadLen(1400))
	c.last.Expect(IPv4("10.0.0.9", "10.9.0.9", TTL(12)).UDP(Ports(5, 6)).PayloadLen(1400))
}

// BenchmarkForward is the time of one packet through one router in memory, with
// everything a hop costs: the link in memory, the Domain's queues, IPv4.
func BenchmarkForward(b *testing.B) {
	for _, batch := range []int{1, 16} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			const hops = 8
			c := newChain(b, hops, coretest.Release())
			frame := IPv4("10.0.0.9", "10.8.0.9", TTL(255)).UDP(Ports(5, 6)).PayloadLen(1400).Bytes()
			frames := make([]core.Frame, batch)
			for i := range frames {
				frames[i].Data = frame
			}
			c.first.InjectFrames(frames...)
			if c.end.n != batch {
				b.Fatalf("%d of %d packets arrived", c.end.n, batch)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i := 0; i < b.N; i += batch {
				c.first.Interface.Deliver(frames)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/hops, "ns/hop")
		})
	}
}

func TestForwardingAllocatesNothing(t *testing.T) {
	t.Setenv(coretest.PcapVariable, "") // recording allocates
	c := newChain(t, 3, coretest.Release())
	frames := []core.Frame{{Data: IPv4("10.0.0.9", "10.8.0.9").UDP(Ports(5, 6)).PayloadLen(1400).Bytes()}}
	c.first.InjectFrames(frames...)
	if n := testing.AllocsPerRun(200, func() { c.first.Interface.Deliver(frames) }); n != 0 {
		t.Errorf("%v allocations for a forwarded packet", n)
	}
	if c.end.n < 200 {
		t.Errorf("only %d packets arrived", c.end.n)
	}
}

// hole is a transport in which everything vanishes.
type hole struct{ sink }

func (*hole) Input(batch []*core.Packet) {
	for _, p := range batch {
		p.Free()
	}
}

// BenchmarkDatagram is the time of a packet from one host's transport to
// another's: output, a link in memory, input.
func BenchmarkDatagram(b *testing.B) {
	r := coretest.New(b, host.NewVirtual(1), coretest.Release())
	w := wiring(&sink{})
	x := &hole{}
	w.Protocols[0].Protocol.New = func(in *core.Instance, _ core.SysctlView) core.Transport { return x }
	from, to := r.Instance("a", w), r.Instance("b", w)
	c := &cable{mac: wire.HWAddr{2, 0, 0, 0, 0, 1}}
	d := &cable{mac: wire.HWAddr{2, 0, 0, 0, 0, 2}, other: c}
	c.other = d
	r.Attach(from, c, "eth0", us+"/24")
	r.Attach(to, d, "eth0", peer+"/24")
	dst, src := addr(peer), addr(us)
	var route *core.Route
	send := func() {
		for range 16 {
			p := from.NewPacket(core.Headroom, 1400)
			p.Put(1400)
			p.Dst, p.Src, p.Protocol, p.Route = dst, src, wire.ProtoUDP, route
			_ = from.Output(p)
		}
	}
	r.Domain.Do(func() { route, _ = from.Route(core.RouteQuery{Dst: dst, Src: src}) })
	r.Domain.Do(send)
	r.Domain.Do(func() { route, _ = from.Route(core.RouteQuery{Dst: dst, Src: src}) })
	b.ReportAllocs()
	b.ResetTimer()
	for i := 0; i < b.N; i += 16 {
		r.Domain.Do(send)
	}
	b.StopTimer()
	if got := r.Counter(to, "Ip", "InDelivers"); got < uint64(b.N) {
		b.Fatalf("%d of %d packets arrived", got, b.N)
	}
}
