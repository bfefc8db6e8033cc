package datagram_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/protocols/udp"
	"github.com/libos-go/libos/protocols/udplite"
)

func (s *station) sets(c *core.PacketConn, option, value int) {
	s.T.Helper()
	if err := c.Socket().SetInt(core.SolUDPLite, option, value); err != nil {
		s.T.Fatal(err)
	}
}

// counts checks the counters InDatagrams, InErrors and InCsumErrors.
func (s *station) counts(in, bad, badSums uint64) {
	s.T.Helper()
	for name, want := range map[string]uint64{"InDatagrams": in, "InErrors": bad, "InCsumErrors": badSums} {
		if n := s.counter(name); n != want {
			s.T.Errorf("%s %d, want %d", name, n, want)
		}
	}
}

// damaged is p with byte i of the user's changed on the way.
func damaged(p Packet, i, length int) []byte {
	b := p.Bytes()
	b[len(b)-length+i] ^= 0x20
	return b
}

func TestACoverageMayLeaveTheEndUnchecked(t *testing.T) { // RFC 3828 §3.1
	s := aloneWith(t, overUDPLite())
	c, c6 := s.listen("4", us+":7"), s.listen("6", "["+us6+"]:7")
	four := IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(8+2)).Payload("abcd")
	six := IPv6(peer6, us6).UDPLite(Ports(9, 7), Coverage(8+3)).Payload("abcd")
	for _, frame := range [][]byte{damaged(four, 2, 4), damaged(four, 1, 4), damaged(six, 3, 4), damaged(six, 2, 4)} {
		s.w.InjectBytes(frame)
	}
	s.receives(c, "abCd")
	s.receivesNothing(c)
	s.receives(c6, "abcD")
	s.receivesNothing(c6)
	s.counts(1, 1, 1)
}

func TestACoverageOfZeroIsTheWholeDatagram(t *testing.T) { // RFC 3828 §3.1
	s := aloneWith(t, overUDPLite())
	c := s.listen("4", us+":7")
	p := IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(0)).Payload("abcd")
	s.w.Inject(p)
	s.receives(c, "abcd")
	s.w.InjectBytes(damaged(p, 3, 4))
	s.receivesNothing(c)
	s.counts(1, 1, 1)
}

// A coverage beyond the end counts as a short packet (__udp4_lib_rcv,
// net/ipv4/udp.c), one within the header as a bad checksum.
func TestAnIllegalCoverageIsDropped(t *testing.T) { // RFC 3828 §3.1
	s := aloneWith(t, overUDPLite())
	c := s.listen("4", us+":7")
	s.w.Inject(IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(8)).Payload("abcd"))
	s.w.Inject(IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(12)).Payload("abcd"))
	s.receives(c, "abcd")
	s.receives(c, "abcd")
	for _, n := range []int{13, 0xffff} {
		s.w.Inject(IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(n)).Payload("abcd"))
	}
	s.receivesNothing(c)
	s.counts(2, 2, 0)
	for n := 1; n < 8; n++ {
		s.w.Inject(IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(n)).Payload("abcd"))
	}
	s.receivesNothing(c)
	s.counts(2, 9, 7)
	s.w.Inject(IPv4(peer, us).UDPLite(Ports(9, 8), Coverage(7)).Payload("abcd"))
	s.w.ExpectNothing() // not even for a port that nobody has
}

func TestACoverageWithinTheHeaderIsDroppedWhateverItSumsTo(t *testing.T) {
	s := aloneWith(t, overUDPLite())
	c := s.listen("4", us+":7")
	// The ports and the pseudo header sum to nothing: over four bytes the checksum is right.
	rest := wire.Finish(wire.PseudoHeader(wire.MustAddr(peer), wire.MustAddr(us), wire.ProtoUDPLite, 9) + 7)
	s.w.Inject(IPv4(peer, us).UDPLite(Ports(int(rest), 7), Coverage(4)).Payload("x"))
	s.receivesNothing(c)
	s.counts(0, 1, 1)
}

func TestAChecksumIsMandatory(t *testing.T) { // RFC 3828 §3.1
	s := aloneWith(t, overUDPLite())
	c, c6 := s.listen("4", us+":7"), s.listen("6", "["+us6+"]:7")
	if err := c6.Socket().SetInt(core.SolUDP, udp.NoCheck6Rx, 1); err != nil {
		t.Fatal(err)
	}
	// With these ports the rest sums to nothing: zero is what the sender computed
	// before it should have said 0xffff.
	from := func(src, dst string) int {
		return int(wire.Finish(wire.PseudoHeader(wire.MustAddr(src), wire.MustAddr(dst), wire.ProtoUDPLite, 10) + 7 + 10 + 0x7878))
	}
	s.w.Inject(IPv4(peer, us).UDPLite(Ports(from(peer, us), 7), NoChecksum()).Payload("xx"),
		IPv6(peer6, us6).UDPLite(Ports(from(peer6, us6), 7), NoChecksum()).Payload("xx"))
	s.receivesNothing(c)
	s.receivesNothing(c6)
	s.counts(0, 1, 1)
	if n := s.Counter(s.in, "UdpLite6", "InCsumErrors"); n != 1 {
		t.Errorf("InCsumErrors of IPv6 %d, want 1", n)
	}

	s.w.Inject(IPv4(peer, us).UDPLite(Ports(from(peer, us), 7)).Payload("xx"))
	s.receives(c, "xx")

	// Nor does a sender leave it out, whatever its options say.
	for _, option := range [][2]int{{core.SolSocket, core.SoNoCheck}, {core.SolUDP, udp.NoCheck6Tx}} {
		for _, c := range []*core.PacketConn{c, c6} {
			if err := c.Socket().SetInt(option[0], option[1], 1); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.sends(c, peer, "x")
	s.sends(c6, peer6, "x")
}

func TestWhatIsSentCoversWhatTheSocketSays(t *testing.T) {
	s := aloneWith(t, overUDPLite())
	c := s.listen("", ":7")
	for _, x := range []struct{ set, field int }{
		{-1, 12}, // not set: the length
		{0, 0},   // all, said so
		{8, 8},   // the header
		{10, 10},
		{11, 11},
		{12, 12},
		{13, 12}, // more than there is: the length (udplite_csum, include/net/udplite.h)
		{70000, 12},
	} {
		if x.set >= 0 {
			s.sets(c, udplite.SendCoverage, x.set)
		}
		for _, to := range []string{peer, peer6} {
			if _, err := c.WriteTo([]byte("abcd"), &net.UDPAddr{IP: net.ParseIP(to), Port: 9}); err != nil {
				t.Fatal(err)
			}
		}
		s.w.Expect(IPv4(us, peer).UDPLite(Ports(7, 9), Coverage(x.field)).Payload("abcd"))
		s.w.Expect(IPv6(us6, peer6).UDPLite(Ports(7, 9), Coverage(x.field)).Payload("abcd"))
	}
}

func TestACoverageIsRoundedUpToTheHeader(t *testing.T) { // udp_lib_setsockopt, net/ipv4/udp.c
	s := aloneWith(t, overUDPLite())
	c := s.listen("4", us+":7").Socket()
	for _, option := range []int{udplite.SendCoverage, udplite.ReceiveCoverage} {
		if v, err := c.Int(core.SolUDPLite, option); v != 0 || err != nil {
			t.Errorf("option %d of a new socket: %d, %v", option, v, err)
		}
		for set, want := range map[int]int{0: 0, 1: 8, 7: 8, 8: 8, 9: 9, 65535: 65535, 65536: 65535, -1: 8} {
			if err := c.SetInt(core.SolUDPLite, option, set); err != nil {
				t.Errorf("option %d to %d: %v", option, set, err)
			}
			for _, level := range []int{core.SolUDPLite, core.SolUDP} {
				if v, err := c.Int(level, option); v != want || err != nil {
					t.Errorf("option %d of level %d set to %d: %d, %v; want %d", option, level, set, v, err, want)
				}
			}
		}
		if err := c.SetOption(core.SolUDPLite, option, []byte{1, 0, 0}); err != syscall.EINVAL {
			t.Errorf("option %d of three bytes: %v, want EINVAL", option, err)
		}
	}
	if _, err := c.Int(core.SolUDPLite, 999); err != syscall.ENOPROTOOPT {
		t.Errorf("an option that is none: %v, want ENOPROTOOPT", err)
	}
}

func TestAReceiverRefusesWhatIsCoveredTooLittle(t *testing.T) { // RFC 3828 §3.3
	s := aloneWith(t, overUDPLite())
	c := s.listen("4", us+":7")
	covered := func(n int) { s.w.Inject(IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(n)).Payload("abcd")) }
	s.sets(c, udplite.ReceiveCoverage, 10)
	covered(9)
	s.receivesNothing(c)
	s.counts(0, 1, 0)
	covered(10)
	s.receives(c, "abcd")

	s.sets(c, udplite.ReceiveCoverage, 0) // whole datagrams only
	covered(11)
	s.receivesNothing(c)
	s.counts(1, 2, 0)
	covered(12)
	s.receives(c, "abcd")
	covered(0)
	s.receives(c, "abcd")

	// More than a datagram has: one that is covered whole will do.
	s.sets(c, udplite.ReceiveCoverage, 1000)
	covered(11)
	s.receivesNothing(c)
	covered(12)
	s.receives(c, "abcd")
	s.counts(4, 3, 0)
	s.w.ExpectNothing() // a port that refuses is no closed port
}

func TestAGroupReachesTheMembersThatAreContentWithTheCoverage(t *testing.T) {
	s := aloneWith(t, overUDPLite())
	var members [3]*core.PacketConn
	for i := range members {
		sock, err := s.in.Socket(core.AFInet, core.SockDgram, core.SolUDPLite)
		if err != nil {
			t.Fatal(err)
		}
		mreq := append(wire.MustAddr("224.1.2.3").NetIP().AsSlice(), wire.MustAddr(us).NetIP().AsSlice()...)
		for _, err := range []error{sock.SetInt(core.SolSocket, core.SoReuseAddr, 1),
			sock.Bind(core.SockAddr{Addr: wire.FromV4(0), Port: 7}), sock.SetOption(core.SolIP, core.IPAddMembership, mreq)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		members[i] = core.NewPacketConn(sock)
		s.sets(members[i], udplite.ReceiveCoverage, 8+i)
	}
	s.w.Inject(IPv4(peer, "224.1.2.3").UDPLite(Ports(9, 7), Coverage(9)).Payload("abcd"))
	s.receives(members[0], "abcd")
	s.receives(members[1], "abcd")
	s.receivesNothing(members[2])
	s.counts(2, 1, 0)
	for _, c := range members {
		s.sets(c, udplite.ReceiveCoverage, 0)
	}
	s.w.Inject(IPv4(peer, "224.1.2.3").UDPLite(Ports(9, 7), Coverage(9)).Payload("abcd"))
	s.counts(2, 4, 0)
	if n := s.counter("IgnoredMulti"); n != 0 {
		t.Errorf("IgnoredMulti %d: a datagram that members refuse has members", n)
	}
	s.Advance(time.Minute)
	s.w.Sent() // IGMP
}

// Packets of many pieces and fragments are summed up to any byte of them.
func TestACoverageEndsInsideAnyPieceOfALargeDatagram(t *testing.T) {
	s := aloneWith(t, overUDPLite())
	c := s.listen("4", us+":7")
	data := make([]byte, 9000)
	for i := range data {
		data[i] = byte(i * 7)
	}
	got := make([]byte, len(data)+1)
	for _, n := range []int{8, 9, 1479, 1480, 1481, 4096, 4097, 8999, 9007, 9008, 0} {
		s.sets(c, udplite.SendCoverage, n)
		if _, err := c.WriteTo(data, &net.UDPAddr{IP: net.ParseIP(peer), Port: 9}); err != nil {
			t.Fatal(err)
		}
		// The fragments as one: their bytes back to back are the datagram.
		var whole []byte
		fragments := s.w.Sent()
		for _, f := range fragments {
			p, err := wire.ParseIPv4(f.Data)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole, p.Payload()...)
		}
		u, err := wire.ParseUDPLite(whole)
		if err != nil || len(whole) != 9008 || u.Coverage() != n || !u.ChecksumOK(wire.MustAddr(us), wire.MustAddr(peer)) {
			t.Errorf("coverage %d: %d bytes, %v, a field of %d with checksum %#x", n, len(whole), err, u.Coverage(), u.Checksum())
		}
		// And back: the pieces of a reassembled datagram are others.
		back := IPv4(peer, us, ID(n)).UDPLite(Ports(9, 7), Coverage(n)).Payload(string(data)).Bytes()[20:]
		for at := 0; at < len(back); at += 1480 {
			end := min(at+1480, len(back))
			s.w.Inject(IPv4(peer, us, ID(n), Offset(at), MF(end < len(back)), Proto(wire.ProtoUDPLite)).Payload(string(back[at:end])))
		}
		m := core.Message{Data: got, Flags: core.MsgDontWait}
		if k, err := c.Socket().Receive(&m); err != nil || string(got[:k]) != string(data) {
			t.Errorf("coverage %d: received %d bytes, %v", n, k, err)
		}
	}
}

// SOCK_DGRAM by itself is UDP, whichever the wiring names first.
func TestUDPAndUDPLiteHavePortsOfTheirOwn(t *testing.T) {
	s := aloneWith(t, overUDPLite(), core.ProtocolEntry{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()})
	lite := s.listen("4", us+":7")
	sock, err := s.in.Socket(core.AFInet, core.SockDgram, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := sock.Bind(core.SockAddr{Addr: wire.MustAddr(us), Port: 7}); err != nil {
		t.Fatal(err)
	}
	plain := core.NewPacketConn(sock)
	for c, want := range map[*core.PacketConn]int{lite: 136, plain: 17} {
		if v, err := c.Socket().Int(core.SolSocket, core.SoProtocol); v != want || err != nil {
			t.Errorf("SO_PROTOCOL %d, %v; want %d", v, err, want)
		}
	}
	s.w.Inject(IPv4(peer, us).UDP(Ports(9, 7)).Payload("plain"), IPv4(peer, us).UDPLite(Ports(9, 7)).Payload("lite"))
	s.receives(plain, "plain")
	s.receives(lite, "lite")
	s.receivesNothing(plain)
	s.receivesNothing(lite)
	s.counts(1, 0, 0)
	if n := s.Counter(s.in, "Udp", "InDatagrams"); n != 1 {
		t.Errorf("InDatagrams of UDP %d, want 1", n)
	}
}

func TestUDPHasNoCoverage(t *testing.T) { // udp_lib_setsockopt, net/ipv4/udp.c
	s := alone(t)
	c := s.listen("4", us+":7").Socket()
	for _, level := range []int{core.SolUDP, core.SolUDPLite} {
		if err := c.SetInt(level, udplite.SendCoverage, 8); err != syscall.ENOPROTOOPT {
			t.Errorf("level %d: %v, want ENOPROTOOPT", level, err)
		}
		if _, err := c.Int(level, udplite.ReceiveCoverage); err != syscall.ENOPROTOOPT {
			t.Errorf("level %d: %v, want ENOPROTOOPT", level, err)
		}
	}
}
