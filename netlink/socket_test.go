package netlink_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/posix"
)

const (
	solNetlink     = 270
	addMembership  = 1
	dropMembership = 2
	pktInfo        = 3
	noENOBUFS      = 5
	memberships    = 9
	capAck         = 10
	extAck         = 11
	strictCheck    = 12
)

func nl(pid, groups uint32) []byte {
	return posix.AppendSockAddr(nil, afNetlink, core.NetlinkAddr(pid, groups))
}

func (r *rig) name(fd int) (pid, groups uint32) {
	r.T.Helper()
	b := make([]byte, 12)
	n, err := r.Getsockname(fd, b)
	if err != nil || n != 12 || ne.Uint16(b) != afNetlink {
		r.T.Fatalf("name % x, %v", b[:max(n, 0)], err)
	}
	return ne.Uint32(b[4:]), ne.Uint32(b[8:])
}

func TestEverySocketHasANumberOfItsOwn(t *testing.T) {
	run(t, func(r *rig) {
		a, err := r.Socket(afNetlink, posix.SOCK_DGRAM, 0)
		must(t, err)
		if pid, _ := r.name(a); pid != 0 {
			t.Errorf("before the bind: %d", pid)
		}
		must(t, r.Bind(a, nl(7, 0)))
		b := r.open(0x11)
		if pid, groups := r.name(a); pid != 7 || groups != 0 {
			t.Errorf("bound to %d, %x", pid, groups)
		}
		if pid, groups := r.name(b); pid == 0 || pid == 7 || groups != 0x11 {
			t.Errorf("chosen: %d, %x", pid, groups)
		}
		if err := r.Bind(a, nl(8, 0)); err != syscall.EINVAL {
			t.Errorf("another number: %v", err)
		}
		c, err := r.Socket(afNetlink, posix.SOCK_RAW, 0)
		must(t, err)
		if err := r.Bind(c, nl(7, 0)); err != syscall.EADDRINUSE {
			t.Errorf("the number of another: %v", err)
		}
		if err := r.Bind(c, nl(0, 0)[:8]); err != syscall.EINVAL {
			t.Errorf("half an address: %v", err)
		}
		must(t, r.Connect(c, nl(0, 0))) // binds, too
		if pid, _ := r.name(c); pid == 0 {
			t.Error("connected without a number")
		}
		if _, err := r.Sendto(c, make([]byte, 16), 0, nl(7, 0)); err != syscall.EPERM {
			t.Errorf("to another program: %v", err)
		}
	})
}

func TestThereAreNoOtherNetlinkProtocols(t *testing.T) {
	run(t, func(r *rig) {
		for _, c := range []struct {
			typ, protocol int
			want          error
		}{{posix.SOCK_RAW, 12, syscall.EPROTONOSUPPORT}, {posix.SOCK_DGRAM, 6, syscall.EPROTONOSUPPORT}, {posix.SOCK_STREAM, 0, syscall.ESOCKTNOSUPPORT}} {
			if _, err := r.Socket(afNetlink, c.typ, c.protocol); err != c.want {
				t.Errorf("type %d, protocol %d: %v, want %v", c.typ, c.protocol, err, c.want)
			}
		}
		fd := r.open(0)
		for what, err := range map[string]error{
			"listen":                     r.Listen(fd, 1),
			"shutdown":                   r.Shutdown(fd, 2),
			"an option of IP":            r.Setsockopt(fd, 0, 1, u32(1)),
			"an option of TCP":           r.Setsockopt(fd, 6, 1, u32(1)),
			"an option that nobody has":  r.Setsockopt(fd, solNetlink, 99, u32(1)),
			"a group that nobody has":    r.Setsockopt(fd, solNetlink, addMembership, u32(60)),
			"the group without a number": r.Setsockopt(fd, solNetlink, dropMembership, u32(0)),
		} {
			if err == nil {
				t.Errorf("%s succeeded", what)
			}
		}
	})
}

func TestOptionsAreReadBack(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		for _, name := range []int{pktInfo, noENOBUFS, capAck, extAck, strictCheck} {
			must(t, r.Setsockopt(fd, solNetlink, name, u32(5)))
			b := make([]byte, 4)
			if n, err := r.Getsockopt(fd, solNetlink, name, b); n != 4 || err != nil || ne.Uint32(b) != 1 {
				t.Errorf("option %d is % x, %v", name, b, err)
			}
		}
		must(t, r.Setsockopt(fd, solNetlink, addMembership, u32(1)))
		must(t, r.Setsockopt(fd, solNetlink, addMembership, u32(34)))
		b := make([]byte, 8)
		if n, err := r.Getsockopt(fd, solNetlink, memberships, b); n != 8 || err != nil || ne.Uint64(b) != 1<<33|1 {
			t.Errorf("groups % x, %v", b, err)
		}
		if n, err := r.Getsockopt(fd, solNetlink, memberships, nil); n != 8 || err != nil {
			t.Errorf("the room that groups need is %d, %v", n, err)
		}
		must(t, r.Setsockopt(fd, solNetlink, dropMembership, u32(1)))
		if _, groups := r.name(fd); groups != 0 {
			t.Errorf("groups %x", groups)
		}
	})
}

// refused sends a request that fails and returns the whole answer.
func refused(t *testing.T, r *rig, fd int) message {
	t.Helper()
	_, err := r.Sendto(fd, r.request(rtmNewLink, changes, ifinfo(2, 0, 0), attr(4, u32(1))), 0, nil)
	must(t, err)
	all := r.receive(fd)
	if len(all) != 1 || all[0].typ != 2 || syscall.Errno(-int32(ne.Uint32(all[0].body))) != syscall.EINVAL {
		t.Fatalf("answer %+v", all)
	}
	return all[0]
}

func TestARefusalQuotesTheRequestAndSaysWhy(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		m := refused(t, r, fd)
		if len(m.body) != 4+16+16+8 || m.flags != 0 {
			t.Errorf("%d bytes, flags %x", len(m.body), m.flags)
		}
		must(t, r.Setsockopt(fd, solNetlink, capAck, u32(1)))
		if m = refused(t, r, fd); len(m.body) != 4+16 || m.flags != 0x100 {
			t.Errorf("capped: %d bytes, flags %x", len(m.body), m.flags)
		}
		must(t, r.Setsockopt(fd, solNetlink, extAck, u32(1)))
		m = refused(t, r, fd)
		if m.flags != 0x300 {
			t.Fatalf("extended: flags %x", m.flags)
		}
		if why := text(attributesOf(t, m.body[20:])[1]); !strings.Contains(why, "mtu less") {
			t.Errorf("it says %q", why)
		}
	})
}

func TestAMessageThatIsNoRequestIsPassedOver(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		for _, b := range [][]byte{{1}, make([]byte, 16), r.request(rtmGetLink, 0, make([]byte, 16)), append(u32(99), make([]byte, 12)...)} {
			_, err := r.Sendto(fd, b, 0, nil)
			must(t, err)
		}
		if _, _, err := r.Recvfrom(fd, make([]byte, 10), posix.MSG_DONTWAIT, nil); err != syscall.EAGAIN {
			t.Errorf("an answer: %v", err)
		}
		if _, e := r.ask(fd, 100, changes, make([]byte, 16)); e != syscall.EOPNOTSUPP {
			t.Errorf("a type that nobody has: %v", e)
		}
		if _, e := r.ask(fd, rtmGetRoute, changes, []byte{2, 0}); e != syscall.EINVAL {
			t.Errorf("half a header: %v", e)
		}
	})
}

// news are the types of the messages that came to fd.
func (r *rig) news(fd int) (out []string) {
	r.T.Helper()
	b := make([]byte, 1<<16)
	for {
		from := make([]byte, 12)
		n, _, err := r.Recvfrom(fd, b, posix.MSG_DONTWAIT, from)
		if err != nil {
			if err != syscall.EAGAIN {
				out = append(out, err.Error())
			}
			return out
		}
		for _, m := range split(r.T, b[:n]) {
			out = append(out, fmt.Sprintf("%d of group %x", m.typ, ne.Uint32(from[8:])))
		}
	}
}

func TestMembersOfAGroupHearOfChanges(t *testing.T) {
	run(t, func(r *rig) {
		links, addresses, routes := r.open(1), r.open(1<<4|1<<8), r.open(1<<6)
		must(t, r.eth.AddAddress(wire.MustPrefix("172.16.0.1/16")))
		must(t, r.eth.RemoveAddress(addr("172.16.0.1")))
		must(t, r.eth.SetMTU(1400))
		must(t, r.in.AddRoutes("10.7.0.0/16 via 10.0.0.2"))
		same(t, "links", r.news(links), []string{"16 of group 1"})
		same(t, "addresses", r.news(addresses), []string{"20 of group 10", "21 of group 10"})
		local := []string{"24 of group 40", "24 of group 40", "24 of group 40", "25 of group 40", "25 of group 40", "25 of group 40"}
		same(t, "routes", r.news(routes), append(local, "24 of group 40"))
		neighbours := r.open(1 << 2)
		r.in.Domain().Do(func() {
			r.eth.PutNeighbour(addr("10.0.0.9"), wire.MustHWAddr("02:00:00:00:00:09"), core.NeighbourPermanent)
			r.eth.RemoveNeighbour(addr("10.0.0.9"))
		})
		same(t, "neighbours", r.news(neighbours), []string{"28 of group 4", "29 of group 4"})
		must(t, r.Setsockopt(links, solNetlink, dropMembership, u32(1)))
		must(t, r.eth.SetMTU(1300))
		same(t, "links after the end", r.news(links), nil)
	})
}

func TestAReaderThatIsTooSlowIsTold(t *testing.T) {
	run(t, func(r *rig) {
		slow, deaf := r.open(1), r.open(1)
		must(t, r.Setsockopt(slow, core.SolSocket, core.SoRcvBuf, u32(1)))
		must(t, r.Setsockopt(deaf, core.SolSocket, core.SoRcvBuf, u32(1)))
		must(t, r.Setsockopt(deaf, solNetlink, noENOBUFS, u32(1)))
		for i := range 20 {
			must(t, r.eth.SetMTU(1000+i))
		}
		got := r.news(slow)
		if len(got) == 0 || got[0] != syscall.ENOBUFS.Error() {
			t.Errorf("the slow reader hears %q", got)
		}
		if got = r.news(slow); len(got) == 0 || len(got) > 5 {
			t.Errorf("and then %q", got)
		}
		if got = r.news(deaf); len(got) == 0 || len(got) > 5 || strings.Contains(got[0], "buffer") {
			t.Errorf("the one that does not want to know hears %q", got)
		}
		must(t, r.eth.SetMTU(1400))
		same(t, "the next change", r.news(slow), []string{"16 of group 1"})
	})
}

func TestAReaderWaitsForNews(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(1)
		r.Go("changer", func() {
			must(t, r.in.Sleep(time.Second))
			must(t, r.eth.SetMTU(1400))
		})
		b, control := make([]byte, 4096), make([]byte, 64)
		must(t, r.Setsockopt(fd, solNetlink, pktInfo, u32(1)))
		m := posix.Msghdr{Iov: [][]byte{b}, Control: control, Name: make([]byte, 12)}
		n, err := r.Recvmsg(fd, &m, 0)
		if err != nil || n < 100 || m.NameLen != 12 || m.ControlLen != 24 || ne.Uint32(control[16:]) != 1 {
			t.Errorf("%d bytes, name of %d, control % x, %v", n, m.NameLen, control[:m.ControlLen], err)
		}
		if now := r.in.Domain().Now(); now < core.Time(time.Second) {
			t.Errorf("at %v", now)
		}
	})
}

func TestALifetimeEnds(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		lifetimes := func(preferred, valid uint32) []byte {
			return attr(6, append(append(u32(preferred), u32(valid)...), make([]byte, 8)...))
		}
		fixed, six := ifaddr(posix.AF_INET, 16, 2), addr("fd01::1").As16()
		if _, e := r.ask(fd, rtmNewAddr, creates, fixed, attr(2, v4("172.16.0.1")), lifetimes(2, 1)); e != syscall.EINVAL {
			t.Errorf("preferred for longer than valid: %v", e)
		}
		if _, e := r.ask(fd, rtmNewAddr, creates, fixed, attr(2, v4("172.16.0.1")), lifetimes(5, 10)); e != 0 {
			t.Fatal(e)
		}
		if _, e := r.ask(fd, rtmNewAddr, creates, ifaddr(posix.AF_INET6, 64, 2), attr(1, six[:]), lifetimes(5, 10)); e != 0 {
			t.Fatal(e)
		}
		has := func() string {
			return fmt.Sprint(r.eth.Address(addr("172.16.0.1")) != nil, r.eth.Address(addr("fd01::1")) != nil)
		}
		must(t, r.in.Sleep(8*time.Second))
		if got := has(); got != "true true" {
			t.Errorf("after 8 s: %s", got)
		}
		const replaces = 0x105
		if _, e := r.ask(fd, rtmNewAddr, replaces, fixed, attr(2, v4("172.16.0.1")), lifetimes(5, 10)); e != 0 {
			t.Errorf("replaced: %v", e)
		}
		must(t, r.in.Sleep(8*time.Second))
		if got := has(); got != "true false" {
			t.Errorf("after 16 s: %s", got)
		}
		must(t, r.in.Sleep(8*time.Second))
		if got := has(); got != "false false" {
			t.Errorf("after 24 s: %s", got)
		}
	})
}
