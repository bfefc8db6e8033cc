package ipv4_test

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

// pieces cuts an echo request of n data bytes into fragments of size bytes.
func pieces(t testing.TB, n, size, id int) []Packet {
	t.Helper()
	whole := IPv4(peer, us).Echo(1, 1).PayloadLen(n).Bytes()[20:]
	var out []Packet
	for at := 0; at < len(whole); at += size {
		end := min(at+size, len(whole))
		out = append(out, IPv4(peer, us, Proto(1), ID(id), Offset(at), MF(end < len(whole))).Payload(string(whole[at:end])))
	}
	return out
}

// answered tells whether an echo reply of n data bytes was sent, in pieces or
// whole.
func answered(w interface{ Sent() []core.Frame }, n int) bool {
	got := 0
	for _, f := range w.Sent() {
		h, err := wire.ParseIPv4(f.Data)
		if err != nil || h.Src() != addr(us) || h.FragmentOffset() == 0 && h.Payload()[0] != 0 {
			return false
		}
		got += len(h.Payload())
	}
	return got == n+8
}

func TestReassemblyInAnyOrder(t *testing.T) {
	for _, size := range []int{8, 64, 1024, 1480} {
		for _, n := range []int{100, 4000, 20000, 65507} {
			if n/size > 1000 {
				continue
			}
			b := newBench(t)
			w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
			p := pieces(t, n, size, 9)
			rand.New(rand.NewPCG(1, uint64(n))).Shuffle(len(p), func(i, j int) { p[i], p[j] = p[j], p[i] })
			w.Inject(p...)
			b.Advance(0)
			if !answered(w, n) {
				t.Errorf("no answer to %d bytes in pieces of %d", n, size)
			}
			if len(p) > 1 {
				b.count(t, "Ip", "ReasmOKs", 1)
				b.count(t, "Ip", "ReasmReqds", uint64(len(p)))
			}
			b.count(t, "Ip", "ReasmFails", 0)
		}
	}
}

func TestPacketsUnderReassemblyAreKeptApart(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	p, q := pieces(t, 100, 56, 1), pieces(t, 100, 56, 2)
	w.Inject(p[0], q[1])
	w.ExpectNothing()
	w.Inject(q[0], p[1])
	if len(w.Sent()) != 2 {
		t.Error("two packets with mixed pieces were not answered")
	}
}

func TestDuplicateFragmentsDoNoHarm(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	p := pieces(t, 100, 56, 1)
	w.Inject(p[0], p[0], p[0], p[1])
	if !answered(w, 100) {
		t.Error("no answer")
	}
	b.count(t, "Ip", "ReasmFails", 0)
}

func TestOverlappingFragmentsEndThePacket(t *testing.T) {
	// RFC 5722 for IPv6; Linux does the same for IPv4 (ip_frag_queue).
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	p := pieces(t, 100, 56, 1)
	w.Inject(p[0], IPv4(peer, us, Proto(1), ID(1), Offset(48), MF(true)).PayloadLen(56), p[1])
	w.ExpectNothing()
	b.count(t, "IpExt", "ReasmOverlaps", 1)
	b.count(t, "Ip", "ReasmFails", 1)
	b.Advance(31 * time.Second)
	w.ExpectNothing() // the first fragment went with the packet
}

func TestContradictoryFragmentsAreDropped(t *testing.T) {
	for _, x := range []struct {
		name string
		bad  []Packet
	}{
		{"two different ends", []Packet{
			IPv4(peer, us, Proto(1), ID(1), Offset(800), MF(false)).PayloadLen(8),
			IPv4(peer, us, Proto(1), ID(1), Offset(1600), MF(false)).PayloadLen(8)}},
		{"beyond the end", []Packet{
			IPv4(peer, us, Proto(1), ID(1), Offset(800), MF(false)).PayloadLen(8),
			IPv4(peer, us, Proto(1), ID(1), Offset(1600), MF(true)).PayloadLen(8)}},
		{"an end before what is there", []Packet{
			IPv4(peer, us, Proto(1), ID(1), Offset(800), MF(true)).PayloadLen(8),
			IPv4(peer, us, Proto(1), ID(1), Offset(160), MF(false)).PayloadLen(8)}},
		{"longer than any packet", []Packet{IPv4(peer, us, Proto(1), ID(1), Offset(65528), MF(false)).PayloadLen(100)}},
		{"nothing in it", []Packet{IPv4(peer, us, Proto(1), ID(1), Offset(8), MF(true)).PayloadLen(0)}},
		{"less than a unit", []Packet{IPv4(peer, us, Proto(1), ID(1), Offset(8), MF(true)).PayloadLen(7)}},
	} {
		b := newBench(t)
		w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
		w.Inject(x.bad...)
		b.Advance(0)
		if got := b.Counter(b.in, "Ip", "ReasmFails"); got != 1 {
			t.Errorf("%s: ReasmFails is %d", x.name, got)
		}
		w.ExpectNothing()
	}
}

func TestReassemblyTimeIsUp(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	p := pieces(t, 100, 56, 1)
	w.Inject(p[0])
	b.Advance(29 * time.Second)
	w.ExpectNothing()
	b.Advance(2 * time.Second)
	w.Expect(IPv4(us, peer).ICMP("time exceeded", Code(1), Quote(IPv4(peer, us, Proto(1), ID(1), MF(true)))))
	b.count(t, "Ip", "ReasmTimeout", 1)
	w.Inject(p[1]) // too late
	b.Advance(31 * time.Second)
	w.ExpectNothing() // without the first fragment nobody is told (RFC 792)
	b.count(t, "Ip", "ReasmTimeout", 2)
}

func TestReassemblyMemoryIsBounded(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.set(t, "net.ipv4.ipfrag_high_thresh", "65536")
	for i := range 500 {
		w.Inject(IPv4(peer, us, Proto(1), ID(i), Offset(0), MF(true)).PayloadLen(1024))
	}
	var held int64
	b.Domain.Do(func() { held = b.in.Account().Bytes() })
	if held > 200_000 {
		t.Errorf("%d bytes are held with a limit of 65536", held)
	}
	if b.Counter(b.in, "Ip", "ReasmFails") == 0 {
		t.Error("nothing gave way")
	}
	w.Inject(pieces(t, 100, 56, 1000)...) // new packets go through
	if !answered(w, 100) {
		t.Error("no answer when memory is full")
	}
}

func TestECNOfFragments(t *testing.T) {
	// RFC 3168 §5.3: CE if any piece has it; not with Not-ECT.
	for _, x := range []struct {
		a, b int
		want int // -1: dropped
	}{{0, 0, 0}, {2, 2, 2}, {1, 1, 1}, {2, 3, 3}, {1, 3, 3}, {0, 3, -1}, {0, 2, -1}} {
		b := newBench(t)
		w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
		u := IPv4(peer, us).UDP(Ports(5, 6)).PayloadLen(24).Bytes()[20:]
		w.Inject(IPv4(peer, us, Proto(17), ID(1), TOS(x.a), MF(true)).Payload(string(u[:16])),
			IPv4(peer, us, Proto(17), ID(1), TOS(x.b), Offset(16)).Payload(string(u[16:])))
		switch {
		case x.want < 0:
			if len(b.sink.packets) != 0 {
				t.Errorf("ECN %d and %d: delivered", x.a, x.b)
			}
		case len(b.sink.packets) != 1 || int(b.sink.packets[0].TOS) != x.want:
			t.Errorf("ECN %d and %d: got %+v", x.a, x.b, b.sink.packets)
		}
	}
}

// send makes the instance send a datagram of n bytes with these flags.
func (b *bench) send(dst string, n int, flags core.PacketFlags) error {
	var err error
	b.Domain.Do(func() {
		p := b.in.NewPacket(core.Headroom, wire.UDPSize+n)
		u := p.Put(wire.UDPSize + n)
		clear(u)
		for i := range n {
			u[8+i] = byte(i)
		}
		u[1], u[3] = 5, 6
		u[4], u[5] = byte((n+8)>>8), byte(n+8)
		p.Dst, p.Protocol, p.Flags = addr(dst), wire.ProtoUDP, flags
		err = b.in.Output(p)
	})
	b.Advance(0)
	return err
}

func TestOutputFragments(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	if err := b.send(peer, 4000, 0); err != nil {
		t.Fatal(err)
	}
	a := wire.IPv4(w.Expect(IPv4(us, peer, MF(true), DF(false), Offset(0), Length(1500), TTL(64))))
	c := wire.IPv4(w.Expect(IPv4(us, peer, MF(true), DF(false), Offset(1480), Length(1500))))
	d := wire.IPv4(w.Expect(IPv4(us, peer, MF(false), DF(false), Offset(2960), Length(20+4008-2960))))
	if a == nil || c == nil || d == nil || a.ID() != c.ID() || a.ID() != d.ID() {
		t.Error("the pieces do not have one identification")
	}
	b.count(t, "Ip", "FragCreates", 3)
	b.count(t, "Ip", "OutRequests", 1)
	b.count(t, "Ip", "OutTransmits", 3)
}

func TestDontFragmentOnOutput(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	if err := b.send(peer, 4000, core.FlagDontFragment); err == nil || err.Error() != "message too long" {
		t.Errorf("got %v, want EMSGSIZE", err)
	}
	w.ExpectNothing()
	b.count(t, "Ip", "FragFails", 1)
	for _, x := range []struct {
		flags core.PacketFlags
		df    bool
	}{{core.FlagDontFragment, true}, {0, true}, {core.FlagMayFragment, false}} {
		if err := b.send(peer, 100, x.flags); err != nil {
			t.Fatal(err)
		}
		h := wire.IPv4(w.Expect(IPv4(us, peer, DF(x.df))))
		if x.df && h.ID() != 0 { // RFC 6864 §4.1
			t.Errorf("identification %d of an atomic datagram", h.ID())
		}
	}
	b.set(t, "net.ipv4.ip_no_pmtu_disc", "1")
	if err := b.send(peer, 100, 0); err != nil {
		t.Fatal(err)
	}
	w.Expect(IPv4(us, peer, DF(false)))
	b.set(t, "net.ipv4.ip_default_ttl", "9")
	if err := b.send(peer, 100, 0); err != nil {
		t.Fatal(err)
	}
	w.Expect(IPv4(us, peer, TTL(9)))
}

func TestIdentificationsDoNotRepeatSoon(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	seen := map[uint16]bool{}
	for range 1000 {
		if err := b.send(peer, 10, core.FlagMayFragment); err != nil {
			t.Fatal(err)
		}
		id := wire.IPv4(w.Expect(IPv4(us, peer))).ID()
		if seen[id] {
			t.Fatalf("identification %d came twice in 1000 packets", id)
		}
		seen[id] = true
	}
}

func TestGroupsAndBroadcastsComeBackToUs(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "eth0", core.LinkEthernet, us+"/24")
	w.Sent()
	b.Domain.Do(func() { w.Interface.JoinGroup(addr("239.1.2.3")) })
	w.Sent()
	sent := func(dst string, flags core.PacketFlags) (frames, copies int) {
		b.sink.packets = nil
		var err error
		b.Domain.Do(func() {
			p := b.in.NewPacket(core.Headroom, 20)
			copy(p.Put(20), "\x00\x05\x00\x06\x00\x14\x00\x00hello, world")
			p.Dst, p.Src, p.Protocol, p.Flags, p.HopLimit, p.Interface = addr(dst), addr(us), wire.ProtoUDP, flags, 1, w.Interface
			err = b.in.Output(p)
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(w.Sent()), len(b.sink.packets)
	}
	for _, x := range []struct {
		dst            string
		flags          core.PacketFlags
		frames, copies int
	}{
		{"239.1.2.3", 0, 1, 1},
		{"239.1.2.3", core.FlagNoLoop, 1, 0},
		{"239.9.9.9", 0, 1, 0},
		{"10.0.0.255", 0, 1, 1},
		{"255.255.255.255", 0, 1, 1},
	} {
		if f, c := sent(x.dst, x.flags); f != x.frames || c != x.copies {
			t.Errorf("to %s: %d frames and %d copies, want %d and %d", x.dst, f, c, x.frames, x.copies)
		}
	}
	b.count(t, "IpExt", "OutMcastPkts", 3+1) // and the report of the group
	b.count(t, "IpExt", "OutBcastPkts", 2)
	b.count(t, "IpExt", "OutBcastOctets", 80)
}

func TestErrorsQuoteTheReassembledHeader(t *testing.T) {
	b := newBench(t)
	b.sink.refuse = true
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	u := IPv4(peer, us).UDP(Ports(5, 6)).PayloadLen(24).Bytes()[20:]
	w.Inject(IPv4(peer, us, Proto(17), ID(1), Offset(16)).Payload(string(u[16:])),
		IPv4(peer, us, Proto(17), ID(1), MF(true)).Payload(string(u[:16])))
	w.Expect(ICMP("unreachable", Code(3), Quote(IPv4(peer, us, ID(1), MF(false), Offset(0), Length(20+32)).UDP(Ports(5, 6)).PayloadLen(24))))
}

func TestAPacketOfTheMTUGoesWhole(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	for _, flags := range []core.PacketFlags{0, core.FlagDontFragment} {
		if err := b.send(peer, 1472, flags); err != nil {
			t.Fatal(err)
		}
		w.Expect(IPv4(us, peer, Length(1500), MF(false), DF(true)))
	}
	if err := b.send(peer, 1473, 0); err != nil {
		t.Fatal(err)
	}
	w.Expect(IPv4(us, peer, MF(true)))
	w.Expect(IPv4(us, peer, MF(false), Length(21)))
	w.ExpectNothing()
}

func TestFragmentsOfARemovedInterfaceGo(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	w1 := b.Wire(b.in, "w1", core.LinkRaw, "10.1.0.1/24")
	w.Inject(pieces(t, 100, 56, 1)[0])
	w1.Inject(IPv4(far, us, Proto(1), ID(1), MF(true)).PayloadLen(64))
	if err := b.in.RemoveDevice(w.Interface); err != nil {
		t.Fatal(err)
	}
	b.Advance(31 * time.Second)
	b.count(t, "Ip", "ReasmTimeout", 1)
	w1.Expect(IPv4(nil, far).ICMP("time exceeded", Code(1)))
}

func TestHeadersOfTheCallerAreCompleted(t *testing.T) {
	// raw(7): checksum and total length always, source and ID when zero.
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	send := func(frame []byte) error {
		var err error
		b.Domain.Do(func() {
			p := b.in.NewPacket(core.Headroom, len(frame))
			copy(p.Put(len(frame)), frame)
			p.Dst, p.Flags = addr(peer), core.FlagHeader
			err = b.in.Output(p)
		})
		return err
	}
	if err := send(IPv4("0.0.0.0", peer, ID(0), TTL(3), TOS(8), Length(99), Proto(253)).Payload("data").Bytes()); err != nil {
		t.Fatal(err)
	}
	if h := wire.IPv4(w.Expect(IPv4(us, peer, TTL(3), TOS(8), Length(24), Proto(253)))); h.ID() == 0 {
		t.Error("no identification")
	}
	if err := send(IPv4("192.0.2.7", peer, ID(77), Proto(253)).Payload("data").Bytes()); err != nil {
		t.Fatal(err)
	}
	w.Expect(IPv4("192.0.2.7", peer, ID(77)))
	if err := send(IPv4(us, peer, ID(7), Proto(253)).PayloadLen(2000).Bytes()); err != nil {
		t.Fatal(err)
	}
	w.Expect(IPv4(us, peer, ID(7), MF(true)))
	w.Expect(IPv4(us, peer, ID(7), MF(false)))
	if err := send(IPv4(us, peer, DF(true), Proto(253)).PayloadLen(2000).Bytes()); err != syscall.EMSGSIZE {
		t.Errorf("too long with DF: %v, want EMSGSIZE", err)
	}
	for _, bad := range [][]byte{make([]byte, 19), damage(IPv4(us, peer).Payload("x"), 0, 0x44), damage(IPv4(us, peer).Payload("x"), 0, 0x4f)} {
		if err := send(bad); err != syscall.EINVAL {
			t.Errorf("a bad header: %v, want EINVAL", err)
		}
	}
	b.count(t, "Ip", "OutDiscards", 3)
}
