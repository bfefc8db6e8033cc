package netlink_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

// The order is the one that ip monitor shows of Linux 6.18.
func TestWhatGoesWithALinkThatGoesDownIsToldInOrder(t *testing.T) {
	run(t, func(r *rig) {
		fd, monitor := r.open(0), r.open(0x5|0x550)
		do := func(typ, flags uint16, fixed []byte, attrs ...[]byte) {
			t.Helper()
			if _, errno := r.ask(fd, typ, flags, fixed, attrs...); errno != 0 {
				t.Fatal(errno)
			}
		}
		do(rtmNewLink, creates, ifinfo(0, 0, 0), name("d0"), kindOf("dummy"))
		d0 := r.in.InterfaceNamed("d0")
		routes := func() (out []string) {
			for _, e := range r.in.RoutesLocked() {
				if e.Interface == d0 && !strings.HasPrefix(e.String(), "fe80:") && !strings.HasPrefix(e.String(), "local fe80:") {
					out = append(out, e.String())
				}
			}
			return out
		}
		six := addr("fd05::1").As16()
		do(rtmNewAddr, creates, ifaddr(posix.AF_INET, 24, 3), attr(2, v4("10.5.0.1")))
		r.told(monitor)
		same(t, "routes before the first up", routes(), []string{"local 10.5.0.1/32 dev d0 src 10.5.0.1"})
		do(rtmNewLink, changes, ifinfo(3, 1, 1))
		same(t, "up", ours(r.told(monitor)), []string{
			"3 d0 up running noarp lower_up mtu 1500 noqueue unknown dummy",
			"route 10.5.0.0/24 table 254",
			"route 10.5.0.255/32 table 255"})
		do(rtmNewAddr, creates, append([]byte{posix.AF_INET6, 64, 2, 0}, u32(3)...), attr(2, six[:]))
		must(t, r.in.AddRoutes("10.6.0.0/16 via 10.5.0.9", "10.7.0.0/16 dev d0", "fd06::/64 via fd05::9", "fd07::/64 dev d0"))
		d0.SetNeighbour(addr("10.5.0.7"), d0.HWAddr())
		d0.SetNeighbour(addr("fd05::7"), d0.HWAddr())
		r.told(monitor)
		do(rtmNewLink, changes, ifinfo(3, 0, 1))
		same(t, "down", ours(r.told(monitor)), []string{
			"3 d0 noarp mtu 1500 noqueue down dummy",
			"deleted neighbour 10.5.0.7",
			"deleted route fd05::/64 table 254",
			"deleted route fd06::/64 table 254",
			"deleted route fd07::/64 table 254",
			"deleted route fd05::1/128 table 255",
			"deleted neighbour fd05::7",
			"deleted address fd05::1"})
		same(t, "routes while it is down", routes(), []string{"local 10.5.0.1/32 dev d0 src 10.5.0.1"})
		do(rtmNewLink, changes, ifinfo(3, 1, 1))
		same(t, "up again", ours(r.told(monitor)), []string{
			"3 d0 up running noarp lower_up mtu 1500 noqueue unknown dummy",
			"route 10.5.0.0/24 table 254",
			"route 10.5.0.255/32 table 255"})
		same(t, "routes of the addresses", routes(), []string{
			"10.5.0.0/24 dev d0 src 10.5.0.1", "local 10.5.0.1/32 dev d0 src 10.5.0.1", "broadcast 10.5.0.255/32 dev d0 src 10.5.0.1"})
	})
}

func TestTheLoopbackHasItsAddressesAgain(t *testing.T) {
	run(t, func(r *rig) {
		lo := r.in.InterfaceNamed("lo")
		shown := func() (out []string) {
			for _, a := range lo.Addresses() {
				out = append(out, a.Prefix.String())
			}
			for _, e := range r.in.RoutesLocked() {
				if e.Interface == lo {
					out = append(out, e.String())
				}
			}
			return out
		}
		before := shown()
		must(t, lo.SetUpLocked(false))
		if got := shown(); slices.Contains(got, "::1/128") || !slices.Contains(got, "local 127.0.0.0/8 dev lo src 127.0.0.1") {
			t.Errorf("while it is down: %v", got)
		}
		must(t, lo.SetUpLocked(true))
		same(t, "again", shown(), before)
	})
}

// ours is what was told, but for link-local addresses and their routes.
func ours(told []string) []string {
	return slices.DeleteFunc(told, func(s string) bool { return strings.Contains(s, " fe80:") })
}

// The order is the one that ip monitor shows of Linux 6.18.
func TestWhatComesWithAnAddressIsToldInOrder(t *testing.T) {
	run(t, func(r *rig) {
		monitor := r.open(0x550)
		must(t, r.eth.AddAddress(wire.MustPrefix("10.44.0.1/24")))
		same(t, "IPv4", r.told(monitor), []string{"address 10.44.0.1", "route 10.44.0.1/32 table 255", "route 10.44.0.0/24 table 254", "route 10.44.0.255/32 table 255"})
		r.in.Domain().Do(func() {
			must(t, r.eth.AddAddressLocked(&core.Address{Prefix: wire.MustPrefix("fd44::1/64"), Flags: core.AddressPermanent | core.AddressNoDAD}))
		})
		same(t, "IPv6", r.told(monitor), []string{"route fd44::/64 table 254", "address fd44::1", "route fd44::1/128 table 255"})
		must(t, r.in.AddRoutes("10.45.0.0/16 via 10.44.0.2"))
		r.told(monitor)
		fd := r.open(0)
		if _, errno := r.ask(fd, rtmNewRoute, 0x505, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.45.0.0")), attr(5, v4("10.44.0.3"))); errno != 0 {
			t.Fatal(errno)
		}
		same(t, "a route in the place of another", r.told(monitor), []string{"route 10.45.0.0/16 table 254"})
	})
}

func TestWhereIPv6IsOffNothingOfItIsAdded(t *testing.T) {
	run(t, func(r *rig) {
		fd, lo := r.open(0), r.in.InterfaceNamed("lo")
		has := func() bool { return lo.Address(wire.IPv6Loopback()) != nil }
		must(t, r.in.SetSysctl("net.ipv6.conf.all.disable_ipv6", "1"))
		if has() {
			t.Error("::1 stayed")
		}
		six := append([]byte{posix.AF_INET6, 64, 0, 0}, u32(uint32(r.eth.Index()))...)
		if _, errno := r.ask(fd, rtmNewAddr, creates, six, attr(2, v6("fd44::1"))); errno != syscall.EACCES {
			t.Errorf("an address: %v", errno)
		}
		if _, errno := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET6, 64, 0, 1), attr(1, v6("fd45::")), attr(4, u32(uint32(r.eth.Index())))); errno != syscall.EACCES {
			t.Errorf("a route: %v", errno)
		}
		must(t, r.in.SetSysctl("net.ipv6.conf.all.disable_ipv6", "0"))
		if !has() {
			t.Error("::1 did not come back")
		}
	})
}
