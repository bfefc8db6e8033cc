package netlink_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

func addr(s string) wire.Addr { return wire.MustAddr(s) }

func address(b []byte) string {
	a, ok := wire.AddrFromSlice(b)
	if !ok {
		return fmt.Sprintf("?% x", b)
	}
	return a.String()
}

func text(b []byte) string { return strings.TrimSuffix(string(b), "\x00") }

// links are the interfaces' names with index, flags that say up or down, MTU and
// link-layer address.
func (r *rig) links(fd int) []string {
	r.T.Helper()
	var out []string
	all, errno := r.ask(fd, rtmGetLink, dumps, make([]byte, 16))
	if errno != 0 {
		r.T.Fatal(errno)
	}
	for _, m := range all {
		a := m.attributes(r.T, 16)
		state := "down"
		if ne.Uint32(m.body[8:])&1 != 0 {
			state = "up"
		}
		out = append(out, fmt.Sprintf("%d %s %s mtu %d", ne.Uint32(m.body[4:]), text(a[3]), state, ne.Uint32(a[4])))
	}
	return out
}

func (r *rig) addresses(fd int) []string {
	r.T.Helper()
	var out []string
	all, errno := r.ask(fd, rtmGetAddr, dumps, make([]byte, 8))
	if errno != 0 {
		r.T.Fatal(errno)
	}
	for _, m := range all {
		a := m.attributes(r.T, 8)
		s := fmt.Sprintf("%d %s/%d", ne.Uint32(m.body[4:]), address(a[1]), m.body[1])
		if m.body[0] == posix.AF_INET {
			s += " " + text(a[3])
		}
		out = append(out, s)
	}
	return out
}

// routes are those of the main table.
func (r *rig) routes(fd int, family byte) []string {
	r.T.Helper()
	var out []string
	fixed := make([]byte, 12)
	fixed[0] = family
	all, errno := r.ask(fd, rtmGetRoute, dumps, fixed)
	if errno != 0 {
		r.T.Fatal(errno)
	}
	for _, m := range all {
		a := m.attributes(r.T, 12)
		if ne.Uint32(a[15]) != 254 {
			continue
		}
		s := "default"
		if m.body[1] != 0 {
			s = fmt.Sprintf("%s/%d", address(a[1]), m.body[1])
		}
		if g, ok := a[5]; ok {
			s += " via " + address(g)
		}
		if oif, ok := a[4]; ok {
			s += fmt.Sprintf(" dev %d", ne.Uint32(oif))
		}
		if p, ok := a[6]; ok {
			s += fmt.Sprintf(" metric %d", ne.Uint32(p))
		}
		out = append(out, s)
	}
	return out
}

func same(t testing.TB, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func TestLinksAddressesAndRoutesAreListed(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		same(t, "links", r.links(fd), []string{"1 lo up mtu 65535", "2 eth0 up mtu 1500"})
		got := r.addresses(fd)
		if i := slices.IndexFunc(got, func(s string) bool { return strings.Contains(s, "fe80") }); i >= 0 {
			got = slices.Delete(got, i, i+1)
		}
		same(t, "addresses", got, []string{"1 127.0.0.1/8 lo", "2 10.0.0.1/24 eth0", "1 ::1/128", "2 fd00::1/64"})
		same(t, "routes", r.routes(fd, posix.AF_INET), []string{"10.0.0.0/24 dev 2"})
		same(t, "routes of IPv6", r.routes(fd, posix.AF_INET6), []string{"fd00::/64 dev 2 metric 256", "fe80::/64 dev 2 metric 256"})
	})
}

func TestAnOldProgramSendsTheFamilyAlone(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		all, errno := r.ask(fd, rtmGetLink, dumps, []byte{0}) // syscall.NetlinkRIB
		if errno != 0 || len(all) != 2 {
			t.Errorf("%d links, %v", len(all), errno)
		}
	})
}

func TestADumpIsCutToWhatItsReaderTakes(t *testing.T) {
	run(t, func(r *rig) {
		for i := range 200 {
			must(t, r.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix(fmt.Sprintf("10.9.%d.0/24", i)), Gateway: addr("10.0.0.2")}))
		}
		fd := r.open(0)
		fixed := make([]byte, 12)
		fixed[0] = posix.AF_INET
		b := r.request(rtmGetRoute, dumps, fixed)
		_, err := r.Sendto(fd, b, 0, nil)
		must(t, err)
		routes, datagrams, page := 0, 0, make([]byte, 4096)
		for done := false; !done; datagrams++ {
			n, _, err := r.Recvfrom(fd, page, posix.MSG_DONTWAIT|posix.MSG_TRUNC, nil)
			if err != nil || n > len(page) {
				t.Fatalf("datagram of %d bytes, %v", n, err)
			}
			for _, m := range split(t, page[:n]) {
				if m.flags&2 == 0 || m.seq != r.seq {
					t.Fatalf("message %+v is not of a dump", m)
				}
				if done = m.typ == 3; !done {
					routes++
				}
			}
		}
		if datagrams < 3 || routes < 200 {
			t.Errorf("%d routes in %d datagrams", routes, datagrams)
		}
		if _, _, err := r.Recvfrom(fd, page, posix.MSG_DONTWAIT, nil); err != syscall.EAGAIN {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestTheRulesOfEveryHostAreListed(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		all, errno := r.ask(fd, rtmGetRule, dumps, make([]byte, 12))
		if errno != 0 {
			t.Fatal(errno)
		}
		var got []string
		for _, m := range all {
			a := m.attributes(t, 12)
			p := uint32(0)
			if v, ok := a[6]; ok {
				p = ne.Uint32(v)
			}
			got = append(got, fmt.Sprint(m.body[0], p, ne.Uint32(a[15])))
		}
		same(t, "rules", got, []string{"2 0 255", "2 32766 254", "2 32767 253", "10 0 255", "10 32766 254"})
	})
}

func TestARouteIsAskedFor(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		must(t, r.in.AddRoutes("default via 10.0.0.2"))
		fixed := make([]byte, 12)
		fixed[0], fixed[1] = posix.AF_INET, 32
		get := func(dst string) (map[uint16][]byte, syscall.Errno) {
			v := addr(dst).As4()
			all, errno := r.ask(fd, rtmGetRoute, asks, fixed, attr(1, v[:]))
			if errno != 0 || len(all) != 1 {
				return nil, errno
			}
			return all[0].attributes(t, 12), 0
		}
		a, errno := get("192.0.2.1")
		if errno != 0 || address(a[5]) != "10.0.0.2" || ne.Uint32(a[4]) != 2 || address(a[7]) != "10.0.0.1" {
			t.Errorf("by a gateway: %v, %v", a, errno)
		}
		if a, errno = get("10.0.0.1"); errno != 0 || a[5] != nil || ne.Uint32(a[4]) != 1 || ne.Uint32(a[15]) != 254 {
			t.Errorf("to ourselves: %v, %v", a, errno)
		}
	})
}

func TestQueueingDisciplinesAreListed(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		must(t, r.eth.SetQdisc(fifo.Config{Limit: 5}))
		all, errno := r.ask(fd, 38, dumps, make([]byte, 20))
		if errno != 0 {
			t.Fatal(errno)
		}
		var got []string
		for _, m := range all {
			got = append(got, fmt.Sprintf("%d %s parent %x", ne.Uint32(m.body[4:]), text(m.attributes(t, 20)[1]), ne.Uint32(m.body[12:])))
		}
		same(t, "disciplines", got, []string{"1 noqueue parent ffffffff", "2 pfifo parent ffffffff"})
	})
}
