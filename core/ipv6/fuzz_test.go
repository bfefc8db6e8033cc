package ipv6

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

// swallow lets frames arrive at a host and at a router, lets time pass and
// closes both: nothing may panic, and the Rig sees to it that nothing is left.
func swallow(t *testing.T, frames ...[]byte) {
	r := coretest.New(t, host.NewVirtual(1))
	r.Damaged()
	for _, forwarding := range []string{"0", "1"} {
		in := r.Instance("i"+forwarding, wiring())
		set(in, "net.ipv6.conf.all.forwarding", forwarding)
		w := r.Wire(in, "eth0", core.LinkEthernet, "fd00::1/64")
		x := r.Wire(in, "tun0", core.LinkRaw, "fd01::1/64")
		r.Advance(2 * time.Second)
		for _, f := range frames {
			w.InjectBytes(f)
			if len(f) > wire.EthernetSize {
				x.InjectBytes(f[wire.EthernetSize:])
			}
		}
		r.Advance(3 * time.Minute)
		for _, f := range append(w.Sent(), x.Sent()...) {
			if len(f.Data) > 1514 {
				t.Errorf("a frame of %d bytes was sent", len(f.Data))
			}
		}
		r.Domain.Do(func() {
			for _, n := range w.Interface.Neighbours() {
				if n.State == core.NeighbourIncomplete {
					t.Errorf("neighbour %v waits for ever", n.Addr)
				}
			}
		})
	}
}

func FuzzInput(f *testing.F) {
	eth := wt.Ethernet(them, us)
	for _, p := range []wt.Packet{
		eth.IPv6("fd00::2", "fd00::1").Echo(1, 1).Payload("x"),
		eth.IPv6("fd00::2", "fd00::1").HopByHop(5, 2, 0, 0).DestinationOptions(0xc2, 0).Routing(0, 1).Fragment(7, 0, true).UDP(),
		eth.IPv6("fd00::2", "fd00::1").Fragment(7, 8, false).Payload("12345678"),
		eth.IPv6("fd00::2", "fd01::9", wt.TTL(1)).UDP(wt.Ports(1, 2)),
		eth.IPv6("fd00::2", "fd00::1").ICMP("packet too big", wt.MTU(1300), wt.Quote(wt.IPv6("fd00::1", "fd02::1").UDP(wt.Ports(1, 2)))),
		eth.IPv6("fd00::2", "ff02::1:ff00:1", wt.TTL(255)).NeighborSolicit("fd00::1", wt.SourceLL(them)),
		eth.IPv6("fd00::2", "fd00::1", wt.TTL(255)).NeighborAdvert("RSO", "fd00::2", wt.TargetLL(them)),
		eth.IPv6(routerLL, "fd00::1", wt.TTL(255)).ICMP("redirect", wt.Target("fe80::9"), wt.Destination("2600::1"), wt.TargetLL(them)),
		advert(wire.RouterAdvertFields{Lifetime: 9}, sourceLL(them), mtuOption(1400), prefix("2001:db8:1::/64", 60, 30)),
		query(2, "", 1000), query(1, "", 1000),
	} {
		f.Add(p.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 9000 {
			return
		}
		swallow(t, b)
		if len(b) >= wire.EthernetSize+headerSize { // again as a packet for us, with the checksums right
			c := append([]byte(nil), b...)
			repair(c)
			swallow(t, c)
		}
	})
}

// repair makes a frame one that gets past the first checks.
func repair(b []byte) {
	wire.Ethernet(b).Encode(wire.MustHWAddr(us), wire.MustHWAddr(them), wire.EtherTypeIPv6)
	h := wire.IPv6(b[wire.EthernetSize:])
	h[0] = 0x60 | h[0]&15
	h.SetPayloadLen(len(h) - headerSize)
	if u, ok := findUpper(h); ok && u.protocol == wire.ProtoICMPv6 && len(h) >= u.offset+8 {
		wire.ICMPv6(h[u.offset:]).UpdateChecksum(h.Src(), h.Dst())
	}
}

// TestRandomHeaderChainsDoNoHarm sends chains of extension headers with random
// contents, whole and in pieces.
func TestRandomHeaderChainsDoNoHarm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	kinds := []wire.Protocol{wire.ProtoHopByHop, wire.ProtoRouting, wire.ProtoDestination, wire.ProtoFragment, wire.ProtoUDP, wire.ProtoICMPv6, wire.ProtoNoNext, 200}
	var frames [][]byte
	for range 3000 {
		b := wt.Ethernet(them, us).IPv6("fd00::2", []string{"fd00::1", "fd01::9", "ff02::1"}[rng.IntN(3)], wt.TTL(rng.IntN(3)*127)).Bytes()
		next := wire.EthernetSize + 6
		for range rng.IntN(12) {
			kind := kinds[rng.IntN(len(kinds))]
			b[next] = kind
			if kind == wire.ProtoNoNext || kind == 200 {
				break
			}
			next = len(b)
			h := make([]byte, 8*(1+rng.IntN(4)))
			for i := range h {
				h[i] = byte(rng.Uint32() >> (rng.Uint32() % 24))
			}
			h[1] = byte(len(h)/8 - 1)
			if kind == wire.ProtoFragment {
				h = h[:8]
				binary.BigEndian.PutUint16(h[2:], uint16(rng.IntN(4)*8|rng.IntN(2)))
				binary.BigEndian.PutUint32(h[4:], uint32(rng.IntN(3)))
			}
			b = append(b, h...)
		}
		b = append(b, make([]byte, rng.IntN(40))...)
		repair(b)
		if rng.IntN(10) == 0 {
			b = b[:wire.EthernetSize+rng.IntN(len(b)-wire.EthernetSize)]
		}
		frames = append(frames, b)
	}
	swallow(t, frames...)
}
