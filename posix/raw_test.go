package posix_test

import (
	"bytes"
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
	"github.com/libos-go/libos/protocols/raw"
)

// unassigned is a protocol number that nobody serves (RFC 3692).
const unassigned = 253

// raw opens a non-blocking raw socket.
func (p *proc) raw(family, protocol int) int {
	p.t.Helper()
	fd, err := p.Socket(family, posix.SOCK_RAW|posix.SOCK_NONBLOCK, protocol)
	must(p.t, err)
	return fd
}

// sends sends b to an address.
func (p *proc) sends(fd int, b []byte, to string) {
	p.t.Helper()
	if n, err := p.Sendto(fd, b, 0, sockaddr(to, 0)); err != nil || n != len(b) {
		p.t.Fatalf("sent %d of %d bytes, %v", n, len(b), err)
	}
}

// packet is the next packet of a socket, nil if there is none, with its source.
func (p *proc) packet(fd int) ([]byte, wire.Addr) {
	p.t.Helper()
	b, name := make([]byte, 4096), make([]byte, 28)
	n, l, err := p.Recvfrom(fd, b, 0, name)
	if err == syscall.EAGAIN {
		return nil, wire.Addr{}
	}
	must(p.t, err)
	a, err := posix.SockAddr(name[:l])
	must(p.t, err)
	return b[:n], a.Addr
}

// echo is an ICMP echo request with its checksum.
func echo(id, seq uint16, data string) []byte {
	m := wire.ICMPv4(append([]byte{wire.ICMPv4Echo, 0, 0, 0, byte(id >> 8), byte(id), byte(seq >> 8), byte(seq)}, data...))
	m.UpdateChecksum()
	return m
}

func setInt(t testing.TB, p *proc, fd, level, name, v int) {
	t.Helper()
	must(t, p.Setsockopt(fd, level, name, binary.NativeEndian.AppendUint32(nil, uint32(int32(v)))))
}

func TestPingWithARawSocketReceivesTheHeaderAndTheReply(t *testing.T) {
	run(t, func(h *programs) {
		s := h.a.raw(posix.AF_INET, int(wire.ProtoICMP))
		setInt(t, h.a, s, core.SolIP, core.IPTTL, 33)
		h.a.sends(s, echo(7, 1, "hello"), addrB)
		h.sleep(10e6)
		b, from := h.a.packet(s)
		if len(b) < wire.IPv4MinSize {
			t.Fatalf("got % x", b)
		}
		ip := wire.IPv4(b)
		m := wire.ICMPv4(b[ip.HeaderLen():])
		if from != wire.MustAddr(addrB) || ip.Src() != from || ip.Dst() != wire.MustAddr(addrA) || ip.TotalLen() != len(b) || !ip.ChecksumOK() {
			t.Errorf("from %v: % x", from, b)
		}
		if m.Type() != wire.ICMPv4EchoReply || m.ID() != 7 || m.Seq() != 1 || string(m.Payload()) != "hello" {
			t.Errorf("reply % x", []byte(m))
		}
		if b, _ := h.a.packet(s); b != nil {
			t.Errorf("and % x", b)
		}
	})
}

func TestRawIPv6SocketsReceiveNoHeaderAndTheStackFillsICMPv6Checksums(t *testing.T) {
	run(t, func(h *programs) {
		s := h.a.raw(posix.AF_INET6, int(wire.ProtoICMPv6))
		filter := bytes.Repeat([]byte{0xff}, 32) // echo replies alone pass
		filter[wire.ICMPv6EchoReply/8] &^= 1 << (wire.ICMPv6EchoReply % 8)
		if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
			t.Skip("the filter of this test is written for little-endian machines")
		}
		must(t, h.a.Setsockopt(s, raw.SolICMPv6, raw.ICMPv6Filter, filter))
		h.a.sends(s, []byte{wire.ICMPv6Echo, 0, 0, 0, 0, 9, 0, 1, 'h', 'i'}, addrB6)
		h.sleep(10e6)
		b, from := h.a.packet(s)
		if from != wire.MustAddr(addrB6) || len(b) != 10 || b[0] != wire.ICMPv6EchoReply || string(b[8:]) != "hi" {
			t.Errorf("% x from %v", b, from)
		}
		if b, from := h.a.packet(s); b != nil {
			t.Errorf("neighbour discovery passed the filter: % x from %v", b, from)
		}
	})
}

func TestEachRawSocketOfAProtocolGetsItsPackets(t *testing.T) {
	run(t, func(h *programs) {
		type side struct{ bind, connect string }
		sides := []struct {
			side
			hears bool
		}{
			{side{}, true},
			{side{bind: addrB}, true},
			{side{bind: "127.0.0.1"}, false},
			{side{connect: addrA}, true},
			{side{connect: "10.0.0.9"}, false},
		}
		var fds []int
		for _, x := range sides {
			fd := h.b.raw(posix.AF_INET, unassigned)
			if x.bind != "" {
				must(t, h.b.Bind(fd, sockaddr(x.bind, 0)))
			}
			if x.connect != "" {
				must(t, h.b.Connect(fd, sockaddr(x.connect, 0)))
			}
			fds = append(fds, fd)
		}
		out := h.a.raw(posix.AF_INET, unassigned)
		h.a.sends(out, []byte("payload"), addrB)
		h.sleep(10e6)
		for i, fd := range fds {
			b, _ := h.b.packet(fd)
			if got := b != nil; got != sides[i].hears {
				t.Errorf("%+v got % x", sides[i].side, b)
			}
			if b != nil && string(b[wire.IPv4MinSize:]) != "payload" {
				t.Errorf("%+v got %q", sides[i].side, b)
			}
		}
	})
}

func TestARawSocketMakesItsProtocolKnown(t *testing.T) {
	for _, family := range []struct {
		number  int
		to      string
		level   int
		recverr int
		errno   syscall.Errno
	}{{posix.AF_INET, addrB, core.SolIP, core.IPRecvErr, syscall.ENOPROTOOPT}, {posix.AF_INET6, addrB6, core.SolIPv6, core.IPv6RecvErr, syscall.EPROTO}} {
		run(t, func(h *programs) {
			s := h.a.raw(family.number, unassigned)
			setInt(t, h.a, s, family.level, family.recverr, 1)
			taken := h.b.raw(family.number, unassigned)
			h.a.sends(s, []byte("somebody?"), family.to)
			h.sleep(10e6)
			if r := h.a.revents(s, posix.POLLIN); r != 0 {
				t.Errorf("%s: an error although a raw socket took it: events %#x", family.to, r)
			}
			must(t, h.b.Close(taken))
			h.a.sends(s, []byte("somebody?"), family.to)
			h.sleep(10e6)
			m := &posix.Msghdr{Name: make([]byte, 28), Iov: [][]byte{make([]byte, 100)}, Control: make([]byte, 256)}
			n, err := h.a.Recvmsg(s, m, posix.MSG_ERRQUEUE)
			must(t, err)
			if string(m.Iov[0][:n]) != "somebody?" || m.Flags&posix.MSG_ERRQUEUE == 0 {
				t.Errorf("%s: %q came back, flags %#x", family.to, m.Iov[0][:n], m.Flags)
			}
			c, _, ok := core.NextControl(m.Control[:m.ControlLen])
			if !ok || c.Level != family.level || c.Name != family.recverr || syscall.Errno(binary.NativeEndian.Uint32(c.Data)) != family.errno {
				t.Errorf("%s: control message %+v", family.to, c)
			}
		})
	}
}

func TestTheStackCompletesAHeaderThatTheProgramWrote(t *testing.T) {
	run(t, func(h *programs) {
		in := h.b.raw(posix.AF_INET, unassigned)
		out := h.a.raw(posix.AF_INET, int(wire.ProtoRaw)) // IP_HDRINCL is implied
		p := make([]byte, wire.IPv4MinSize, 64)
		p[0], p[8], p[9] = 0x45, 17, unassigned
		copy(p[16:], []byte{10, 0, 0, 2})
		h.a.sends(out, append(p, "body"...), addrB)
		h.sleep(10e6)
		b, _ := h.b.packet(in)
		if len(b) != len(p)+4 {
			t.Fatalf("got % x", b)
		}
		ip := wire.IPv4(b)
		if !ip.ChecksumOK() || ip.Src() != wire.MustAddr(addrA) || ip.ID() == 0 || ip.TotalLen() != len(b) || ip.TTL() != 17 {
			t.Errorf("header % x", b)
		}
	})
}

func TestAnErrorAboutAWrittenHeaderBringsItBack(t *testing.T) {
	run(t, func(h *programs) {
		out := h.a.raw(posix.AF_INET, unassigned)
		setInt(t, h.a, out, core.SolIP, raw.HdrIncl, 1)
		setInt(t, h.a, out, core.SolIP, core.IPRecvErr, 1)
		p := make([]byte, wire.IPv4MinSize, 64)
		p[0], p[8], p[9] = 0x45, 17, unassigned
		copy(p[16:], []byte{10, 0, 0, 2})
		h.a.sends(out, append(p, "somebody?"...), addrB)
		h.sleep(10e6)
		b := make([]byte, 100)
		n, _, err := h.a.Recvfrom(out, b, posix.MSG_ERRQUEUE, nil)
		must(t, err)
		if n != len(p)+9 || b[0] != 0x45 || b[9] != unassigned || string(b[len(p):n]) != "somebody?" {
			t.Errorf("% x came back", b[:n])
		}
	})
}

func TestRawSocketsTellTTLAndDestination(t *testing.T) {
	run(t, func(h *programs) {
		in := h.b.raw(posix.AF_INET, unassigned)
		for _, name := range []int{core.IPPktInfo, core.IPRecvTTL, core.IPRecvTOS} {
			setInt(t, h.b, in, core.SolIP, name, 1)
		}
		out := h.a.raw(posix.AF_INET, unassigned)
		setInt(t, h.a, out, core.SolIP, core.IPTTL, 9)
		setInt(t, h.a, out, core.SolIP, core.IPTOS, 0x20)
		h.a.sends(out, []byte("x"), addrB)
		h.sleep(10e6)
		m := &posix.Msghdr{Iov: [][]byte{make([]byte, 100)}, Control: make([]byte, 256)}
		_, err := h.b.Recvmsg(in, m, 0)
		must(t, err)
		got := map[int][]byte{}
		for rest := m.Control[:m.ControlLen]; len(rest) > 0; {
			c, next, ok := core.NextControl(rest)
			if !ok {
				t.Fatalf("control messages % x", rest)
			}
			got[c.Name], rest = c.Data, next
		}
		if v := got[core.IPTTL]; len(v) != 4 || binary.NativeEndian.Uint32(v) != 9 {
			t.Errorf("TTL % x", v)
		}
		if v := got[core.IPTOS]; len(v) != 1 || v[0] != 0x20 {
			t.Errorf("TOS % x", v)
		}
		if v := got[core.IPPktInfo]; len(v) != 12 || !bytes.Equal(v[8:], []byte{10, 0, 0, 2}) {
			t.Errorf("packet info % x", v)
		}
	})
}

func TestRawSocketsCountTheirBuffer(t *testing.T) {
	run(t, func(h *programs) {
		in := h.b.raw(posix.AF_INET, unassigned)
		setInt(t, h.b, in, core.SolSocket, core.SoRcvBuf, 2304)
		out := h.a.raw(posix.AF_INET, unassigned)
		for range 50 {
			h.a.sends(out, make([]byte, 900), addrB)
		}
		h.sleep(10e6)
		n, err := h.b.Ioctl(in, posix.SIOCINQ, make([]byte, 4))
		if err != nil {
			t.Errorf("SIOCINQ: %d, %v", n, err)
		}
		got := 0
		for b, _ := h.b.packet(in); b != nil; b, _ = h.b.packet(in) {
			got++
		}
		if got == 0 || got > 4 {
			t.Errorf("a buffer of 4608 bytes held %d packets of 920", got)
		}
	})
}

func TestErrorsOfRawSockets(t *testing.T) {
	run(t, func(h *programs) {
		for _, protocol := range []int{0, 256} {
			_, err := h.a.Socket(posix.AF_INET, posix.SOCK_RAW, protocol)
			want(t, "socket without a protocol", err, syscall.EPROTONOSUPPORT)
		}
		four := binary.NativeEndian.AppendUint32(nil, 3)
		tcp, icmp6 := h.a.raw(posix.AF_INET, int(wire.ProtoTCP)), h.a.raw(posix.AF_INET6, int(wire.ProtoICMPv6))
		other6 := h.a.raw(posix.AF_INET6, unassigned)
		want(t, "ICMP_FILTER for TCP", h.a.Setsockopt(tcp, raw.SolRaw, raw.ICMPFilter, four), syscall.EOPNOTSUPP)
		want(t, "ICMPV6_FILTER for another protocol", h.a.Setsockopt(other6, raw.SolICMPv6, raw.ICMPv6Filter, four), syscall.EOPNOTSUPP)
		want(t, "IPV6_CHECKSUM for ICMPv6", h.a.Setsockopt(icmp6, core.SolIPv6, raw.Checksum, four), syscall.EINVAL)
		want(t, "odd IPV6_CHECKSUM", h.a.Setsockopt(other6, core.SolIPv6, raw.Checksum, four), syscall.EINVAL)
		want(t, "an address that is not ours", h.a.Bind(tcp, sockaddr("10.0.0.77", 0)), syscall.EADDRNOTAVAIL)
		want(t, "listen", h.a.Listen(tcp, 1), syscall.EOPNOTSUPP)

		out := h.a.raw(posix.AF_INET, int(wire.ProtoRaw))
		send := func(what string, fd int, b []byte, flags int, to string, errno error) {
			t.Helper()
			_, err := h.a.Sendto(fd, b, flags, sockaddr(to, 0))
			want(t, what, err, errno)
		}
		send("half a header", out, make([]byte, 10), 0, addrB, syscall.EINVAL)
		send("a header that is longer than the packet", out, append([]byte{0x4f}, make([]byte, 30)...), 0, addrB, syscall.EINVAL)
		send("a packet with header beyond the MTU", out, append([]byte{0x45}, make([]byte, 1500)...), 0, addrB, syscall.EMSGSIZE)
		send("more than IP can carry", tcp, make([]byte, 65536), 0, addrB, syscall.EMSGSIZE)
		send("urgent bytes", tcp, []byte("x"), posix.MSG_OOB, addrB, syscall.EOPNOTSUPP)
		send("a broadcast that was not asked for", tcp, []byte("x"), 0, "255.255.255.255", syscall.EACCES)
		_, err := h.a.Write(tcp, []byte("x"))
		want(t, "no destination", err, syscall.EDESTADDRREQ)
	})
}

func TestIPv6ChecksumsAreFilledInAndVerifiedWhereTheSocketSays(t *testing.T) {
	run(t, func(h *programs) {
		plain, checked := h.b.raw(posix.AF_INET6, unassigned), h.b.raw(posix.AF_INET6, unassigned)
		setInt(t, h.b, checked, core.SolIPv6, raw.Checksum, 2)
		out := h.a.raw(posix.AF_INET6, unassigned)
		h.a.sends(out, []byte("no sum"), addrB6)
		setInt(t, h.a, out, core.SolIPv6, raw.Checksum, 2)
		h.a.sends(out, []byte("ab\xff\xffcd"), addrB6)
		h.sleep(10e6)
		if b, _ := h.b.packet(plain); string(b) != "no sum" {
			t.Errorf("plain socket got %q", b)
		}
		b, _ := h.b.packet(plain)
		var c wire.Checksum
		c.AddPseudoHeader(wire.MustAddr(addrA6), wire.MustAddr(addrB6), unassigned, len(b))
		c.Add(b)
		if len(b) != 6 || c.Fold() != 0xffff {
			t.Errorf("payload % x does not sum up", b)
		}
		if b2, _ := h.b.packet(checked); !bytes.Equal(b, b2) {
			t.Errorf("checking socket got % x first, want % x", b2, b)
		}
	})
}

func TestPingSocketsHaveWhatPingSets(t *testing.T) {
	run(t, func(h *programs) {
		for _, x := range []struct {
			family, protocol     int
			to                   string
			level, recverr, hops int
			request, reply       byte
			told                 int
		}{
			{posix.AF_INET, int(wire.ProtoICMP), addrB, core.SolIP, core.IPRecvErr, core.IPRecvTTL, wire.ICMPv4Echo, wire.ICMPv4EchoReply, core.IPTTL},
			{posix.AF_INET6, int(wire.ProtoICMPv6), addrB6, core.SolIPv6, core.IPv6RecvErr, core.IPv6RecvHopLimit, wire.ICMPv6Echo, wire.ICMPv6EchoReply, core.IPv6HopLimit},
		} {
			s, err := h.a.Socket(x.family, posix.SOCK_DGRAM, x.protocol)
			must(t, err)
			setInt(t, h.a, s, x.level, x.recverr, 1)
			setInt(t, h.a, s, x.level, x.hops, 1)
			setInt(t, h.a, s, core.SolSocket, core.SoTimestamp, 1)
			setInt(t, h.a, s, core.SolSocket, core.SoRcvBuf, 324<<10)
			h.a.sends(s, []byte{x.request, 0, 0, 0, 0, 0, 0, 1, 'x'}, x.to)
			m := &posix.Msghdr{Iov: [][]byte{make([]byte, 100)}, Control: make([]byte, 256)}
			n, err := h.a.Recvmsg(s, m, 0)
			must(t, err)
			if b := m.Iov[0][:n]; n != 9 || b[0] != x.reply || b[8] != 'x' {
				t.Errorf("reply % x", b)
			}
			told := map[[2]int]int{}
			for rest := m.Control[:m.ControlLen]; len(rest) > 0; {
				c, next, ok := core.NextControl(rest)
				if !ok {
					t.Fatalf("control messages % x", rest)
				}
				told[[2]int{c.Level, c.Name}], rest = len(c.Data), next
			}
			if told[[2]int{core.SolSocket, core.SoTimestamp}] != 16 || told[[2]int{x.level, x.told}] != 4 {
				t.Errorf("%s: control messages %v", x.to, told)
			}
		}
		if v, err := h.a.Instance().Sysctl("net.ipv4.ping_group_range"); err != nil || v != "0\t2147483647" {
			t.Errorf("ping_group_range %q, %v", v, err)
		}
	})
}

// FuzzRawHeader sends what a program calls a packet: it is sent or refused, and
// nothing panics or stays behind.
func FuzzRawHeader(f *testing.F) {
	f.Add(true, append([]byte{0x45, 0, 0, 24, 0, 0, 0, 0, 64, 253, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1}, "body"...))
	f.Add(true, []byte{0x4f, 0, 0})
	f.Add(false, append([]byte{0x60, 0, 0, 0, 0, 4, 59, 64}, make([]byte, 36)...))
	f.Fuzz(func(t *testing.T, v4 bool, b []byte) {
		run(t, func(h *programs) {
			family, to := posix.AF_INET6, "::1"
			if v4 {
				family, to = posix.AF_INET, "127.0.0.1"
			}
			_ = h.a.raw(family, unassigned)
			s := h.a.raw(family, int(wire.ProtoRaw))
			for _, to := range []string{to, map[bool]string{true: addrB, false: addrB6}[v4]} {
				if n, err := h.a.Sendto(s, b, 0, sockaddr(to, 0)); err == nil && n != len(b) {
					t.Errorf("%d of %d bytes", n, len(b))
				}
			}
			h.sleep(10e6)
		})
	})
}
