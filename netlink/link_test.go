package netlink_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

const rtmNewLinkProp, rtmDelLinkProp = 108, 109

// name is IFLA_IFNAME.
func name(s string) []byte { return attr(3, append([]byte(s), 0)) }

// kindOf is IFLA_LINKINFO of a kind, with data of its own.
func kindOf(kind string, data ...[]byte) []byte {
	info := attr(1, []byte(kind))
	if len(data) > 0 {
		info = append(info, attr(2, slices.Concat(data...))...)
	}
	return attr(18, info)
}

// peer is VETH_INFO_PEER.
func peer(ifinfo []byte, attrs ...[]byte) []byte {
	return attr(1, slices.Concat(ifinfo, slices.Concat(attrs...)))
}

// shown are the links behind the first two as ip -d link shows them.
func (r *rig) shown(fd int) (out []string) {
	r.T.Helper()
	all, errno := r.ask(fd, rtmGetLink, dumps, make([]byte, 16))
	if errno != 0 {
		r.T.Fatal(errno)
	}
	for _, m := range all[2:] {
		out = append(out, r.link(m))
	}
	return out
}

// link is NAME@PARTNER, flags, MTU, discipline, state and kind of a link.
func (r *rig) link(m message) string {
	a := m.attributes(r.T, 16)
	s := fmt.Sprintf("%d %s", ne.Uint32(m.body[4:]), text(a[3]))
	if p, ok := a[5]; ok {
		s += fmt.Sprintf("@%d", ne.Uint32(p))
	}
	flags := ne.Uint32(m.body[8:])
	for _, f := range [...]struct {
		bit  uint32
		name string
	}{{1, "up"}, {1 << 6, "running"}, {1 << 7, "noarp"}, {1 << 16, "lower_up"}} {
		if flags&f.bit != 0 {
			s += " " + f.name
		}
	}
	states := map[byte]string{0: "unknown", 2: "down", 3: "lowerlayerdown", 6: "up"}
	return s + fmt.Sprintf(" mtu %d %s %s %s", ne.Uint32(a[4]), text(a[6]), states[a[16][0]], text(attributesOf(r.T, a[18])[1]))
}

func TestLinksAreMadeAndRemoved(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		do := func(typ uint16, want syscall.Errno, fixed []byte, attrs ...[]byte) {
			t.Helper()
			flags := uint16(creates)
			if typ == rtmDelLink {
				flags = changes
			}
			if _, errno := r.ask(fd, typ, flags, fixed, attrs...); errno != want {
				t.Errorf("%v, want %v", errno, want)
			}
		}
		none := ifinfo(0, 0, 0)
		do(rtmNewLink, 0, none, name("d0"), kindOf("dummy"), attr(4, u32(1400)))
		do(rtmNewLink, 0, ifinfo(0, 1, 1), kindOf("dummy"))
		do(rtmNewLink, 0, none, name("v0"), kindOf("veth", peer(none, name("v1"), attr(4, u32(1300)), attr(1, []byte{2, 0, 0, 0, 0, 9}))))
		same(t, "links", r.shown(fd), []string{
			"3 d0 noarp mtu 1400 noop down dummy",
			"4 dummy0 up running noarp lower_up mtu 1500 noqueue unknown dummy",
			"5 v1@6 mtu 1300 noop down veth",
			"6 v0@5 mtu 1500 noop down veth"})
		if got := r.in.InterfaceNamed("v1").HWAddr().String(); got != "02:00:00:00:00:09" {
			t.Errorf("the partner's address is %s", got)
		}
		if a, b := r.in.InterfaceNamed("d0").HWAddr(), r.in.InterfaceNamed("v0").HWAddr(); a == b || a[0]&3 != 2 {
			t.Errorf("random addresses %v and %v", a, b)
		}
		do(rtmDelLink, 0, none, name("d0"))
		do(rtmDelLink, 0, ifinfo(5, 0, 0))
		same(t, "links", r.shown(fd), []string{"4 dummy0 up running noarp lower_up mtu 1500 noqueue unknown dummy"})
		do(rtmDelLink, syscall.ENODEV, none, name("v0"))
		do(rtmDelLink, syscall.EOPNOTSUPP, none, name("lo"))
		do(rtmDelLink, syscall.EOPNOTSUPP, none, name("eth0"))
		do(rtmNewLink, 0, ifinfo(50, 0, 0), name("x%d"), kindOf("dummy"))
		do(rtmNewLink, 0, none, name("x%d"), kindOf("veth"), attr(13, u32(5)))
		same(t, "links", r.shown(fd)[1:], []string{
			"7 veth0@8 mtu 1500 noop down veth",
			"8 x1@7 mtu 1500 noop down veth",
			"50 x0 noarp mtu 1500 noop down dummy"})
		if n := r.in.InterfaceNamed("veth0").QueueLen(); n != 5 {
			t.Errorf("the partner's queue has %d places: what is not said of it is as with the first", n)
		}
	})
}

func TestLinksThatCannotBe(t *testing.T) {
	none := ifinfo(0, 0, 0)
	for _, c := range []struct {
		what  string
		errno syscall.Errno
		words string
		fixed []byte
		attrs [][]byte
	}{
		{"an unknown kind", syscall.EOPNOTSUPP, "Unknown device type", none, [][]byte{name("x"), kindOf("nosuch")}},
		{"no kind", syscall.EOPNOTSUPP, "Unknown device type", none, [][]byte{name("x")}},
		{"the name of another", syscall.EEXIST, "", none, [][]byte{name("eth0"), kindOf("dummy")}},
		{"a partner with the same name", syscall.EEXIST, "", none, [][]byte{name("x"), kindOf("veth", peer(none, name("x")))}},
		{"a partner with the name of another", syscall.EEXIST, "", none, [][]byte{name("x"), kindOf("veth", peer(none, name("lo")))}},
		{"the number of another", syscall.EEXIST, "", none, [][]byte{name("x"), kindOf("veth", peer(ifinfo(2, 0, 0)))}},
		{"a name with two numbers", syscall.EINVAL, "", none, [][]byte{name("x%d%d"), kindOf("dummy")}},
		{"a name with another conversion", syscall.EINVAL, "", none, [][]byte{name("x%s"), kindOf("dummy")}},
		{"a name with a slash", syscall.EINVAL, "", none, [][]byte{name("a/b"), kindOf("dummy")}},
		{"too small an MTU", syscall.EINVAL, "mtu less than device minimum", none, [][]byte{name("x"), kindOf("dummy"), attr(4, u32(10))}},
		{"too large an MTU", syscall.EINVAL, "mtu greater than device maximum", none, [][]byte{name("x"), kindOf("dummy"), attr(4, u32(70000))}},
		{"too small an MTU of a veth", syscall.EINVAL, "", none, [][]byte{name("x"), kindOf("veth"), attr(4, u32(10))}},
		{"too small an MTU of the partner", syscall.EINVAL, "", none, [][]byte{name("x"), kindOf("veth", peer(none, attr(4, u32(10))))}},
		{"a group's address", syscall.EADDRNOTAVAIL, "", none, [][]byte{name("x"), kindOf("dummy"), attr(1, []byte{1, 0, 0, 0, 0, 0})}},
		{"the address of nobody", syscall.EADDRNOTAVAIL, "", none, [][]byte{name("x"), kindOf("veth"), attr(1, make([]byte, 6))}},
		{"an address of eight bytes", syscall.EINVAL, "", none, [][]byte{name("x"), kindOf("dummy"), attr(1, make([]byte, 8))}},
		{"no queues", syscall.EINVAL, "Invalid number of transmit queues", none, [][]byte{name("x"), kindOf("dummy"), attr(31, u32(0))}},
		{"a master", syscall.EOPNOTSUPP, "", none, [][]byte{name("x"), kindOf("veth"), attr(10, u32(2))}},
		{"a partner that is up at once", syscall.ENOTCONN, "", none, [][]byte{name("x"), kindOf("veth", peer(ifinfo(0, 1, 1)))}},
		{"half a partner", syscall.EINVAL, "", none, [][]byte{name("x"), kindOf("veth", attr(1, make([]byte, 8)))}},
		{"a number beyond all", syscall.EINVAL, "", ifinfo(1<<17, 0, 0), [][]byte{name("x"), kindOf("dummy")}},
	} {
		t.Run(c.what, func(t *testing.T) {
			run(t, func(r *rig) {
				fd := r.open(0)
				must(t, r.Setsockopt(fd, solNetlink, extAck, u32(1)))
				must(t, r.Setsockopt(fd, solNetlink, capAck, u32(1)))
				b := r.request(rtmNewLink, creates, c.fixed, c.attrs...)
				_, err := r.Sendto(fd, b, 0, nil)
				must(t, err)
				m := r.receive(fd)[0]
				words := ""
				if m.flags&0x200 != 0 {
					words = text(attributesOf(t, m.body[20:])[1])
				}
				if errno := syscall.Errno(-int32(ne.Uint32(m.body))); errno != c.errno || c.words != "" && words != c.words {
					t.Errorf("%v %q, want %v %q", errno, words, c.errno, c.words)
				}
				same(t, "links", r.links(fd), []string{"1 lo up mtu 65535", "2 eth0 up mtu 1500"})
			})
		})
	}
}

// told are the notifications that wait, in short.
func (r *rig) told(fd int) (out []string) {
	r.T.Helper()
	families := map[byte]string{posix.AF_INET: "4", posix.AF_INET6: "6"}
	for {
		if _, _, err := r.Recvfrom(fd, nil, posix.MSG_PEEK|posix.MSG_DONTWAIT, nil); err != nil {
			return out
		}
		for _, m := range r.receive(fd) {
			gone := ""
			if m.typ%4 == 1 {
				gone = "deleted "
			}
			switch m.typ &^ 3 {
			case 16:
				out = append(out, gone+r.link(m))
			case 20:
				out = append(out, fmt.Sprintf("%saddress %s", gone, address(m.attributes(r.T, 8)[1])))
			case 24:
				a := m.attributes(r.T, 12)
				out = append(out, fmt.Sprintf("%sroute %s/%d table %d", gone, address(a[1]), m.body[1], m.body[4]))
			case 28:
				out = append(out, fmt.Sprintf("%sneighbour %s", gone, address(m.attributes(r.T, 12)[1])))
			case 80:
				out = append(out, fmt.Sprintf("%ssettings %s", gone, families[m.body[0]]))
			}
		}
	}
}

// The order is the one that ip monitor shows of Linux 6.18.
func TestWhatComesAndGoesWithAPairIsToldInOrder(t *testing.T) {
	run(t, func(r *rig) {
		fd, monitor := r.open(0), r.open(0x5|0x550|3<<23)
		do := func(typ, flags uint16, fixed []byte, attrs ...[]byte) {
			t.Helper()
			if _, errno := r.ask(fd, typ, flags, fixed, attrs...); errno != 0 {
				t.Fatal(errno)
			}
		}
		none := ifinfo(0, 0, 0)
		do(rtmNewLink, creates, none, name("v0"), kindOf("veth", peer(none, name("v1"))))
		same(t, "made", r.told(monitor), []string{
			"settings 4", "settings 6", "3 v1@0 mtu 1500 noop down veth",
			"settings 4", "settings 6", "4 v0@3 mtu 1500 noop down veth"})
		do(rtmNewLink, changes, ifinfo(4, 1, 1))
		if got := r.told(monitor)[0]; got != "4 v0@3 up mtu 1500 noqueue lowerlayerdown veth" {
			t.Errorf("one end up: %s", got)
		}
		do(rtmNewLink, changes, ifinfo(3, 1, 1))
		links := slices.DeleteFunc(r.told(monitor), func(s string) bool { return !strings.Contains(s, "@") })
		same(t, "both ends up", links, []string{
			"3 v1@4 up mtu 1500 noqueue lowerlayerdown veth",
			"3 v1@4 up running lower_up mtu 1500 noqueue up veth",
			"4 v0@3 up running lower_up mtu 1500 noqueue up veth"})

		v0, v1 := r.in.InterfaceNamed("v0"), r.in.InterfaceNamed("v1")
		var own [2]string
		for i, ifc := range []*core.Interface{v0, v1} {
			for _, a := range ifc.Addresses() {
				own[i] = a.Prefix.Addr.String()
			}
		}
		do(rtmNewAddr, creates, ifaddr(posix.AF_INET, 24, 4), attr(2, v4("10.5.0.1")))
		do(rtmNewAddr, creates, ifaddr(posix.AF_INET, 24, 4), attr(2, v4("10.5.0.2")))
		six := addr("fd05::1").As16()
		do(rtmNewAddr, creates, append([]byte{posix.AF_INET6, 64, 2, 0}, u32(4)...), attr(2, six[:]))
		must(t, r.in.AddRoutes("10.6.0.0/16 via 10.5.0.9", "fd06::/64 via fd05::9"))
		v0.SetNeighbour(addr("10.5.0.7"), v1.HWAddr())
		v0.SetNeighbour(addr("fd05::7"), v1.HWAddr())
		r.told(monitor)
		do(rtmDelLink, changes, ifinfo(4, 0, 0))
		got := r.told(monitor)
		for i := range own { // of a tentative address there is no local route
			got = slices.DeleteFunc(got, func(s string) bool { return own[i] != "" && strings.Contains(s, own[i]+"/128") })
		}
		same(t, "removed", got, []string{
			"4 v0@0 mtu 1500 noqueue down veth",
			"deleted neighbour 10.5.0.7",
			"deleted route fd05::/64 table 254",
			"deleted route fd06::/64 table 254",
			"deleted route fe80::/64 table 254",
			"deleted route fd05::1/128 table 255",
			"deleted neighbour fd05::7",
			"deleted address fd05::1",
			"deleted address " + own[0],
			"3 v1@0 mtu 1500 noqueue down veth",
			"deleted route fe80::/64 table 254",
			"deleted address " + own[1],
			"deleted address 10.5.0.1",
			"deleted route 10.5.0.1/32 table 255",
			"deleted address 10.5.0.2",
			"deleted route 10.5.0.2/32 table 255",
			"deleted settings 4", "deleted settings 6", "deleted 4 v0@0 mtu 1500 noop down veth",
			"deleted settings 4", "deleted settings 6", "deleted 3 v1@0 mtu 1500 noop down veth"})
		same(t, "routes", r.routes(fd, posix.AF_INET), []string{"10.0.0.0/24 dev 2"})
	})
}

func TestALinkOfAnotherKindTakesWhatIsSent(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		if _, errno := r.ask(fd, rtmNewLink, creates, ifinfo(0, 1, 1), name("d0"), kindOf("dummy")); errno != 0 {
			t.Fatal(errno)
		}
		d := r.in.InterfaceNamed("d0")
		if _, errno := r.ask(fd, rtmNewAddr, creates, ifaddr(posix.AF_INET, 24, d.Index()), attr(2, v4("10.5.0.1"))); errno != 0 {
			t.Fatal(errno)
		}
		s, err := r.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
		must(t, err)
		before := d.StatsNow().TxPackets
		_, err = r.Sendto(s, make([]byte, 100), 0, posix.AppendSockAddr(nil, posix.AF_INET, core.SockAddr{Addr: addr("10.5.0.9"), Port: 9}))
		must(t, err)
		if n := d.StatsNow().TxPackets - before; n != 1 {
			t.Errorf("%d packets were counted, want 1", n)
		}
	})
}

func TestGroupsOfLinksChangeAndGoTogether(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		none, five := ifinfo(0, 0, 0), attr(27, u32(5))
		for _, x := range []struct {
			what  string
			typ   uint16
			flags uint16
			fixed []byte
			attrs [][]byte
			want  syscall.Errno
		}{
			{"a dummy of group 5", rtmNewLink, creates, none, [][]byte{name("d0"), kindOf("dummy"), five}, 0},
			{"a pair of group 5", rtmNewLink, creates, none, [][]byte{name("v0"), kindOf("veth"), five}, 0},
			{"the group goes up", rtmNewLink, changes, ifinfo(0, 1, 1), [][]byte{five}, 0},
			{"eth0 joins", rtmNewLink, changes, ifinfo(2, 0, 0), [][]byte{five}, 0},
			{"the group is not removed with eth0", rtmDelLink, changes, none, [][]byte{five}, syscall.EOPNOTSUPP},
			{"eth0 leaves", rtmNewLink, changes, ifinfo(2, 0, 0), [][]byte{attr(27, u32(0))}, 0},
		} {
			if _, errno := r.ask(fd, x.typ, x.flags, x.fixed, x.attrs...); errno != x.want {
				t.Fatalf("%s: %v, want %v", x.what, errno, x.want)
			}
		}
		for _, n := range []string{"d0", "v0", "veth0"} {
			if ifc := r.in.InterfaceNamed(n); !ifc.Up() || ifc.Group() != 5 {
				t.Errorf("%s is not up, or of group %d", n, ifc.Group())
			}
		}
		for _, want := range []syscall.Errno{0, syscall.ENODEV} {
			if _, errno := r.ask(fd, rtmDelLink, changes, none, five); errno != want {
				t.Errorf("removed: %v, want %v", errno, want)
			}
		}
		same(t, "links", r.links(fd), []string{"1 lo up mtu 65535", "2 eth0 up mtu 1500"})
	})
}

func TestALinkIsFoundByOtherNames(t *testing.T) {
	run(t, func(r *rig) {
		fd, monitor := r.open(0), r.open(1)
		const long = "averyveryverylongnameofaninterface"
		alt := func(names ...string) []byte {
			var b []byte
			for _, n := range names {
				b = append(b, attr(53, append([]byte(n), 0))...)
			}
			return attr(52, b)
		}
		for _, x := range []struct {
			typ   uint16
			fixed []byte
			attrs [][]byte
			want  syscall.Errno
			told  int
		}{
			{rtmNewLinkProp, ifinfo(2, 0, 0), [][]byte{alt("wan", long)}, 0, 1},
			{rtmNewLinkProp, ifinfo(1, 0, 0), [][]byte{alt("wan")}, syscall.EEXIST, 0},
			{rtmNewLinkProp, ifinfo(2, 0, 0), [][]byte{alt("eth0")}, syscall.EEXIST, 0},
			{rtmNewLinkProp, ifinfo(2, 0, 0), nil, 0, 0},
			{rtmDelLinkProp, ifinfo(1, 0, 0), [][]byte{alt("wan")}, syscall.EINVAL, 0},
			{rtmDelLinkProp, ifinfo(2, 0, 0), [][]byte{alt("eth0")}, syscall.EINVAL, 0},
			{rtmDelLinkProp, ifinfo(2, 0, 0), [][]byte{alt("nosuch")}, syscall.ENOENT, 0},
			{rtmDelLinkProp, ifinfo(0, 0, 0), [][]byte{attr(53, []byte(long+"\x00")), alt("wan")}, 0, 1},
			{rtmNewLinkProp, ifinfo(9, 0, 0), [][]byte{alt("x")}, syscall.ENODEV, 0},
			{rtmNewLinkProp, ifinfo(0, 0, 0), [][]byte{alt("x")}, syscall.EINVAL, 0},
			{rtmNewLink, ifinfo(1, 0, 0), [][]byte{name(long[:15])}, 0, 1},
			{rtmNewLink, ifinfo(1, 0, 0), [][]byte{name("lo")}, 0, 1},
		} {
			if _, errno := r.ask(fd, x.typ, changes, x.fixed, x.attrs...); errno != x.want {
				t.Errorf("%d %q: %v, want %v", x.typ, x.attrs, errno, x.want)
			}
			if n := len(r.told(monitor)); n != x.told {
				t.Errorf("%d %q was told %d times, want %d", x.typ, x.attrs, n, x.told)
			}
		}
		all, errno := r.ask(fd, rtmGetLink, asks, make([]byte, 16), attr(53, []byte(long+"\x00")))
		if errno != 0 || len(all) != 1 {
			t.Fatalf("%d links by the long name, %v", len(all), errno)
		}
		a := all[0].attributes(t, 16)
		if got := attributesOf(t, a[52]); text(a[3]) != "eth0" || len(got) != 1 || text(got[53]) != long {
			t.Errorf("%s has the names %v", text(a[3]), got)
		}
	})
}
