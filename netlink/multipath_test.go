package netlink_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

// hop is a struct rtnexthop with a gateway; weight is one less than told.
func hop(ifc int, weight byte, gateway string) []byte {
	b := append([]byte{16, 0, 0, weight}, u32(uint32(ifc))...)
	return append(b, attr(5, v4(gateway))...)
}

func TestARouteHasSeveralNextHops(t *testing.T) {
	run(t, func(r *rig) {
		fd, monitor := r.open(0), r.open(0x40)
		if _, errno := r.ask(fd, rtmNewLink, creates, ifinfo(0, 1, 1), name("d0"), kindOf("dummy")); errno != 0 {
			t.Fatal(errno)
		}
		if _, errno := r.ask(fd, rtmNewAddr, creates, ifaddr(posix.AF_INET, 24, 3), attr(2, v4("10.3.0.1"))); errno != 0 {
			t.Fatal(errno)
		}
		r.told(monitor)
		dst := attr(1, v4("10.9.0.0"))
		do := func(typ, flags uint16, want syscall.Errno, attrs ...[]byte) {
			t.Helper()
			if _, errno := r.ask(fd, typ, flags, rtmsg(posix.AF_INET, 16, 0, 1), attrs...); errno != want {
				t.Errorf("%v, want %v", errno, want)
			}
		}
		hops := func() (out []string) {
			fixed := make([]byte, 12)
			fixed[0] = posix.AF_INET
			all, errno := r.ask(fd, rtmGetRoute, dumps, fixed)
			if errno != 0 {
				t.Fatal(errno)
			}
			for _, m := range all {
				a := m.attributes(t, 12)
				if address(a[1]) != "10.9.0.0" {
					continue
				}
				for b := a[9]; len(b) > 0; b = b[ne.Uint16(b):] {
					out = append(out, fmt.Sprintf("via %s dev %d weight %d flags %d", address(attributesOf(t, b[8:ne.Uint16(b)])[5]), ne.Uint32(b[4:]), b[3]+1, b[2]))
				}
			}
			return out
		}
		two := attr(9, slices.Concat(hop(0, 1, "10.0.0.2"), hop(3, 0, "10.3.0.2")))
		do(rtmNewRoute, creates, 0, dst, two)
		same(t, "told", r.told(monitor), []string{"route 10.9.0.0/16 table 254"})
		same(t, "listed", hops(), []string{"via 10.0.0.2 dev 2 weight 2 flags 0", "via 10.3.0.2 dev 3 weight 1 flags 0"})
		do(rtmNewRoute, creates, syscall.EEXIST, dst, attr(5, v4("10.0.0.2")))

		for _, x := range []struct {
			what string
			hops []byte
			want syscall.Errno
		}{
			{"a gateway on no link", slices.Concat(hop(0, 0, "10.0.0.2"), hop(0, 0, "10.77.0.2")), syscall.ENETUNREACH},
			{"no such interface", slices.Concat(hop(0, 0, "10.0.0.2"), hop(9, 0, "10.3.0.2")), syscall.ENODEV},
			{"half a next hop", hop(0, 0, "10.0.0.2")[:6], syscall.EINVAL},
			{"a length beyond the rest", append([]byte{200, 0}, hop(0, 0, "10.0.0.2")[2:]...), syscall.EINVAL},
			{"none", nil, syscall.EINVAL},
			{"too many", slices.Repeat(hop(0, 0, "10.0.0.2"), 257), syscall.EINVAL},
		} {
			if _, errno := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.11.0.0")), attr(9, x.hops)); errno != x.want {
				t.Errorf("%s: %v, want %v", x.what, errno, x.want)
			}
		}
		do(rtmDelRoute, changes, syscall.ESRCH, dst, attr(9, hop(0, 0, "10.0.0.2")))
		do(rtmDelRoute, changes, syscall.ESRCH, dst, attr(9, slices.Concat(hop(0, 2, "10.0.0.2"), hop(3, 0, "10.3.0.2"))))
		if _, errno := r.ask(fd, rtmNewLink, changes, ifinfo(3, 0, 1)); errno != 0 {
			t.Fatal(errno)
		}
		same(t, "one end down", hops(), []string{"via 10.0.0.2 dev 2 weight 2 flags 0", "via 10.3.0.2 dev 3 weight 1 flags 17"})
		do(rtmDelRoute, changes, 0, dst, two)
		do(rtmDelRoute, changes, syscall.ESRCH, dst, two)

		do(rtmNewRoute, creates, syscall.ENETDOWN, dst, two)
		if _, errno := r.ask(fd, rtmNewLink, changes, ifinfo(3, 1, 1)); errno != 0 {
			t.Fatal(errno)
		}
		do(rtmNewRoute, creates, 0, dst, two)
		if _, errno := r.ask(fd, rtmDelLink, changes, ifinfo(3, 0, 0)); errno != 0 {
			t.Fatal(errno)
		}
		same(t, "after an interface is gone", hops(), nil)
	})
}

// hop6 is a struct rtnexthop of IPv6.
func hop6(ifc int, weight byte, gateway string) []byte {
	b := append([]byte{28, 0, 0, weight}, u32(uint32(ifc))...)
	return append(b, attr(5, v6(gateway))...)
}

func v6(s string) []byte { v := addr(s).As16(); return v[:] }

func TestPathsJoinAndLeaveARouteOfIPv6(t *testing.T) {
	run(t, func(r *rig) {
		fd, monitor := r.open(0), r.open(1<<10)
		paths := func(m message) (out []string) {
			a := m.attributes(t, 12)
			if a[9] == nil {
				return []string{address(a[5])}
			}
			for b := a[9]; len(b) > 0; b = b[ne.Uint16(b):] {
				out = append(out, fmt.Sprintf("%s*%d", address(attributesOf(t, b[8:ne.Uint16(b)])[5]), b[3]+1))
			}
			return out
		}
		of := func(list []message) (out []string) {
			for _, m := range list {
				if a := m.attributes(t, 12); a[1] != nil && address(a[1]) == "fd09::" {
					out = append(out, fmt.Sprint(m.typ, paths(m)))
				}
			}
			return out
		}
		heard := func() (out []string) {
			for {
				if _, _, err := r.Recvfrom(monitor, nil, posix.MSG_PEEK|posix.MSG_DONTWAIT, nil); err != nil {
					return out
				}
				out = append(out, of(r.receive(monitor))...)
			}
		}
		heard()
		has := func(want ...string) {
			t.Helper()
			fixed := make([]byte, 12)
			fixed[0] = posix.AF_INET6
			all, errno := r.ask(fd, rtmGetRoute, dumps, fixed)
			if errno != 0 {
				t.Fatal(errno)
			}
			same(t, "listed", of(all), want)
		}
		const appends, replaces = 0xc05, 0x505
		dst := attr(1, v6("fd09::"))
		do := func(typ, flags uint16, want syscall.Errno, attrs ...[]byte) {
			t.Helper()
			if _, errno := r.ask(fd, typ, flags, rtmsg(posix.AF_INET6, 64, 0, 1), append([][]byte{dst}, attrs...)...); errno != want {
				t.Errorf("%v, want %v", errno, want)
			}
		}
		via := func(s string) []byte { return attr(5, v6(s)) }
		two := attr(9, slices.Concat(hop6(0, 2, "fd00::2"), hop6(r.eth.Index(), 0, "fd00::3")))
		do(rtmNewRoute, creates, 0, two)
		has("24 [fd00::2*3 fd00::3*1]")
		do(rtmNewRoute, creates, syscall.EEXIST, via("fd00::4"))
		do(rtmNewRoute, appends, 0, via("fd00::4"))
		has("24 [fd00::2*3 fd00::3*1 fd00::4*1]")
		same(t, "told", heard(), []string{"24 [fd00::2*3 fd00::3*1]", "24 [fd00::4*1 fd00::2*3 fd00::3*1]"})
		do(rtmNewRoute, appends, syscall.EEXIST, via("fd00::3"))
		do(rtmNewRoute, appends, 0, attr(9, slices.Concat(hop6(0, 0, "fd00::5"), hop6(0, 0, "fd00::6"))))
		do(rtmDelRoute, changes, 0, via("fd00::2"))
		do(rtmDelRoute, changes, syscall.ESRCH, via("fd00::2"))
		same(t, "told", heard(), []string{"24 [fd00::2*3 fd00::3*1 fd00::4*1 fd00::5*1 fd00::6*1]", "25 [fd00::2]"})
		do(rtmDelRoute, changes, syscall.ESRCH, attr(9, slices.Concat(hop6(0, 0, "fd00::3"), hop6(0, 0, "fd00::77"))))
		has("24 [fd00::4*1 fd00::5*1 fd00::6*1]")
		do(rtmNewRoute, replaces, 0, via("fd00::9"))
		has("24 [fd00::9]")
		do(rtmNewRoute, replaces, 0, two)
		same(t, "told", heard(), []string{"25 [fd00::3]", "24 [fd00::9]", "24 [fd00::2*3 fd00::3*1]"})
		do(rtmDelRoute, changes, 0)
		same(t, "told", heard(), []string{"25 [fd00::2*3 fd00::3*1]"})
		has()

		for _, x := range []struct {
			what string
			hops []byte
			want syscall.Errno
		}{
			{"a path without a gateway", slices.Concat(hop6(0, 0, "fd00::2"), append([]byte{8, 0, 0, 0}, u32(uint32(r.eth.Index()))...)), syscall.EINVAL},
			{"a path twice", slices.Concat(hop6(0, 0, "fd00::2"), hop6(0, 0, "fd00::2")), syscall.EEXIST},
			{"a gateway on no link", slices.Concat(hop6(0, 0, "fd00::2"), hop6(0, 0, "fd99::2")), syscall.EHOSTUNREACH},
		} {
			if _, errno := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET6, 64, 0, 1), dst, attr(9, x.hops)); errno != x.want {
				t.Errorf("%s: %v, want %v", x.what, errno, x.want)
			}
		}
		has()
	})
}
