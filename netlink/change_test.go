package netlink_test

import (
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

func ifinfo(index int, flags, change uint32) []byte {
	b := make([]byte, 16)
	ne.PutUint32(b[4:], uint32(index))
	ne.PutUint32(b[8:], flags)
	ne.PutUint32(b[12:], change)
	return b
}

func ifaddr(family, bits byte, index int) []byte {
	b := make([]byte, 8)
	b[0], b[1] = family, bits
	ne.PutUint32(b[4:], uint32(index))
	return b
}

func v4(s string) []byte { v := addr(s).As4(); return v[:] }

func TestALinkIsChanged(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		change := func(fixed []byte, attrs ...[]byte) syscall.Errno {
			_, errno := r.ask(fd, rtmNewLink, changes, fixed, attrs...)
			return errno
		}
		if e := change(ifinfo(2, 0, 0), attr(4, u32(1400)), attr(3, []byte("wan0\x00")), attr(13, u32(17))); e != 0 {
			t.Fatal(e)
		}
		if e := change(ifinfo(2, 0, 1)); e != 0 {
			t.Fatal(e)
		}
		same(t, "links", r.links(fd), []string{"1 lo up mtu 65535", "2 wan0 down mtu 1400"})
		if e := change(ifinfo(2, 1, 1)); e != 0 || !r.eth.Up() || r.eth.QueueLen() != 17 {
			t.Errorf("up again: %v", e)
		}
		for _, c := range []struct {
			what  string
			errno syscall.Errno
			fixed []byte
			attr  []byte
		}{
			{"an index that is not there", syscall.ENODEV, ifinfo(9, 1, 1), nil},
			{"a name that is not there", syscall.ENODEV, ifinfo(0, 1, 1), attr(3, []byte("nope\x00"))},
			{"no name at all", syscall.ENODEV, ifinfo(0, 1, 1), nil},
			{"an MTU that is too small", syscall.EINVAL, ifinfo(2, 0, 0), attr(4, u32(20))},
			{"an MTU of three bytes", syscall.EINVAL, ifinfo(2, 0, 0), attr(4, []byte{1, 2, 3})},
			{"a name with a slash", syscall.EINVAL, ifinfo(2, 0, 0), attr(3, []byte("a/b\x00"))},
			{"the name of another", syscall.EEXIST, ifinfo(2, 0, 0), attr(3, []byte("lo\x00"))},
			{"a group's link-layer address", syscall.EADDRNOTAVAIL, ifinfo(2, 0, 0), attr(1, []byte{1, 0, 0, 0, 0, 1})},
			{"an attribute longer than the message", syscall.EINVAL, ifinfo(2, 0, 0), []byte{40, 0, 4, 0}},
		} {
			if e := change(c.fixed, c.attr); e != c.errno {
				t.Errorf("%s: %v, want %v", c.what, e, c.errno)
			}
		}
		same(t, "links after all that", r.links(fd), []string{"1 lo up mtu 65535", "2 wan0 up mtu 1400"})
	})
}

func TestAddressesComeAndGo(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		fixed := ifaddr(posix.AF_INET, 16, 2)
		if _, e := r.ask(fd, rtmNewAddr, creates, fixed, attr(2, v4("172.16.0.1")), attr(1, v4("172.16.0.1")), attr(3, []byte("eth0:1\x00"))); e != 0 {
			t.Fatal(e)
		}
		if _, e := r.ask(fd, rtmNewAddr, creates, fixed, attr(2, v4("172.16.0.1"))); e != syscall.EEXIST {
			t.Errorf("the same again: %v", e)
		}
		got := r.addresses(fd)
		same(t, "IPv4 addresses", got[:3], []string{"1 127.0.0.1/8 lo", "2 10.0.0.1/24 eth0", "2 172.16.0.1/16 eth0:1"})
		same(t, "routes", r.routes(fd, posix.AF_INET), []string{"10.0.0.0/24 dev 2", "172.16.0.0/16 dev 2"})
		if _, e := r.ask(fd, rtmDelAddr, changes, fixed, attr(2, v4("172.16.0.1"))); e != 0 {
			t.Fatal(e)
		}
		if _, e := r.ask(fd, rtmDelAddr, changes, fixed, attr(2, v4("172.16.0.1"))); e != syscall.EADDRNOTAVAIL {
			t.Errorf("removed twice: %v", e)
		}
		if _, e := r.ask(fd, rtmNewAddr, creates, ifaddr(posix.AF_INET, 33, 2), attr(2, v4("172.16.0.1"))); e != syscall.EINVAL {
			t.Errorf("a prefix of 33 bits: %v", e)
		}
		if _, e := r.ask(fd, rtmNewAddr, creates, fixed, attr(2, []byte{1, 2})); e != syscall.EINVAL {
			t.Errorf("an address of two bytes: %v", e)
		}
		same(t, "routes at the end", r.routes(fd, posix.AF_INET), []string{"10.0.0.0/24 dev 2"})
	})
}

func rtmsg(family, bits, scope, typ byte) []byte {
	return []byte{family, bits, 0, 0, 254, 4, scope, typ, 0, 0, 0, 0}
}

func TestRoutesComeAndGo(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		fixed := rtmsg(posix.AF_INET, 0, 0, 1)
		by := attr(5, v4("10.0.0.2"))
		if _, e := r.ask(fd, rtmNewRoute, creates, fixed, by); e != 0 {
			t.Fatal(e)
		}
		if _, e := r.ask(fd, rtmNewRoute, creates, fixed, by); e != syscall.EEXIST {
			t.Errorf("the same again: %v", e)
		}
		same(t, "routes", r.routes(fd, posix.AF_INET), []string{"default via 10.0.0.2 dev 2", "10.0.0.0/24 dev 2"})
		const replaces = 0x505 // NLM_F_CREATE | NLM_F_REPLACE
		if _, e := r.ask(fd, rtmNewRoute, replaces, fixed, attr(5, v4("10.0.0.3")), attr(4, u32(2))); e != 0 {
			t.Errorf("replaced: %v", e)
		}
		same(t, "routes", r.routes(fd, posix.AF_INET), []string{"default via 10.0.0.3 dev 2", "10.0.0.0/24 dev 2"})
		if _, e := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET, 32, 0, 1), attr(1, v4("1.2.3.4")), attr(5, v4("192.0.2.1"))); e != syscall.ENETUNREACH && e != syscall.EEXIST {
			t.Errorf("a gateway on no link: %v", e)
		}
		if _, e := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET, 8, 0, 1), attr(1, v4("1.2.3.4")), by); e != syscall.EINVAL {
			t.Errorf("bits beyond the prefix: %v", e)
		}
		if _, e := r.ask(fd, rtmDelRoute, changes, rtmsg(posix.AF_INET, 0, 255, 0)); e != 0 {
			t.Fatal(e)
		}
		if _, e := r.ask(fd, rtmDelRoute, changes, rtmsg(posix.AF_INET, 0, 255, 0)); e != syscall.ESRCH {
			t.Errorf("removed twice: %v", e)
		}
	})
}

func TestNeighboursComeAndGo(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		fixed := make([]byte, 12)
		fixed[0] = posix.AF_INET
		ne.PutUint32(fixed[4:], 2)
		ne.PutUint16(fixed[8:], 0x80)
		hw := []byte{2, 0, 0, 0, 0, 9}
		if _, e := r.ask(fd, rtmNewNeigh, creates, fixed, attr(1, v4("10.0.0.9")), attr(2, hw)); e != 0 {
			t.Fatal(e)
		}
		all, e := r.ask(fd, rtmGetNeigh, dumps, make([]byte, 12))
		if e != 0 || len(all) != 1 || ne.Uint16(all[0].body[8:]) != 0x80 || address(all[0].attributes(t, 12)[1]) != "10.0.0.9" {
			t.Errorf("neighbours %v, %v", all, e)
		}
		if _, e := r.ask(fd, rtmDelNeigh, changes, fixed, attr(1, v4("10.0.0.9"))); e != 0 {
			t.Error(e)
		}
		if _, e := r.ask(fd, rtmDelNeigh, changes, fixed, attr(1, v4("10.0.0.9"))); e != syscall.ENOENT {
			t.Errorf("removed twice: %v", e)
		}
	})
}
