package netlink_test

import (
	"fmt"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

const (
	rtmNewNexthop       = 104
	rtmDelNexthop       = 105
	rtmGetNexthop       = 106
	rtmGetNexthopBucket = 118
)

// nhmsg is a struct nhmsg.
func nhmsg(family, scope, protocol uint8, flags uint32) []byte {
	return append([]byte{family, scope, protocol, 0}, u32(flags)...)
}

// member is a struct nexthop_grp.
func member(id uint32, weight int) []byte {
	return append(u32(id), byte(weight-1), byte((weight-1)>>8), 0, 0)
}

func TestNextHopsAreRefusedThatMakeNoSense(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		if _, errno := r.ask(fd, rtmNewLink, creates, ifinfo(0, 0, 0), name("d0"), kindOf("dummy")); errno != 0 {
			t.Fatal(errno)
		}
		id, eth, gw := attr(1, u32(9)), attr(5, u32(2)), attr(6, v4("10.0.0.2"))
		v4hop, v6hop, none := nhmsg(posix.AF_INET, 0, 0, 0), nhmsg(posix.AF_INET6, 0, 0, 0), nhmsg(0, 0, 0, 0)
		group := func(members ...[]byte) []byte { return attr(2, slices.Concat(members...)) }
		for _, x := range []struct {
			typ, flags uint16
			want       syscall.Errno
			fixed      []byte
			attrs      [][]byte
		}{
			{rtmNewNexthop, creates, 0, v4hop, [][]byte{attr(1, u32(1)), eth, gw}},
			{rtmNewNexthop, creates, 0, v4hop, [][]byte{attr(1, u32(3)), attr(4, nil)}},
			{rtmNewNexthop, creates, 0, none, [][]byte{attr(1, u32(4)), group(member(1, 65535))}},
			{rtmNewNexthop, creates, syscall.EEXIST, v4hop, [][]byte{attr(1, u32(1)), eth, gw}},
			{rtmNewNexthop, creates, syscall.EINVAL, nhmsg(posix.AF_INET, 1, 0, 0), [][]byte{id, eth, gw}},
			{rtmNewNexthop, creates, syscall.EINVAL, nhmsg(posix.AF_INET, 0, 0, 1), [][]byte{id, eth, gw}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, eth, gw}},
			{rtmNewNexthop, creates, syscall.EINVAL, nhmsg(7, 0, 0, 0), [][]byte{id, eth, gw}},
			{rtmNewNexthop, creates, syscall.EINVAL, v4hop, [][]byte{id, gw}},
			{rtmNewNexthop, creates, syscall.EINVAL, v4hop, [][]byte{id, attr(5, u32(77)), gw}},
			{rtmNewNexthop, creates, syscall.ENETDOWN, v4hop, [][]byte{id, attr(5, u32(3)), gw}},
			{rtmNewNexthop, creates, syscall.EINVAL, v4hop, [][]byte{id, eth, attr(6, v6("fd00::2"))}},
			{rtmNewNexthop, creates, syscall.EINVAL, v6hop, [][]byte{id, eth, gw}},
			{rtmNewNexthop, creates, syscall.ENETUNREACH, v4hop, [][]byte{id, eth, attr(6, v4("10.9.0.2"))}},
			{rtmNewNexthop, creates, syscall.EHOSTUNREACH, v6hop, [][]byte{id, eth, attr(6, v6("fd99::2"))}},
			{rtmNewNexthop, creates, syscall.EINVAL, nhmsg(posix.AF_INET, 0, 0, 4), [][]byte{id, eth}},
			{rtmNewNexthop, creates, syscall.EINVAL, v4hop, [][]byte{id, attr(4, nil), eth}},
			{rtmNewNexthop, creates, syscall.EOPNOTSUPP, v4hop, [][]byte{id, attr(11, nil), gw}},
			{rtmNewNexthop, creates, syscall.EOPNOTSUPP, v4hop, [][]byte{id, eth, gw, attr(7, []byte{1, 0})}},
			{rtmNewNexthop, creates, syscall.EINVAL, v4hop, [][]byte{id, eth, gw, attr(10, u32(1))}},
			{rtmNewNexthop, creates, syscall.EINVAL, v4hop, [][]byte{id, group(member(1, 1))}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, attr(2, nil)}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, attr(2, member(1, 1)[:6])}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group(member(77, 1))}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group(member(4, 1))}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group(member(1, 1), member(1, 2))}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group(member(1, 1), member(3, 2))}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group(member(1, 65536))}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group([]byte{1, 0, 0, 0, 0, 0, 1, 0})}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group(member(1, 1)), eth}},
			{rtmNewNexthop, creates, syscall.EOPNOTSUPP, none, [][]byte{id, group(member(1, 1)), attr(3, []byte{1, 0})}},
			{rtmNewNexthop, creates, syscall.EINVAL, none, [][]byte{id, group(member(1, 1)), attr(3, []byte{2, 0})}},
			{rtmNewNexthop, 0x105, syscall.ENOENT, v4hop, [][]byte{id, eth, gw}},
			{rtmNewNexthop, 0x505, syscall.EINVAL, v4hop, [][]byte{eth, gw}},
			{rtmNewNexthop, 0x505, syscall.EINVAL, v4hop, [][]byte{attr(1, u32(4)), eth, gw}},
			{rtmNewNexthop, 0x505, syscall.EINVAL, none, [][]byte{attr(1, u32(1)), group(member(3, 1))}},
			{rtmDelNexthop, changes, syscall.EINVAL, none, nil},
			{rtmDelNexthop, changes, syscall.ENOENT, none, [][]byte{attr(1, u32(77))}},
			{rtmDelNexthop, changes, syscall.EINVAL, nhmsg(0, 0, 4, 0), [][]byte{attr(1, u32(1))}},
			{rtmDelNexthop, changes, syscall.EINVAL, none, [][]byte{attr(1, u32(1)), eth}},
			{rtmGetNexthop, changes, syscall.ENOENT, none, [][]byte{attr(1, u32(77))}},
			{rtmGetNexthop, dumps, syscall.EINVAL, nhmsg(0, 0, 0, 4), nil},
			{rtmGetNexthop, dumps, syscall.EINVAL, none, [][]byte{id}},
			{rtmGetNexthopBucket, changes, syscall.EINVAL, none, [][]byte{attr(1, u32(4))}},
			{rtmGetNexthopBucket, dumps, 0, none, nil},
		} {
			if _, errno := r.ask(fd, x.typ, x.flags, x.fixed, x.attrs...); errno != x.want {
				t.Errorf("request %d of % x with % x: %v, want %v", x.typ, x.fixed, x.attrs, errno, x.want)
			}
		}
	})
}

func TestRoutesFollowTheirNextHop(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		ask := func(typ, flags uint16, fixed []byte, attrs ...[]byte) {
			t.Helper()
			if _, errno := r.ask(fd, typ, flags, fixed, attrs...); errno != 0 {
				t.Fatal(errno)
			}
		}
		way := func(dst string) string {
			rt, err := r.in.Route(core.RouteQuery{Dst: addr(dst)})
			if err != nil {
				return err.Error()
			}
			return fmt.Sprint(rt.Gateway, " ", rt.Interface.Name())
		}
		is := func(dst, want string) {
			t.Helper()
			if got := way(dst); got != want {
				t.Errorf("to %s: %s, want %s", dst, got, want)
			}
		}
		hop4, eth := nhmsg(posix.AF_INET, 0, 0, 0), attr(5, u32(2))
		ask(rtmNewNexthop, creates, hop4, attr(1, u32(1)), eth, attr(6, v4("10.0.0.2")))
		ask(rtmNewNexthop, creates, nhmsg(0, 0, 0, 0), attr(1, u32(2)), attr(2, member(1, 1)))
		ask(rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(30, u32(2)))
		is("10.9.0.1", "10.0.0.2 eth0")
		ask(rtmNewNexthop, 0x505, hop4, attr(1, u32(1)), eth, attr(6, v4("10.0.0.3")))
		is("10.9.0.1", "10.0.0.3 eth0")
		ask(rtmNewNexthop, 0x505, nhmsg(posix.AF_INET6, 0, 0, 0), attr(1, u32(1)), eth, attr(6, v6("fd00::2")))
		is("10.9.0.1", "fd00::2 eth0")
		ask(rtmNewNexthop, 0x505, hop4, attr(1, u32(1)), attr(4, nil))
		is("10.9.0.1", syscall.EINVAL.Error())
		ask(rtmNewNexthop, 0x505, hop4, attr(1, u32(1)), eth)
		is("10.9.0.1", "10.9.0.1 eth0")

		ask(rtmNewNexthop, creates, hop4, attr(1, u32(3)), eth, attr(6, v4("10.0.0.3")))
		ask(rtmNewNexthop, 0x505, nhmsg(0, 0, 0, 0), attr(1, u32(2)), attr(2, slices.Concat(member(1, 1), member(3, 1))))
		if !r.in.Multipath() {
			t.Error("a group of two is one way")
		}
		ask(rtmDelNexthop, changes, nhmsg(0, 0, 0, 0), attr(1, u32(1)))
		is("10.9.0.1", "10.0.0.3 eth0")
		if r.in.Multipath() {
			t.Error("a group of one is several ways")
		}
		ask(rtmDelNexthop, changes, nhmsg(0, 0, 0, 0), attr(1, u32(3)))
		is("10.9.0.1", syscall.ENETUNREACH.Error())
		if n := len(r.in.NexthopsLocked()); n != 0 {
			t.Errorf("%d next hops are left", n)
		}
	})
}

// A datagram of IPv4 whose route leads by a neighbour of IPv6 goes out once that answers.
func TestIPv4GoesByANeighbourOfIPv6(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		if _, errno := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(4, u32(2)),
			attr(18, append([]byte{10, 0}, v6("fd00::2")...))); errno != 0 {
			t.Fatal(errno)
		}
		before := r.eth.StatsNow().TxPackets
		udp, err := r.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
		must(t, err)
		_, err = r.Sendto(udp, []byte("x"), 0, posix.AppendSockAddr(nil, posix.AF_INET, core.SockAddr{Addr: addr("10.9.0.1"), Port: 9}))
		must(t, err)
		for range 50 {
			if n := r.eth.Neighbour(addr("fd00::2")); n != nil && n.State == core.NeighbourReachable && r.eth.StatsNow().TxPackets == before+2 {
				return
			}
			must(t, r.in.Sleep(10*time.Millisecond))
		}
		t.Errorf("%+v after %d frames", r.eth.Neighbour(addr("fd00::2")), r.eth.StatsNow().TxPackets-before)
	})
}
