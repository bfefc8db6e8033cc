package posix_test

import (
	"encoding/binary"
	"syscall"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

// ifreq is a struct ifreq about an interface.
func ifreq(name string, value ...byte) []byte {
	b := make([]byte, 40)
	copy(b, name)
	copy(b[16:], value)
	return b
}

// in4 is a struct sockaddr_in without a port.
func in4(a string) []byte { return sockaddr(a, 0) }

// rtentry is a struct rtentry.
func rtentry(dst, gateway, mask string, flags uint16) []byte {
	b := make([]byte, 120)
	for at, a := range map[int]string{8: dst, 24: gateway, 40: mask} {
		if a != "" {
			copy(b[at:], in4(a))
		}
	}
	binary.NativeEndian.PutUint16(b[56:], flags)
	return b
}

// in6Rtmsg is a struct in6_rtmsg of eth0.
func in6Rtmsg(dst string, bits uint16, gateway string, flags uint32) []byte {
	b := make([]byte, 80)
	d, g := wire.MustAddr(dst).As16(), wire.MustAddr(gateway).As16()
	copy(b, d[:])
	copy(b[32:], g[:])
	binary.NativeEndian.PutUint16(b[52:], bits)
	binary.NativeEndian.PutUint32(b[72:], flags)
	binary.NativeEndian.PutUint32(b[76:], 2)
	return b
}

// in6Ifreq is a struct in6_ifreq.
func in6Ifreq(a string, bits, index uint32) []byte {
	x := wire.MustAddr(a).As16()
	b := binary.NativeEndian.AppendUint32(x[:], bits)
	return binary.NativeEndian.AppendUint32(b, index)
}

// arpreq is a struct arpreq.
func arpreq(a string, flags uint32, device string) []byte {
	b := make([]byte, 68)
	copy(b, in4(a))
	copy(b[18:], "\x02\x00\x00\x00\x00\x09")
	binary.NativeEndian.PutUint32(b[32:], flags)
	copy(b[52:], device)
	return b
}

const (
	up, gateway, toHost, reject = 1, 2, 4, 0x200

	permanent, published, netmask = 4, 8, 0x20
)

// What a request about an interface, a route or a neighbour may not say. Those that
// may are tried with net-tools against the kernel (guest/testdata/nettools.sh).
func TestRequestsOfNetdeviceThatAreRefused(t *testing.T) {
	run(t, func(h *programs) {
		s4, err := h.a.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
		must(t, err)
		s6, err := h.a.Socket(posix.AF_INET6, posix.SOCK_DGRAM, 0)
		must(t, err)
		for _, x := range []struct {
			what    string
			fd      int
			request uint
			arg     []byte
			want    error
		}{
			{"half a struct ifreq", s4, posix.SIOCSIFFLAGS, make([]byte, 39), syscall.EFAULT},
			{"flags of nobody", s4, posix.SIOCSIFFLAGS, ifreq("eth9", 1), syscall.ENODEV},
			{"flags of an address that is not there", s4, posix.SIOCSIFFLAGS, ifreq("eth0:7", 1), syscall.EADDRNOTAVAIL},
			{"an address of another family", s4, posix.SIOCSIFADDR, ifreq("eth0", sockaddr(addrA6, 0)...), syscall.EINVAL},
			{"a group for an address", s4, posix.SIOCSIFADDR, ifreq("eth0", in4("224.0.0.5")...), syscall.EINVAL},
			{"a mask with a hole", s4, posix.SIOCSIFNETMASK, ifreq("eth0", in4("255.0.255.0")...), syscall.EINVAL},
			{"a mask of an address that is not there", s4, posix.SIOCSIFNETMASK, ifreq("eth0:7", in4("255.0.0.0")...), syscall.EADDRNOTAVAIL},
			{"a group for the other end", s4, posix.SIOCSIFDSTADDR, ifreq("eth0", in4("224.0.0.5")...), syscall.EINVAL},
			{"an MTU below all", s4, posix.SIOCSIFMTU, ifreq("eth0", 10), syscall.EINVAL},
			{"a queue of less than nothing", s4, posix.SIOCSIFTXQLEN, ifreq("eth0", 255, 255, 255, 255), syscall.EINVAL},
			{"a name that is taken", s4, posix.SIOCSIFNAME, ifreq("eth0", 'l', 'o'), syscall.EEXIST},
			{"a name of nothing", s4, posix.SIOCSIFNAME, ifreq("eth0"), syscall.EINVAL},
			{"an address of another kind of link", s4, posix.SIOCSIFHWADDR, ifreq("eth0", 9, 9), syscall.EINVAL},
			{"a metric", s4, posix.SIOCSIFMETRIC, ifreq("eth0", 3), syscall.EOPNOTSUPP},
			{"half an IPv6 address", s6, posix.SIOCSIFADDR, make([]byte, 23), syscall.EFAULT},
			{"an IPv6 address on no interface", s6, posix.SIOCSIFADDR, in6Ifreq("fd77::1", 64, 9), syscall.ENODEV},
			{"a prefix longer than an address", s6, posix.SIOCSIFADDR, in6Ifreq("fd77::1", 129, 2), syscall.EINVAL},
			{"an IPv6 address again", s6, posix.SIOCSIFADDR, in6Ifreq(addrA6, 64, 2), syscall.EEXIST},
			{"removal with another prefix", s6, posix.SIOCDIFADDR, in6Ifreq(addrA6, 65, 2), syscall.EADDRNOTAVAIL},
			{"half an IPv6 route", s6, posix.SIOCADDRT, make([]byte, 79), syscall.EFAULT},
			{"an IPv6 route longer than an address", s6, posix.SIOCADDRT, in6Rtmsg("fd99::", 129, "fd00::9", up|gateway), syscall.EINVAL},
			{"removal of an IPv6 route that is not there", s6, posix.SIOCDELRT, in6Rtmsg("fd99::", 64, "fd00::9", up|gateway), syscall.ESRCH},
			{"an IPv4 route, whose name nobody has followed", s4, posix.SIOCADDRT, rtentry("10.9.0.0", "10.0.0.9", "255.255.0.0", up|gateway), syscall.EFAULT},
			{"half a struct arpreq", s4, posix.SIOCGARP, make([]byte, 67), syscall.EFAULT},
			{"a neighbour of another family", s4, posix.SIOCGARP, make([]byte, 68), syscall.EPFNOSUPPORT},
			{"a neighbour who is not known", s4, posix.SIOCGARP, arpreq("10.0.0.77", 0, "eth0"), syscall.ENXIO},
			{"a neighbour on no interface", s4, posix.SIOCGARP, arpreq("10.0.0.77", 0, "eth9"), syscall.ENODEV},
			{"a neighbour nobody leads to", s4, posix.SIOCSARP, arpreq("203.0.113.1", permanent, ""), syscall.ENETUNREACH},
			{"a mask that is not published", s4, posix.SIOCSARP, arpreq("10.0.0.77", netmask, "eth0"), syscall.EINVAL},
			{"to answer for others", s4, posix.SIOCSARP, arpreq("10.0.0.77", published, "eth0"), syscall.EOPNOTSUPP},
			{"to answer for others no more", s4, posix.SIOCDARP, arpreq("10.0.0.77", published, "eth0"), syscall.ENXIO},
			{"a neighbour on loopback", s4, posix.SIOCSARP, arpreq("127.0.0.9", permanent, "lo"), syscall.EINVAL},
		} {
			_, err := h.a.Ioctl(x.fd, x.request, x.arg)
			want(t, x.what, err, x.want)
		}
		for _, x := range []struct {
			what   string
			entry  []byte
			device string
			want   error
		}{
			{"half a struct rtentry", make([]byte, 119), "", syscall.EFAULT},
			{"to another family", make([]byte, 120), "", syscall.EAFNOSUPPORT},
			{"a mask of another family", append(rtentry("10.9.0.0", "10.0.0.9", "", up|gateway)[:40], append([]byte{9, 0}, make([]byte, 78)...)...), "", syscall.EAFNOSUPPORT},
			{"a mask with a hole", rtentry("10.9.0.0", "10.0.0.9", "255.0.255.0", up|gateway), "", syscall.EINVAL},
			{"bits beyond the mask", rtentry("10.9.0.1", "10.0.0.9", "255.255.0.0", up|gateway), "", syscall.EINVAL},
			{"by no gateway", rtentry("10.9.0.0", "", "255.255.0.0", up|gateway), "eth0", syscall.EINVAL},
			{"by a gateway nobody reaches", rtentry("10.9.0.0", "203.0.113.1", "255.255.0.0", up|gateway), "", syscall.ENETUNREACH},
			{"by no interface", rtentry("10.9.0.0", "", "255.255.0.0", up), "eth9", syscall.ENODEV},
		} {
			want(t, "a route "+x.what, h.a.Route(posix.SIOCADDRT, x.entry, x.device), x.want)
		}
		want(t, "a route that is not there", h.a.Route(posix.SIOCDELRT, rtentry("10.9.0.0", "", "255.255.0.0", up), "eth0"), syscall.ESRCH)
		must(t, h.a.Route(posix.SIOCADDRT, rtentry("10.9.0.1", "", "", up|toHost|reject), ""))
		_, err = h.a.Sendto(s4, []byte("x"), 0, sockaddr("10.9.0.1", 9))
		want(t, "a datagram to a host that is rejected", err, syscall.EHOSTUNREACH)
	})
}

// The argument of a request is as long as its struct, which depends on the socket.
func TestSizesOfArguments(t *testing.T) {
	for _, x := range []struct {
		family  int
		request uint
		want    int
	}{
		{posix.AF_INET, posix.SIOCADDRT, 120}, {posix.AF_INET6, posix.SIOCADDRT, 80},
		{posix.AF_INET, posix.SIOCSIFADDR, 40}, {posix.AF_INET6, posix.SIOCSIFADDR, 24}, {posix.AF_INET6, posix.SIOCDIFADDR, 24},
		{posix.AF_INET, posix.SIOCSARP, 68}, {posix.AF_INET, posix.SIOCGIFFLAGS, 40}, {posix.AF_INET, posix.SIOCSIFFLAGS, 40},
		{posix.AF_INET, posix.SIOCGSTAMP, 16}, {posix.AF_INET, posix.FIONREAD, 4},
	} {
		if n := posix.IoctlSize(x.family, x.request); n != x.want {
			t.Errorf("request %#x of family %d: %d bytes, want %d", x.request, x.family, n, x.want)
		}
	}
}

// What is longer than the MTU of lo goes over it in fragments, as over any link.
func TestDatagramsToOurselvesAreCutByTheMTUOfLoopback(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", libos.Wiring())
	p := newProc(t, in)
	r.Do(func() {
		for _, to := range []string{"127.0.0.1", "::1"} {
			family := int(binary.NativeEndian.Uint16(sockaddr(to, 0)))
			server, err := p.Socket(family, posix.SOCK_DGRAM, 0)
			must(t, err)
			must(t, p.Bind(server, sockaddr(to, 5555)))
			client, err := p.Socket(family, posix.SOCK_DGRAM, 0)
			must(t, err)
			_, err = p.Ioctl(client, posix.SIOCSIFMTU, ifreq("lo", 0xdc, 5)) // 1500
			must(t, err)
			before := in.Loopback().StatsNow().TxPackets
			_, err = p.Sendto(client, make([]byte, 4000), 0, sockaddr(to, 5555))
			must(t, err)
			n, err := p.Read(server, make([]byte, 9000))
			if sent := in.Loopback().StatsNow().TxPackets - before; n != 4000 || err != nil || sent != 3 {
				t.Errorf("to %s: %d bytes, %v, in %d packets, want 3", to, n, err, sent)
			}
		}
	})
}
