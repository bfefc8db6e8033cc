package ipv6

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

// bounce is an Ethernet device that gives each frame back to the other end's
// instance as if the link led there: what it is given it keeps in one slot.
type bounce struct {
	ifc  *core.Interface
	last *core.Packet
}

func (d *bounce) Properties() core.Properties {
	return core.Properties{Kind: "bounce", Link: core.LinkEthernet, MTU: 1500, Flags: core.FlagMulticast | core.FlagBroadcast, HWAddr: wire.MustHWAddr(us)}
}
func (d *bounce) Attach(ifc *core.Interface) { d.ifc = ifc }
func (d *bounce) Close() error               { d.free(); return nil }
func (d *bounce) Send(batch []*core.Packet) int {
	for _, p := range batch {
		d.free()
		d.last = p
	}
	return len(batch)
}
func (d *bounce) free() {
	if d.last != nil {
		d.last.Free()
		d.last = nil
	}
}

// router is an instance that forwards from one bounce to another.
type forwardRig struct {
	*coretest.Rig
	in       *core.Instance
	from, to *bounce
	frame    []byte
}

func newForwardRig(t testing.TB) *forwardRig {
	r := &forwardRig{Rig: coretest.New(t, host.NewVirtual(1), coretest.Release())}
	r.in = r.Instance("router", wiring())
	quiet(r.in)
	set(r.in, "net.ipv6.conf.all.forwarding", "1")
	r.from, r.to = new(bounce), new(bounce)
	r.Attach(r.in, r.from, "eth0", "fd00::1/64")
	r.Attach(r.in, r.to, "eth1", "fd01::1/64")
	r.Domain.Do(func() { r.to.ifc.SetNeighbour(wire.MustAddr("fd01::2"), wire.MustHWAddr(them)) })
	r.Advance(5 * time.Second)
	r.from.free()
	r.to.free()
	r.frame = wt.Ethernet(them, us).IPv6("fd00::2", "fd01::2", wt.TTL(255)).UDP(wt.Ports(1, 2)).PayloadLen(1400).Bytes()
	return r
}

// hop lets the packet that left by to come in by from again, n times.
func (r *forwardRig) hop(n int) {
	r.Domain.Do(func() {
		p := r.to.last
		r.to.last = nil
		if p == nil {
			p = r.in.NewInput(core.Frame{Data: r.frame})
		}
		for range n {
			h := p.Linear()
			wire.Ethernet(h).Encode(wire.MustHWAddr(us), wire.MustHWAddr(them), wire.EtherTypeIPv6)
			wire.IPv6(h[wire.EthernetSize:]).SetHopLimit(64)
			p.Pull(wire.EthernetSize)
			p.Interface, p.Type = r.from.ifc, core.PacketHost
			r.in.Networks()[0].Input(p)
		}
	})
}

func TestForwardingAllocatesNothing(t *testing.T) {
	r := newForwardRig(t)
	r.hop(1)
	if r.to.last == nil {
		t.Fatal("nothing was forwarded")
	}
	if n := testing.AllocsPerRun(100, func() { r.hop(1) }); n != 0 {
		t.Errorf("%v allocations a hop", n)
	}
}

// BenchmarkForward is the work of IPv6 for one hop of a 1400-byte datagram, with
// the entry into the Domain and the device's queue.
func BenchmarkForward(b *testing.B) {
	r := newForwardRig(b)
	r.hop(1)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r.hop(1)
	}
	if r.to.last == nil || r.Counter(r.in, "Ip6", "OutForwDatagrams") < uint64(b.N) {
		b.Fatal("nothing was forwarded")
	}
}

func BenchmarkOutput(b *testing.B) {
	r := newForwardRig(b)
	r.Domain.Do(func() {})
	q := core.RouteQuery{Dst: wire.MustAddr("fd01::2")}
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		r.Domain.Do(func() {
			rt, err := r.in.Route(q)
			if err != nil {
				b.Fatal(err)
			}
			p := r.in.NewPacket(core.Headroom, 1408)
			p.Put(1408)
			p.Src, p.Dst, p.Protocol, p.Route = rt.Src, q.Dst, wire.ProtoUDP, rt
			if err := r.in.Output(p); err != nil {
				b.Fatal(err)
			}
		})
	}
}
