package ipv4_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

const (
	mac   = "02:00:00:00:00:01"
	mac2  = "02:00:00:00:00:02"
	mac3  = "02:00:00:00:00:03"
	all   = "ff:ff:ff:ff:ff:ff"
	other = "10.0.0.3"
)

// newEthernet is a bench with eth0, whose announcement is taken off.
func newEthernet(t testing.TB, more ...string) (*bench, *coretest.Wire) {
	t.Helper()
	b := newBench(t)
	w := b.Wire(b.in, "eth0", core.LinkEthernet, append([]string{us + "/24"}, more...)...)
	w.Sent()
	return b, w
}

// neighbour is the state of an entry, 0 if there is none.
func (b *bench) neighbour(w *coretest.Wire, a string) (state core.NeighbourState, hw wire.HWAddr) {
	b.Domain.Do(func() {
		if n := w.Interface.Neighbour(addr(a)); n != nil {
			state, hw = n.State, n.HWAddr
		}
	})
	return state, hw
}

func (b *bench) expectNeighbour(t testing.TB, w *coretest.Wire, a string, state core.NeighbourState, hw string) {
	t.Helper()
	if s, h := b.neighbour(w, a); s != state || hw != "" && h != wire.MustHWAddr(hw) {
		t.Errorf("neighbour %s is in state %#x at %v, want %#x at %s", a, s, h, state, hw)
	}
}

func TestAddressesAreAnnounced(t *testing.T) {
	b, w := newEthernet(t)
	if err := w.Interface.AddAddress(wire.MustPrefix("10.0.0.7/24")); err != nil {
		t.Fatal(err)
	}
	w.Expect(Ethernet(mac, all).ARPRequest(mac, "10.0.0.7", "10.0.0.7"))
	_ = w.Interface.SetUp(false)
	_ = w.Interface.SetUp(true)
	w.Expect(Ethernet(mac, all).ARPRequest(mac, us, us))
	w.Expect(Ethernet(mac, all).ARPRequest(mac, "10.0.0.7", "10.0.0.7"))
	b.set(t, "net.ipv4.conf.eth0.arp_notify", "0")
	b.set(t, "net.ipv4.conf.all.arp_notify", "0")
	if err := w.Interface.AddAddress(wire.MustPrefix("10.0.0.8/24")); err != nil {
		t.Fatal(err)
	}
	w.ExpectNothing()
}

func TestOnlyOurAddressesAreAnswered(t *testing.T) {
	b, w := newEthernet(t)
	w.Inject(Ethernet(mac2, all).ARPRequest(mac2, peer, other))
	w.ExpectNothing()
	if s, _ := b.neighbour(w, peer); s != 0 {
		t.Error("a request for another host made an entry")
	}
	w.Inject(Ethernet(mac2, all).ARPRequest(mac2, peer, us))
	w.Expect(Ethernet(mac, mac2).ARPReply(mac, us, mac2, peer))
	b.expectNeighbour(t, w, peer, core.NeighbourStale, mac2)
}

func TestProbesAreAnsweredButTeachNothing(t *testing.T) {
	b, w := newEthernet(t)
	w.Inject(Ethernet(mac2, all).ARPRequest(mac2, "0.0.0.0", us)) // RFC 5227 §2.1.1
	w.Expect(Ethernet(mac, mac2).ARPReply(mac, us, mac2, "0.0.0.0"))
	if s, _ := b.neighbour(w, "0.0.0.0"); s != 0 {
		t.Error("0.0.0.0 is a neighbour")
	}
}

func TestArpIgnore(t *testing.T) {
	for _, x := range []struct {
		mode, sender, target string
		answer               bool
	}{
		{"0", peer, "10.5.0.1", true}, // an address of another interface
		{"1", peer, "10.5.0.1", false},
		{"1", peer, us, true},
		{"1", "10.6.0.2", us, true},
		{"2", "10.6.0.2", us, false},
		{"2", peer, us, true},
		{"8", peer, us, false},
	} {
		b, w := newEthernet(t)
		b.Wire(b.in, "w1", core.LinkRaw, "10.5.0.1/24")
		b.set(t, "net.ipv4.conf.eth0.arp_ignore", x.mode)
		w.Inject(Ethernet(mac2, all).ARPRequest(mac2, x.sender, x.target))
		if got := len(w.Sent()) == 1; got != x.answer {
			t.Errorf("arp_ignore %s, %s asks for %s: answered %v", x.mode, x.sender, x.target, got)
		}
	}
}

func TestArpFilter(t *testing.T) {
	b, w := newEthernet(t)
	b.Wire(b.in, "w1", core.LinkRaw, "10.5.0.1/24")
	b.set(t, "net.ipv4.conf.eth0.arp_filter", "1")
	w.Inject(Ethernet(mac2, all).ARPRequest(mac2, "10.5.0.9", us)) // the way back is w1
	w.ExpectNothing()
	w.Inject(Ethernet(mac2, all).ARPRequest(mac2, peer, us))
	w.Expect(Ethernet(mac, mac2).ARPReply(mac, us, mac2, peer))
}

func TestArpAnnounceChoosesTheSender(t *testing.T) {
	for _, x := range []struct{ mode, src, want string }{
		{"0", "10.5.0.1", "10.5.0.1"}, // the packet's
		{"1", "10.5.0.1", us},         // not in the target's network
		{"1", "10.0.0.4", "10.0.0.4"},
		{"2", "10.0.0.4", us}, // always the best
	} {
		b, w := newEthernet(t, "10.0.0.4/24")
		b.Wire(b.in, "w1", core.LinkRaw, "10.5.0.1/24")
		b.set(t, "net.ipv4.conf.eth0.arp_announce", x.mode)
		b.Domain.Do(func() {
			p := b.in.NewPacket(core.Headroom, 8)
			clear(p.Put(8))
			p.Src, p.Dst, p.Protocol = addr(x.src), addr(peer), wire.ProtoUDP
			_ = b.in.Output(p)
		})
		w.Expect(Ethernet(mac, all).ARPRequest(mac, x.want, peer))
	}
}

func TestGratuitousARP(t *testing.T) {
	b, w := newEthernet(t)
	announce := Ethernet(mac2, all).ARPRequest(mac2, peer, peer)
	w.Inject(announce)
	if s, _ := b.neighbour(w, peer); s != 0 {
		t.Error("an announcement made an entry without arp_accept")
	}
	b.set(t, "net.ipv4.conf.eth0.arp_accept", "1")
	w.Inject(announce)
	b.expectNeighbour(t, w, peer, core.NeighbourStale, mac2)
	w.Inject(Ethernet(mac3, all).ARPRequest(mac3, peer, peer)) // it moved
	b.expectNeighbour(t, w, peer, core.NeighbourStale, mac3)
	b.set(t, "net.ipv4.conf.eth0.drop_gratuitous_arp", "1")
	w.Inject(announce)
	b.expectNeighbour(t, w, peer, core.NeighbourStale, mac3)
}

func TestAddressConflictIsCountedAndDefended(t *testing.T) {
	b, w := newEthernet(t)
	conflict := Ethernet(mac2, all).ARPRequest(mac2, us, us)
	w.Inject(conflict, conflict, conflict)
	w.Expect(Ethernet(mac, all).ARPRequest(mac, us, us)) // RFC 5227 §2.4 (b)
	w.ExpectNothing()                                    // at most once in ten seconds
	b.count(t, "Arp", "Conflicts", 3)
	b.Advance(11 * time.Second)
	w.Inject(conflict)
	w.Expect(Ethernet(mac, all).ARPRequest(mac, us, us))
	if s, _ := b.neighbour(w, us); s != 0 {
		t.Error("our own address became a neighbour")
	}
}

func TestNeighbourLifeCycle(t *testing.T) {
	// RFC 4861 §7.3.3, with ARP's messages.
	b, w := newEthernet(t)
	ask := Ethernet(mac, all).ARPRequest(mac, us, peer)
	probe := Ethernet(mac, mac2).ARPRequest(mac, us, peer)
	reply := Ethernet(mac2, mac).ARPReply(mac2, peer, mac, us)

	_ = b.send(peer, 10, 0)
	w.Expect(ask)
	b.expectNeighbour(t, w, peer, core.NeighbourIncomplete, "")
	w.Inject(reply)
	w.Expect(Ethernet(mac, mac2).IPv4(us, peer))
	b.expectNeighbour(t, w, peer, core.NeighbourReachable, mac2)

	b.Advance(46 * time.Second) // past the longest random reachable time
	b.expectNeighbour(t, w, peer, core.NeighbourStale, mac2)
	w.ExpectNothing()

	_ = b.send(peer, 10, 0) // goes at once, and a proof is wanted
	w.Expect(Ethernet(mac, mac2).IPv4(us, peer))
	b.expectNeighbour(t, w, peer, core.NeighbourDelay, mac2)
	b.Advance(4900 * time.Millisecond)
	w.ExpectNothing()
	b.Advance(200 * time.Millisecond)
	w.Expect(probe)
	b.expectNeighbour(t, w, peer, core.NeighbourProbe, mac2)
	w.Inject(reply)
	b.expectNeighbour(t, w, peer, core.NeighbourReachable, mac2)

	b.Advance(46 * time.Second)
	_ = b.send(peer, 10, 0)
	w.Sent()
	b.Advance(5100 * time.Millisecond)
	w.Expect(probe)
	b.Advance(time.Second)
	w.Expect(probe)
	b.Advance(time.Second)
	w.Expect(probe)
	b.Advance(time.Second)
	w.ExpectNothing()
	if s, _ := b.neighbour(w, peer); s != 0 {
		t.Errorf("a neighbour that is silent to three probes is in state %#x", s)
	}

	_ = b.send(peer, 10, 0)
	w.Expect(ask)
	w.Inject(reply)
	w.Sent()
	b.Advance(46*time.Second + 61*time.Second) // stale and not used for a minute
	if s, _ := b.neighbour(w, peer); s != 0 {
		t.Errorf("an unused neighbour is in state %#x", s)
	}
}

func TestUpperLayersConfirmNeighbours(t *testing.T) {
	b, w := newEthernet(t)
	w.Inject(Ethernet(mac2, all).ARPRequest(mac2, peer, us))
	w.Sent()
	_ = b.send(peer, 10, 0)
	w.Expect(Ethernet(mac, mac2).IPv4(us, peer))
	b.expectNeighbour(t, w, peer, core.NeighbourDelay, mac2)
	b.Domain.Do(func() {
		r, err := b.in.Route(core.RouteQuery{Dst: addr(peer)})
		if err != nil {
			t.Fatal(err)
		}
		r.Confirm()
	})
	b.expectNeighbour(t, w, peer, core.NeighbourReachable, mac2)
	b.Advance(10 * time.Second)
	w.ExpectNothing()
}

func TestSilentNeighbourIsReportedToTheTransport(t *testing.T) {
	b, w := newEthernet(t)
	_ = b.send(peer, 10, 0)
	b.Advance(2900 * time.Millisecond)
	if len(b.sink.errors) != 0 {
		t.Fatal("too early")
	}
	b.Advance(200 * time.Millisecond)
	if n := len(w.Sent()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
	if len(b.sink.errors) != 1 {
		t.Fatalf("the transport heard %+v", b.sink.errors)
	}
	e := b.sink.errors[0]
	if e.Errno != syscall.EHOSTUNREACH || e.Hard || e.Dst != addr(peer) || e.Quoted[1] != 5 {
		t.Errorf("the transport heard %+v", e)
	}
}

func TestWaitingPacketsAreBounded(t *testing.T) {
	b, w := newEthernet(t)
	b.set(t, "net.ipv4.neigh.eth0.unres_qlen", "3")
	for n := range 5 {
		_ = b.send(peer, 10+n, 0)
	}
	w.Expect(ARPRequest(mac, us, peer))
	w.ExpectNothing()
	w.Inject(Ethernet(mac2, mac).ARPReply(mac2, peer, mac, us))
	for n := 2; n < 5; n++ { // the oldest gave way
		w.Expect(Ethernet(mac, mac2).IPv4(us, peer, Length(28+10+n)))
	}
	w.ExpectNothing()
}

func TestAScanDoesNotPushLiveNeighboursOut(t *testing.T) {
	b, w := newEthernet(t, "10.9.0.1/16")
	_ = b.send(peer, 10, 0)
	w.Inject(Ethernet(mac2, mac).ARPReply(mac2, peer, mac, us))
	for i := range 1500 {
		_ = b.send(wire.FromV4(0x0a090100+uint32(i)).String(), 10, 0)
	}
	b.expectNeighbour(t, w, peer, core.NeighbourReachable, mac2)
	b.Domain.Do(func() {
		if n := len(w.Interface.Neighbours()); n > 1024 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestALinkWithoutARPStaysSilent(t *testing.T) {
	b := newBench(t)
	w := b.WireWith(b.in, "eth0", core.Properties{Kind: "wire", Link: core.LinkEthernet, MTU: 1500, HWAddr: wire.MustHWAddr(mac),
		Flags: core.FlagBroadcast | core.FlagNoARP}, us+"/24")
	w.ExpectNothing() // no announcement
	w.Inject(Ethernet(mac2, all).ARPRequest(mac2, peer, us))
	w.ExpectNothing()
	b.count(t, "Arp", "InErrors", 1)
	_ = b.send(peer, 10, 0)
	w.Expect(Ethernet(mac, "00:00:00:00:00:00").IPv4(us, peer))
}
