package datagram_test

import (
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/protocols/udp"
)

const (
	us    = "10.0.0.1"
	peer  = "10.0.0.2"
	us6   = "fd00::1"
	peer6 = "fd00::2"
)

// instance has the flavour, as the test of this name wants it, and what else is
// named.
func instance(t testing.TB, r *coretest.Rig, name string, f flavour, beside ...core.ProtocolEntry) *core.Instance {
	t.Helper()
	w := &core.Wiring{
		Name: "datagram-test",
		Networks: []core.NetworkEntry{
			{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
			{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
		},
		Sysctls: []*sysctl.Table{sysctl.Of[core.PortSysctls]()},
	}
	if isModule(t) {
		w.Protocols = beside
		in := r.Instance(name, w)
		attach(t, in, f)
		return in
	}
	w.Protocols = append([]core.ProtocolEntry{entry(t, f)}, beside...)
	return r.Instance(name, w)
}

// station is an instance whose link is in the test's hands.
type station struct {
	*coretest.Rig
	flavour
	in *core.Instance
	w  *coretest.Wire
}

// alone is a station of the flavour that the test is run for.
func alone(t testing.TB) *station {
	t.Helper()
	return aloneWith(t, flavourOf(t))
}

func aloneWith(t testing.TB, f flavour, beside ...core.ProtocolEntry) *station {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1))
	in := instance(t, r, "a", f, beside...)
	for _, quiet := range []string{"net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.default.addr_gen_mode=1"} {
		name, value, _ := strings.Cut(quiet, "=")
		if err := in.SetSysctl(name, value); err != nil {
			t.Fatal(err)
		}
	}
	s := &station{r, f, in, r.Wire(in, "w0", core.LinkRaw, us+"/24", us6+"/64")}
	s.Advance(10 * time.Second) // group reports of IPv6 go out
	s.w.Sent()
	return s
}

// listen opens a socket of a family: "4", "6" or "" for both.
func (s *station) listen(family, address string) *core.PacketConn {
	s.T.Helper()
	c, err := s.in.ListenPacket(s.network+family, address)
	if err != nil {
		s.T.Fatal(err)
	}
	return c
}

func (s *station) counter(name string) uint64 {
	s.T.Helper()
	return s.Counter(s.in, s.group, name)
}

// receives checks that the oldest datagram of c is want.
func (s *station) receives(c *core.PacketConn, want string) {
	s.T.Helper()
	var b [64]byte
	m := core.Message{Data: b[:], Flags: core.MsgDontWait}
	n, err := c.Socket().Receive(&m)
	if err != nil || string(b[:n]) != want {
		s.T.Errorf("received %q, %v; want %q", b[:n], err, want)
	}
}

func (s *station) receivesNothing(c *core.PacketConn) {
	s.T.Helper()
	var b [64]byte
	m := core.Message{Data: b[:], Flags: core.MsgDontWait}
	if n, err := c.Socket().Receive(&m); err != syscall.EAGAIN {
		s.T.Errorf("received %q, %v; want EAGAIN", b[:max(n, 0)], err)
	}
}

func TestADatagramReachesItsPort(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	c6 := s.listen("6", "["+us6+"]:7")
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7)).Payload("four"))
	s.w.Inject(s.datagram(IPv6(peer6, us6), Ports(9, 7)).Payload("six"))
	s.receives(c, "four")
	s.receives(c6, "six")
	s.w.ExpectNothing()
}

func TestADatagramLeavesWithItsChecksum(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	if _, err := c.WriteTo([]byte("hello"), &net.UDPAddr{IP: net.ParseIP(peer), Port: 9}); err != nil {
		t.Fatal(err)
	}
	s.w.Expect(s.datagram(IPv4(us, peer, TTL(64)), Ports(7, 9)).Payload("hello"))
	c6 := s.listen("6", "["+us6+"]:7")
	if _, err := c6.WriteTo(nil, &net.UDPAddr{IP: net.ParseIP(peer6), Port: 9}); err != nil {
		t.Fatal(err)
	}
	s.w.Expect(s.datagram(IPv6(us6, peer6), Ports(7, 9)))
}

func TestAnUnknownPortIsUnreachable(t *testing.T) {
	s := alone(t)
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7)).Payload("x"))
	s.w.Expect(IPv4(us, peer).ICMP("unreachable", Code(3)))
	s.w.Inject(s.datagram(IPv6(peer6, us6), Ports(9, 7)).Payload("x"))
	s.w.Expect(IPv6(us6, peer6).ICMP("unreachable", Code(4)))
	if n := s.counter("NoPorts"); n != 1 {
		t.Errorf("NoPorts %d, want 1", n)
	}
}

func TestABadChecksumIsCountedAndDropped(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7), BadChecksum()).Payload("x"))
	s.receivesNothing(c)
	if n := s.counter("InCsumErrors"); n != 1 {
		t.Errorf("InCsumErrors %d, want 1", n)
	}
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 8), BadChecksum()).Payload("x"))
	s.w.ExpectNothing() // not even for a port that nobody has
}

func TestAZeroChecksumIsForIPv4Only(t *testing.T) { // RFC 768; RFC 8200 §8.1
	s := alone(t)
	c, c6 := s.listen("4", us+":7"), s.listen("6", "["+us6+"]:7")
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7), NoChecksum()).Payload("x"), s.datagram(IPv6(peer6, us6), Ports(9, 7), NoChecksum()).Payload("x"))
	s.receives(c, "x")
	s.receivesNothing(c6)
	if err := c6.Socket().SetInt(core.SolUDP, udp.NoCheck6Rx, 1); err != nil {
		t.Fatal(err)
	}
	s.w.Inject(s.datagram(IPv6(peer6, us6), Ports(9, 7), NoChecksum()).Payload("y"))
	s.receives(c6, "y")
}

func TestLengthsThatDoNotFitAreErrors(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	for _, n := range []int{0, 7, 10} { // of 9 bytes
		s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7), Length(n)).Payload("x"))
	}
	s.receivesNothing(c)
	if n := s.counter("InErrors"); n != 3 {
		t.Errorf("InErrors %d, want 3", n)
	}
}

func TestAConnectedSocketHearsItsPeerAlone(t *testing.T) {
	s := alone(t)
	any := s.listen("4", ":7")
	c, err := s.in.Dial(s.network+"4", peer+":9")
	if err != nil {
		t.Fatal(err)
	}
	port := c.LocalAddr().(*net.UDPAddr).Port
	if port < 32768 || port > 60999 {
		t.Errorf("port %d is outside of net.ipv4.ip_local_port_range", port)
	}
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, port)).Payload("peer"), s.datagram(IPv4(peer, us), Ports(10, port)).Payload("other"))
	s.receives(c.(*core.PacketConn), "peer")
	s.receivesNothing(c.(*core.PacketConn))
	s.w.Expect(IPv4(us, peer).ICMP("unreachable", Code(3)))
	s.receivesNothing(any)
}

func TestPortUnreachableRefusesAConnectedSocket(t *testing.T) {
	s := alone(t)
	c, err := s.in.Dial(s.network+"4", peer+":9")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	port := c.LocalAddr().(*net.UDPAddr).Port
	sent := s.w.Expect(s.datagram(IPv4(us, peer), Ports(port, 9)).Payload("x"))
	s.w.Inject(IPv4(peer, us).ICMP("unreachable", Code(3), Quote(Read(sent))))
	if _, err := c.Write([]byte("y")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the next write: %v, want ECONNREFUSED", err)
	}
	if _, err := c.Write([]byte("z")); err != nil {
		t.Errorf("the error was reported twice: %v", err)
	}
	s.w.Sent()
}

func TestBindRules(t *testing.T) {
	s := alone(t)
	open := func(reuse int, family int, address string) (*core.Socket, error) {
		sock, err := s.in.Socket(family, core.SockDgram, s.protocol)
		if err != nil {
			t.Fatal(err)
		}
		if reuse != 0 {
			if err := sock.SetInt(core.SolSocket, reuse, 1); err != nil {
				t.Fatal(err)
			}
		}
		return sock, sock.Bind(core.SockAddr{Addr: wire.MustAddr(address), Port: 7})
	}
	if _, err := open(core.SoReuseAddr, core.AFInet, us); err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		reuse, family int
		address       string
		want          error
	}{
		{0, core.AFInet, us, syscall.EADDRINUSE},
		{0, core.AFInet, "0.0.0.0", syscall.EADDRINUSE},
		{core.SoReuseAddr, core.AFInet, us, nil},
		{core.SoReusePort, core.AFInet, us, syscall.EADDRINUSE},
		{0, core.AFInet6, us6, nil},
		{0, core.AFInet6, "::", syscall.EADDRINUSE},
		{0, core.AFInet, "192.0.2.1", syscall.EADDRNOTAVAIL},
		{0, core.AFInet, us6, syscall.EAFNOSUPPORT},
	} {
		if sock, err := open(x.reuse, x.family, x.address); err != x.want {
			t.Errorf("bind to %s with option %d: %v, want %v", x.address, x.reuse, err, x.want)
		} else if x.want != nil {
			_ = sock.Close()
		}
	}
}

func TestADualStackSocketTakesBothFamilies(t *testing.T) {
	s := alone(t)
	c := s.listen("", ":7")
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7)).Payload("four"), s.datagram(IPv6(peer6, us6), Ports(9, 7)).Payload("six"))
	s.receives(c, "four")
	s.receives(c, "six")
}

func TestErrnosOfSending(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7").Socket()
	send := func(n int, a string, port uint16) error {
		_, err := c.Send(&core.Message{Data: make([]byte, n), HasAddr: true, Addr: core.SockAddr{Addr: wire.MustAddr(a), Port: port}})
		return err
	}
	if _, err := c.Send(&core.Message{Data: []byte("x")}); err != syscall.EDESTADDRREQ {
		t.Errorf("without a destination: %v", err)
	}
	for _, x := range []struct {
		n    int
		a    string
		port uint16
		want error
	}{
		{1, peer, 0, syscall.EINVAL},
		{1, "192.0.2.9", 9, syscall.ENETUNREACH},
		{65508, peer, 9, syscall.EMSGSIZE},
		{65507, peer, 9, nil},
		{1, us6, 9, syscall.EAFNOSUPPORT},
	} {
		if err := send(x.n, x.a, x.port); err != x.want {
			t.Errorf("%d bytes to %s port %d: %v, want %v", x.n, x.a, x.port, err, x.want)
		}
	}
	s.w.Sent()
}

func TestAFullReceiveBufferDropsAndCounts(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	if err := c.SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7)).PayloadLen(1000))
	}
	dropped := s.counter("RcvbufErrors")
	if dropped == 0 || dropped == 20 {
		t.Errorf("%d of 20 datagrams were dropped by a buffer of 8 KB", dropped)
	}
	if got := s.counter("InDatagrams"); got+dropped != 20 {
		t.Errorf("InDatagrams %d and RcvbufErrors %d of 20", got, dropped)
	}
}

func TestPeekAndTruncation(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7)).Payload("0123456789"))
	var b [4]byte
	m := core.Message{Data: b[:], Flags: core.MsgPeek | core.MsgTrunc}
	if n, err := c.Socket().Receive(&m); n != 10 || err != nil || m.OutFlags&core.MsgTrunc == 0 {
		t.Errorf("peek: %d, %v, flags %x", n, err, m.OutFlags)
	}
	m = core.Message{Data: b[:]}
	if n, err := c.Socket().Receive(&m); n != 4 || err != nil || string(b[:]) != "0123" || m.Addr.Port != 9 {
		t.Errorf("receive: %d, %v, %q from %v", n, err, b, m.Addr)
	}
	s.receivesNothing(c)
}

func TestMulticastReachesEveryMember(t *testing.T) {
	s := alone(t)
	group := wire.MustAddr("224.1.2.3")
	var members []*core.PacketConn
	for range 2 {
		sock, err := s.in.Socket(core.AFInet, core.SockDgram, s.protocol)
		if err != nil {
			t.Fatal(err)
		}
		mreq := append(group.NetIP().AsSlice(), wire.MustAddr(us).NetIP().AsSlice()...)
		for _, err := range []error{sock.SetInt(core.SolSocket, core.SoReuseAddr, 1),
			sock.Bind(core.SockAddr{Addr: wire.FromV4(0), Port: 7}), sock.SetOption(core.SolIP, core.IPAddMembership, mreq)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		members = append(members, core.NewPacketConn(sock))
	}
	s.w.Inject(s.datagram(IPv4(peer, "224.1.2.3"), Ports(9, 7)).Payload("all"), s.datagram(IPv4(peer, "224.9.9.9"), Ports(9, 7)).Payload("none"))
	for _, c := range members {
		s.receives(c, "all")
		s.receivesNothing(c)
	}
	s.Advance(time.Minute)
	s.w.Sent() // IGMP
}

// Without IP_MULTICAST_ALL a socket hears the groups that it joined itself, on
// the interface where it did.
func TestASocketMayHearItsOwnGroupsAlone(t *testing.T) {
	s := alone(t)
	other := s.Wire(s.in, "w1", core.LinkRaw, "10.1.0.1/24")
	group := wire.MustAddr("224.1.2.3")
	member, err := s.in.Socket(core.AFInet, core.SockDgram, s.protocol)
	if err != nil {
		t.Fatal(err)
	}
	defer member.Close()
	c := s.listen("4", ":7")
	join := func(sock *core.Socket, local string) {
		t.Helper()
		mreq := append(group.NetIP().AsSlice(), wire.MustAddr(local).NetIP().AsSlice()...)
		if err := sock.SetOption(core.SolIP, core.IPAddMembership, mreq); err != nil {
			t.Fatal(err)
		}
	}
	join(member, us)
	join(member, "10.1.0.1")
	s.w.Inject(s.datagram(IPv4(peer, "224.1.2.3"), Ports(9, 7)).Payload("another's"))
	s.receives(c, "another's")
	if err := c.Socket().SetInt(core.SolIP, core.IPMulticastAll, 0); err != nil {
		t.Fatal(err)
	}
	s.w.Inject(s.datagram(IPv4(peer, "224.1.2.3"), Ports(9, 7)).Payload("refused"))
	s.receivesNothing(c)
	for name, want := range map[string]uint64{"InDatagrams": 1, "IgnoredMulti": 1, "RcvbufErrors": 0} {
		if n := s.counter(name); n != want {
			t.Errorf("%s %d, want %d", name, n, want)
		}
	}
	join(c.Socket(), us)
	other.Inject(s.datagram(IPv4("10.1.0.2", "224.1.2.3"), Ports(9, 7)).Payload("by the other link"))
	s.receivesNothing(c)
	s.w.Inject(s.datagram(IPv4(peer, "224.1.2.3"), Ports(9, 7)).Payload("own"), s.datagram(IPv4(peer, us), Ports(9, 7)).Payload("unicast"))
	s.receives(c, "own")
	s.receives(c, "unicast")
	s.Advance(time.Minute)
	s.w.Sent() // IGMP
	other.Sent()
}

func TestABlockedReadWakesAndTimesOut(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	h := s.Host.(*host.Virtual)
	s.Do(func() {
		h.At(s.Host.Now().Add(time.Second), func() { s.w.Inject(s.datagram(IPv4(peer, us), Ports(9, 7)).Payload("late")) })
		var b [10]byte
		if n, _, err := c.ReadFrom(b[:]); err != nil || string(b[:n]) != "late" {
			t.Errorf("read %q, %v", b[:n], err)
		}
		if err := c.SetReadDeadline(s.Host.WallNow().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		before := s.Host.Now()
		if _, _, err := c.ReadFrom(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) || s.Host.Now().Sub(before) != time.Minute {
			t.Errorf("after %v: %v", s.Host.Now().Sub(before), err)
		}
	})
}

func TestCloseWakesAReader(t *testing.T) {
	s := alone(t)
	c := s.listen("4", us+":7")
	s.Do(func() {
		s.Go("closer", func() { _ = c.Close() })
		if _, _, err := c.ReadFrom(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a read on a closed socket: %v", err)
		}
	})
}

// two joins two instances by a pipe.
func two(t testing.TB, choices ...coretest.Option) (r *coretest.Rig, a, b *core.Instance) {
	r = coretest.New(t, host.NewVirtual(1), choices...)
	a, b = instance(t, r, "a", flavourOf(t)), instance(t, r, "b", flavourOf(t))
	left, right := pipe.New(pipe.Config{Name: "ab"})
	r.Attach(a, left, "eth0", us+"/24", us6+"/64")
	r.Attach(b, right, "eth0", peer+"/24", peer6+"/64")
	return r, a, b
}

func TestLargeDatagramsCrossInFragments(t *testing.T) {
	network := flavourOf(t).network
	r, a, b := two(t)
	for _, x := range []struct{ family, from, to string }{{"4", us + ":7", peer + ":7"}, {"6", "[" + us6 + "]:7", "[" + peer6 + "]:7"}} {
		from, err := a.ListenPacket(network+x.family, x.from)
		if err != nil {
			t.Fatal(err)
		}
		to, err := b.ListenPacket(network+x.family, x.to)
		if err != nil {
			t.Fatal(err)
		}
		addr, _ := net.ResolveUDPAddr("udp"+x.family, x.to)
		r.Do(func() {
			for _, n := range []int{0, 1, 1472, 1473, 9000, 65507} {
				want := make([]byte, n)
				for i := range want {
					want[i] = byte(i * n)
				}
				if _, err := from.WriteTo(want, addr); err != nil {
					t.Errorf("IPv%s, %d bytes: %v", x.family, n, err)
					continue
				}
				got := make([]byte, 70000)
				m, _, err := to.ReadFrom(got)
				if err != nil || string(got[:m]) != string(want) {
					t.Errorf("IPv%s: %d bytes arrived of %d: %v", x.family, m, n, err)
				}
			}
		})
	}
}

func TestADatagramAllocatesNothing(t *testing.T) {
	_, a, b := two(t, coretest.Release())
	from, to := pair(t, a, b)
	out, in := make([]byte, 1400), make([]byte, 1500)
	cross := func() {
		if _, err := from.Write(out); err != nil {
			t.Fatal(err)
		}
		if _, err := to.Read(in); err != nil {
			t.Fatal(err)
		}
	}
	for range 100 {
		cross()
	}
	if n := testing.AllocsPerRun(200, cross); n != 0 {
		t.Errorf("%v allocations a datagram", n)
	}
}

func pair(t testing.TB, a, b *core.Instance) (from, to *core.PacketConn) {
	t.Helper()
	network := flavourOf(t).network
	from, err := a.ListenPacket(network+"4", us+":7")
	if err != nil {
		t.Fatal(err)
	}
	if to, err = b.ListenPacket(network+"4", peer+":9"); err != nil {
		t.Fatal(err)
	}
	if err := from.Socket().Connect(core.SockAddr{Addr: wire.MustAddr(peer), Port: 9}); err != nil {
		t.Fatal(err)
	}
	return from, to
}

func BenchmarkDatagram(b *testing.B) {
	_, x, y := two(b, coretest.Release())
	from, to := pair(b, x, y)
	out, in := make([]byte, 1400), make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		for range 32 {
			if _, err := from.Write(out); err != nil {
				b.Fatal(err)
			}
		}
		for range 32 {
			if _, err := to.Read(in); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/datagram")
}

func FuzzInput(f *testing.F) {
	fuzzInput(f, overUDP())
}

func FuzzInputOfUDPLite(f *testing.F) {
	f.Add(IPv4(peer, us).UDPLite(Ports(9, 7), Coverage(10)).Payload("0123").Bytes())
	f.Add(IPv6(peer6, us6).UDPLite(Ports(9, 7), Coverage(0)).Payload("x").Bytes())
	fuzzInput(f, overUDPLite())
}

func fuzzInput(f *testing.F, over flavour) {
	f.Add(over.datagram(IPv4(peer, us), Ports(9, 7)).Payload("x").Bytes())
	f.Add(over.datagram(IPv6(peer6, us6), Ports(9, 7)).Payload("x").Bytes())
	f.Fuzz(func(t *testing.T, frame []byte) {
		s := aloneWith(t, over)
		s.listen("", ":7")
		s.w.InjectBytes(frame)
	})
}
