package netlink_test

import (
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

const (
	netlinkSockDiag = 4
	sockDiag        = 20
	sockDestroy     = 21
	allStates       = 0xfff
)

// inet is a struct inet_diag_req_v2 for a family, a protocol and states.
func inet(family, protocol, ext byte, states uint32) []byte {
	b := ne.AppendUint32([]byte{family, protocol, ext, 0}, states)
	b = append(b, make([]byte, 40)...)
	return append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff) // no cookie
}

func (r *rig) diag() int {
	r.T.Helper()
	fd, err := r.Socket(afNetlink, posix.SOCK_RAW, netlinkSockDiag)
	must(r.T, err)
	return fd
}

func (r *rig) inetSockets(fd int, request []byte, attrs ...[]byte) (out []string) {
	r.T.Helper()
	all, errno := r.ask(fd, sockDiag, dumps, request, attrs...)
	if errno != 0 {
		return []string{errno.Error()}
	}
	be := binary.BigEndian
	for _, m := range all {
		n := 4
		if m.body[0] == posix.AF_INET6 {
			n = 16
		}
		out = append(out, fmt.Sprintf("%d %s:%d-%s:%d", m.body[1], address(m.body[8:8+n]), be.Uint16(m.body[4:]), address(m.body[24:24+n]), be.Uint16(m.body[6:])))
	}
	return out
}

// stream opens a listening socket on the host itself, and a connection to it.
func (r *rig) stream(address string, port uint16) (listener, client int) {
	r.T.Helper()
	a := posix.AppendSockAddr(nil, posix.AF_INET, core.SockAddr{Addr: addr(address), Port: port})
	listener, err := r.Socket(posix.AF_INET, posix.SOCK_STREAM, 0)
	must(r.T, err)
	must(r.T, r.Bind(listener, a))
	must(r.T, r.Listen(listener, 5))
	client, err = r.Socket(posix.AF_INET, posix.SOCK_STREAM, 0)
	must(r.T, err)
	must(r.T, r.Bind(client, posix.AppendSockAddr(nil, posix.AF_INET, core.SockAddr{Addr: addr(address), Port: port + 1})))
	must(r.T, r.Connect(client, a))
	return listener, client
}

// code is an instruction of a filter.
func code(op, yes byte, no uint16) []byte { return ne.AppendUint16([]byte{op, yes}, no) }

func TestSocketsAreListedByStateAndByFilter(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.diag()
		r.stream("127.0.0.1", 80)
		listen, client, server := "10 127.0.0.1:80-0.0.0.0:0", "1 127.0.0.1:81-127.0.0.1:80", "1 127.0.0.1:80-127.0.0.1:81"
		tcp := inet(posix.AF_INET, 6, 0, allStates)
		same(t, "all", r.inetSockets(fd, tcp), []string{listen, client, server})
		same(t, "those that listen", r.inetSockets(fd, inet(posix.AF_INET, 6, 0, 1<<10)), []string{listen})
		same(t, "of IPv6", r.inetSockets(fd, inet(posix.AF_INET6, 6, 0, allStates)), nil)
		filter := func(ops ...[]byte) []byte { return attr(1, slices.Concat(ops...)) }
		host := slices.Concat([]byte{posix.AF_INET, 8, 0, 0}, u32(80), []byte{127, 0, 0, 0})
		for _, x := range []struct {
			name   string
			filter []byte
			want   []string
		}{
			{"dport = 80", filter(code(12, 8, 12), code(0, 4, 80)), []string{client}},
			{"sport >= 81", filter(code(2, 8, 12), code(0, 4, 81)), []string{client}},
			{"dst 127/8:80", filter(code(8, 16, 20), host), []string{client}},
			{"not dst 127/8:80", filter(code(8, 16, 20), host, code(1, 4, 8)), []string{listen, server}},
			{"a port nobody chose", filter(code(6, 4, 8)), []string{server}},
			{"a device", filter(code(9, 8, 12), u32(7)), nil},
		} {
			same(t, x.name, r.inetSockets(fd, tcp, x.filter), x.want)
		}
	})
}

func TestAFilterThatDoesNotEndIsRefused(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.diag()
		for name, b := range map[string][]byte{
			"empty":                {},
			"cut":                  {0, 4},
			"unknown":              code(99, 4, 8),
			"standing still":       code(0, 0, 0),
			"beyond the end":       code(0, 8, 0),
			"operand missing":      code(2, 4, 8),
			"not on a multiple":    slices.Concat(code(2, 8, 10), code(0, 4, 80)),
			"prefix too long":      slices.Concat(code(8, 16, 20), []byte{2, 33, 0, 0}, u32(0), u32(0)),
			"family nobody has":    slices.Concat(code(8, 12, 16), []byte{9, 0, 0, 0}, u32(0)),
			"mark without a value": slices.Concat(code(10, 12, 16), u32(0)),
		} {
			same(t, name, r.inetSockets(fd, inet(posix.AF_INET, 6, 0, allStates), attr(1, b)), []string{syscall.EINVAL.Error()})
		}
	})
}

func TestAListedSocketTellsOfItself(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.diag()
		listener, _ := r.stream("127.0.0.1", 80)
		must(t, r.SetOwner(listener, 4242, 1000))
		all, errno := r.ask(fd, sockDiag, dumps, inet(posix.AF_INET, 6, 0xff, 1<<10))
		if errno != 0 || len(all) != 1 {
			t.Fatalf("%d sockets, %v", len(all), errno)
		}
		m := all[0]
		if got := [...]uint32{ne.Uint32(m.body[56:]), ne.Uint32(m.body[60:]), ne.Uint32(m.body[64:]), ne.Uint32(m.body[68:])}; got != [...]uint32{1, 5, 1000, 4242} {
			t.Errorf("queues, user and inode are %v", got)
		}
		a := m.attributes(t, 72)
		if text(a[4]) == "" || len(a[2]) != 248 || len(a[7]) != 36 || len(a[1]) != 16 || a[8] == nil || a[5] == nil {
			t.Errorf("attributes are %v", a)
		}
	})
}

func TestASocketIsAskedForAndBroken(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.diag()
		_, client := r.stream("127.0.0.1", 80)
		q := inet(posix.AF_INET, 6, 0, allStates)
		binary.BigEndian.PutUint16(q[8:], 81)
		binary.BigEndian.PutUint16(q[10:], 80)
		copy(q[12:], v4("127.0.0.1"))
		copy(q[28:], v4("127.0.0.1"))
		all, errno := r.ask(fd, sockDiag, asks, q)
		if errno != 0 || len(all) != 1 || all[0].body[1] != 1 {
			t.Fatalf("%v, %v", all, errno)
		}
		cookie := slices.Clone(all[0].body[44:52])
		copy(q[48:], []byte{1, 2, 3, 4, 5, 6, 7, 8})
		if _, errno = r.ask(fd, sockDestroy, changes, q); errno != syscall.ESTALE {
			t.Errorf("with another's cookie: %v", errno)
		}
		copy(q[48:], cookie)
		if _, errno = r.ask(fd, sockDestroy, changes, q); errno != 0 {
			t.Errorf("broken: %v", errno)
		}
		if _, err := r.Read(client, make([]byte, 1)); err != syscall.ECONNABORTED {
			t.Errorf("its program reads %v", err)
		}
		if _, errno = r.ask(fd, sockDiag, asks, q); errno != syscall.ENOENT {
			t.Errorf("afterwards: %v", errno)
		}
	})
}

func TestDatagramAndOtherSocketsAreListed(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.diag()
		u, err := r.Socket(posix.AF_INET, posix.SOCK_DGRAM, 0)
		must(t, err)
		same(t, "not bound", r.inetSockets(fd, inet(posix.AF_INET, 17, 0, allStates)), nil)
		must(t, r.Bind(u, posix.AppendSockAddr(nil, posix.AF_INET, core.SockAddr{Addr: addr("10.0.0.1"), Port: 53})))
		same(t, "bound", r.inetSockets(fd, inet(posix.AF_INET, 17, 0, allStates)), []string{"7 10.0.0.1:53-0.0.0.0:0"})
		same(t, "of no protocol here", r.inetSockets(fd, inet(posix.AF_INET, 132, 0, allStates)), []string{syscall.ENOENT.Error()})
		for family, want := range map[byte]int{1: 0, 16: 1, 17: 0} {
			b := make([]byte, 24)
			if b[0], b[1] = family, 0xff; family != 1 {
				b = b[:20]
			}
			if all, errno := r.ask(fd, sockDiag, dumps, b); errno != 0 || len(all) != want {
				t.Errorf("family %d: %d sockets, %v", family, len(all), errno)
			}
		}
		if _, errno := r.ask(fd, sockDiag, dumps, make([]byte, 20)); errno != syscall.ENOENT {
			t.Errorf("of no family: %v", errno)
		}
	})
}
