package netlink_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

const (
	rtmNewRule = 32
	rtmDelRule = 33
)

// rulehdr is a struct fib_rule_hdr.
func rulehdr(family, dst, src, tos, table, action uint8, flags uint32) []byte {
	return append([]byte{family, dst, src, tos, table, 0, 0, action}, u32(flags)...)
}

// rules are those of a family, each by what is not as in any.
func (r *rig) rules(fd int, family uint8) (out []string) {
	r.T.Helper()
	all, errno := r.ask(fd, rtmGetRule, dumps, rulehdr(family, 0, 0, 0, 0, 0, 0))
	if errno != 0 {
		r.T.Fatal(errno)
	}
	for _, m := range all {
		out = append(out, r.rule(m))
	}
	return out
}

func (r *rig) rule(m message) string {
	a := m.attributes(r.T, 12)
	var b strings.Builder
	if p := a[6]; p != nil {
		fmt.Fprint(&b, ne.Uint32(p))
	}
	fmt.Fprintf(&b, ": action %d table %d", m.body[7], ne.Uint32(a[15]))
	for _, x := range []struct {
		typ  uint16
		name string
	}{{4, "goto"}, {10, "mark"}, {16, "mask"}} {
		if v := a[x.typ]; v != nil {
			fmt.Fprintf(&b, " %s %d", x.name, ne.Uint32(v))
		}
	}
	if v := a[2]; v != nil {
		fmt.Fprintf(&b, " from %s/%d", address(v), m.body[2])
	}
	if v := a[3]; v != nil {
		fmt.Fprintf(&b, " iif %s", strings.TrimRight(string(v), "\x00"))
	}
	if v := a[24]; v != nil {
		fmt.Fprintf(&b, " dport %d-%d", ne.Uint16(v), ne.Uint16(v[2:]))
	}
	if f := ne.Uint32(m.body[8:]); f != 0 {
		fmt.Fprintf(&b, " flags %#x", f)
	}
	return b.String()
}

func TestRulesAreAddedListedAndRemoved(t *testing.T) {
	run(t, func(r *rig) {
		fd, heard := r.open(0), r.open(1<<7|1<<18)
		do := func(typ, flags uint16, want syscall.Errno, fixed []byte, attrs ...[]byte) {
			t.Helper()
			if _, errno := r.ask(fd, typ, flags, fixed, attrs...); errno != want {
				t.Errorf("%v, want %v", errno, want)
			}
		}
		priority := func(n uint32) []byte { return attr(6, u32(n)) }
		defaults := []string{": action 1 table 255", "32766: action 1 table 254", "32767: action 1 table 253"}
		same(t, "at first", r.rules(fd, posix.AF_INET), defaults)
		same(t, "at first in IPv6", r.rules(fd, posix.AF_INET6), defaults[:2])

		from := attr(2, v4("10.9.0.0"))
		do(rtmNewRule, creates, 0, rulehdr(posix.AF_INET, 0, 16, 0, 100, 1, 0), from)
		do(rtmNewRule, creates, 0, rulehdr(posix.AF_INET, 0, 0, 0, 252, 1, 0), attr(15, u32(1000)), attr(10, u32(7)), priority(5))
		do(rtmNewRule, creates, syscall.EEXIST, rulehdr(posix.AF_INET, 0, 0, 0, 252, 1, 0), attr(15, u32(1000)), attr(10, u32(7)), priority(5))
		do(rtmNewRule, creates, 0, rulehdr(posix.AF_INET, 0, 0, 0, 0, 2, 2), attr(4, u32(50)), attr(3, []byte("nodev\x00")), priority(9))
		do(rtmNewRule, creates, 0, rulehdr(posix.AF_INET, 0, 0, 0, 0, 8, 0), attr(24, []byte{53, 0, 54, 0}), priority(50))
		do(rtmNewRule, creates, 0, rulehdr(posix.AF_INET6, 0, 0, 0, 55, 1, 0))
		same(t, "listed", r.rules(fd, posix.AF_INET), []string{": action 1 table 255",
			"5: action 1 table 1000 mark 7 mask 4294967295", "9: action 2 table 0 goto 50 iif nodev flags 0xa",
			"50: action 8 table 0 dport 53-54", "32765: action 1 table 100 from 10.9.0.0/16", "32766: action 1 table 254", "32767: action 1 table 253"})
		same(t, "told", r.news(heard), []string{"32 of group 80", "32 of group 80", "32 of group 80", "32 of group 80", "32 of group 40000"})

		do(rtmDelRule, 5, 0, rulehdr(posix.AF_INET, 0, 0, 0, 0, 0, 0), priority(50))
		if got := r.rules(fd, posix.AF_INET); !slices.Contains(got, "9: action 2 table 0 goto 50 iif nodev flags 0xe") {
			t.Errorf("the goto to a rule that is gone: %v", got)
		}
		do(rtmDelRule, 5, syscall.ENOENT, rulehdr(posix.AF_INET, 0, 0, 0, 0, 0, 0), priority(50))
		do(rtmDelRule, 5, syscall.ENOENT, rulehdr(posix.AF_INET, 0, 24, 0, 0, 0, 0), from)
		do(rtmDelRule, 5, 0, rulehdr(posix.AF_INET, 0, 16, 0, 0, 0, 0), from)
		same(t, "told of the end", r.news(heard), []string{"33 of group 80", "33 of group 80"})

		for _, x := range []struct {
			what  string
			fixed []byte
			attr  []byte
			want  syscall.Errno
		}{
			{"another family", rulehdr(17, 0, 0, 0, 9, 1, 0), nil, syscall.EAFNOSUPPORT},
			{"a goto backwards", rulehdr(posix.AF_INET, 0, 0, 0, 0, 2, 0), attr(4, u32(1)), syscall.EINVAL},
			{"a goto without a target", rulehdr(posix.AF_INET, 0, 0, 0, 0, 2, 0), nil, syscall.EINVAL},
			{"a target without a goto", rulehdr(posix.AF_INET, 0, 0, 0, 9, 1, 0), attr(4, u32(9999)), syscall.EINVAL},
			{"a prefix without an address", rulehdr(posix.AF_INET, 0, 16, 0, 9, 1, 0), nil, syscall.EINVAL},
			{"a prefix that is too long", rulehdr(posix.AF_INET, 0, 33, 0, 9, 1, 0), from, syscall.EINVAL},
			{"ECN in the type of service", rulehdr(posix.AF_INET, 0, 0, 1, 9, 1, 0), nil, syscall.EINVAL},
			{"no table in IPv6", rulehdr(posix.AF_INET6, 0, 0, 0, 0, 1, 0), nil, syscall.EINVAL},
			{"no such action", rulehdr(posix.AF_INET, 0, 0, 0, 9, 5, 0), nil, syscall.EINVAL},
			{"ports the wrong way round", rulehdr(posix.AF_INET, 0, 0, 0, 9, 1, 0), attr(24, []byte{54, 0, 53, 0}), syscall.EINVAL},
			{"users", rulehdr(posix.AF_INET, 0, 0, 0, 9, 1, 0), attr(20, make([]byte, 8)), syscall.EOPNOTSUPP},
			{"a device's table", rulehdr(posix.AF_INET, 0, 0, 0, 0, 1, 0), attr(19, []byte{1}), syscall.EOPNOTSUPP},
			{"a group of interfaces", rulehdr(posix.AF_INET, 0, 0, 0, 9, 1, 0), attr(13, u32(3)), syscall.EOPNOTSUPP},
		} {
			attrs := [][]byte{priority(40)}
			if x.attr != nil {
				attrs = append(attrs, x.attr)
			}
			if _, errno := r.ask(fd, rtmNewRule, creates, x.fixed, attrs...); errno != x.want {
				t.Errorf("%s: %v, want %v", x.what, errno, x.want)
			}
		}
	})
}

func TestATableIsMadeByItsFirstRoute(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		must(t, r.Setsockopt(fd, solNetlink, 12, u32(1))) // NETLINK_GET_STRICT_CHK
		list := func() (n int, errno syscall.Errno) {
			all, errno := r.ask(fd, rtmGetRoute, dumps, rtmsg(posix.AF_INET, 0, 0, 0), attr(15, u32(300)))
			for _, m := range all {
				if m.body[4] != 252 || ne.Uint32(m.attributes(t, 12)[15]) != 300 {
					t.Errorf("a route of table %d", m.body[4])
				}
			}
			return len(all), errno
		}
		if _, errno := list(); errno != syscall.ENOENT {
			t.Errorf("a table that nobody made: %v", errno)
		}
		add := func(typ, flags uint16, want syscall.Errno) {
			t.Helper()
			if _, errno := r.ask(fd, typ, flags, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(5, v4("10.0.0.2")), attr(15, u32(300))); errno != want {
				t.Errorf("%v, want %v", errno, want)
			}
		}
		add(rtmNewRoute, creates, 0)
		add(rtmNewRoute, creates, syscall.EEXIST)
		if n, errno := list(); n != 1 || errno != 0 {
			t.Errorf("%d routes, %v", n, errno)
		}
		add(rtmDelRoute, 5, 0)
		add(rtmDelRoute, 5, syscall.ESRCH)
		if n, errno := list(); n != 0 || errno != 0 {
			t.Errorf("%d routes, %v", n, errno)
		}
	})
}
