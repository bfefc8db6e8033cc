package netlink_test

import (
	"slices"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

// FuzzRequest sends arbitrary bytes: nothing panics, and what is answered is whole.
func FuzzRequest(f *testing.F) {
	seed := &rig{}
	for _, b := range [][]byte{
		seed.request(rtmGetLink, dumps, make([]byte, 16)),
		seed.request(rtmNewLink, changes, ifinfo(2, 0, 0), attr(4, u32(1400)), attr(3, []byte("wan0\x00"))),
		seed.request(rtmNewLink, creates, ifinfo(0, 0, 0), name("v0"), kindOf("veth", attr(1, append(ifinfo(7, 0, 0), name("v%d")...)))),
		seed.request(rtmNewLink, creates, ifinfo(0, 1, 1), name("d0"), kindOf("dummy"), attr(4, u32(1400))),
		seed.request(rtmNewLinkProp, changes, ifinfo(2, 0, 0), attr(52, attr(53, []byte("other\x00")))),
		seed.request(rtmDelLink, changes, ifinfo(2, 0, 0)),
		seed.request(rtmNewAddr, creates, ifaddr(posix.AF_INET, 16, 2), attr(2, v4("172.16.0.1"))),
		seed.request(rtmNewRoute, creates, rtmsg(posix.AF_INET, 0, 0, 1), attr(5, v4("10.0.0.2"))),
		seed.request(rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(9, append(hop(2, 1, "10.0.0.2"), hop(0, 0, "10.0.0.3")...))),
		seed.request(rtmGetRoute, asks, rtmsg(posix.AF_INET, 32, 0, 0), attr(1, v4("10.0.0.2"))),
		seed.request(rtmNewNeigh, creates, append([]byte{2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0}, attr(1, v4("10.0.0.9"))...), attr(2, make([]byte, 6))),
		seed.request(67, changes, []byte{2, 0, 0, 0}, attr(1, []byte("arp_cache\x00")), attr(6, append(attr(1, u32(2)), attr(8, u32(3))...))),
		seed.request(rtmGetRule, dumps, make([]byte, 12)),
		seed.request(rtmGetRoute, asks, rtmsg(posix.AF_INET, 32, 0, 0), attr(1, v4("10.9.0.1")), attr(2, v4("10.0.0.2")), attr(3, u32(2))),
		seed.request(rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(5, v4("10.0.0.2")), attr(8, append(attr(16, []byte("reno\x00")), attr(8, u32(900))...))),
		seed.request(72, creates, []byte{10, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0}, attr(1, v6("fd09::")), attr(2, u32(9))),
		seed.request(90, asks, make([]byte, 4), attr(3, u32(1))),
		slices.Concat( // a next hop, a group of it, a route by that, and the end of all
			seed.request(rtmNewNexthop, creates, nhmsg(posix.AF_INET, 0, 0, 0), attr(1, u32(1)), attr(5, u32(2)), attr(6, v4("10.0.0.2"))),
			seed.request(rtmNewNexthop, creates, nhmsg(0, 0, 0, 0), attr(1, u32(2)), attr(2, member(1, 1))),
			seed.request(rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(30, u32(2))),
			seed.request(rtmNewNexthop, 0x505, nhmsg(posix.AF_INET, 0, 0, 0), attr(1, u32(1)), attr(4, nil)),
			seed.request(rtmDelNexthop, changes, nhmsg(0, 0, 0, 0), attr(1, u32(1)))),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		run(t, func(r *rig) {
			fd := r.open(0x7ff)
			if n, err := r.Sendto(fd, b, 0, posix.AppendSockAddr(nil, afNetlink, core.NetlinkAddr(0, 0))); err != nil || n != len(b) {
				t.Fatalf("sent %d of %d, %v", n, len(b), err)
			}
			r.whole(t, fd)
		})
	})
}

// whole reads what was answered, which must be whole messages.
func (r *rig) whole(t *testing.T, fd int) {
	t.Helper()
	page := make([]byte, 1<<16)
	for range 1000 {
		n, _, err := r.Recvfrom(fd, page, posix.MSG_DONTWAIT, nil)
		if err != nil {
			break
		}
		split(t, page[:n])
	}
}

// FuzzSocketRequest lists sockets by arbitrary requests and filters.
func FuzzSocketRequest(f *testing.F) {
	seed := &rig{}
	for _, b := range [][]byte{
		seed.request(sockDiag, dumps, inet(posix.AF_INET, 6, 0xff, allStates)),
		seed.request(sockDiag, dumps, inet(posix.AF_INET, 6, 0, allStates), attr(1, append(code(12, 8, 12), code(0, 4, 80)...))),
		seed.request(sockDestroy, changes, inet(posix.AF_INET, 6, 0, allStates)),
		seed.request(sockDiag, dumps, append([]byte{afNetlink, 0xff}, make([]byte, 18)...)),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		run(t, func(r *rig) {
			r.stream("127.0.0.1", 80)
			fd := r.diag()
			if n, err := r.Sendto(fd, b, 0, nil); err != nil || n != len(b) {
				t.Fatalf("sent %d of %d, %v", n, len(b), err)
			}
			r.whole(t, fd)
		})
	})
}

// FuzzQdiscOptions gives every discipline arbitrary options.
func FuzzQdiscOptions(f *testing.F) {
	for i := range qdiscs() {
		f.Add(uint8(i), make([]byte, 36))
		f.Add(uint8(i), append(attr(1, make([]byte, 36)), attr(2, u32(3))...))
		f.Add(uint8(i), append(append(u32(1), make([]byte, 20)...), attr(5, attr(1, make([]byte, 20)))...))
	}
	f.Fuzz(func(t *testing.T, kind uint8, options []byte) {
		kinds := qdiscs()
		name := kinds[int(kind)%len(kinds)].Name
		if len(options) > 1<<12 {
			return
		}
		run(t, func(r *rig) {
			fd := r.open(0)
			_, errno := r.ask(fd, rtmNewQdisc, creates, tcmsg(0, root), kindAttr(name), attr(2, options))
			if all, e := r.ask(fd, rtmGetQdisc, dumps, tcmsg(0, 0)); e != 0 || len(all) != 1 {
				t.Errorf("%s after %v: %d disciplines, %v", name, errno, len(all), e)
			}
		})
	})
}

// FuzzGenericRequest sends arbitrary bytes to the families of generic netlink.
func FuzzGenericRequest(f *testing.F) {
	seed := &rig{}
	for _, b := range [][]byte{
		seed.request(0x10, dumps, []byte{3, 1, 0, 0}),
		seed.request(0x10, asks, []byte{3, 1, 0, 0}, attr(2, []byte("greeter\x00"))),
		seed.request(0x10, dumps, []byte{10, 1, 0, 0}, attr(1, []byte{0x13, 0}), attr(10, u32(7))),
		seed.request(0x13, changes, []byte{7, 3, 0, 0}, attr(1, u32(9)), attr(2, []byte("hello\x00")), attr(3, []byte{1})),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		run(t, func(r *rig) {
			fd := r.generic()
			if n, err := r.Sendto(fd, b, 0, posix.AppendSockAddr(nil, afNetlink, core.NetlinkAddr(0, 0))); err != nil || n != len(b) {
				t.Fatalf("sent %d of %d, %v", n, len(b), err)
			}
			r.whole(t, fd)
		})
	})
}
