package netlink_test

import (
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

func TestLabelsAreAskedForAndRefused(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		header := func(family, bits uint8, ifindex uint32) []byte {
			return append(append([]byte{family, 0, bits, 0}, u32(ifindex)...), 0, 0, 0, 0)
		}
		const newLabel, delLabel, getLabel = 72, 73, 74
		prefix, label := attr(1, v6("fd09::")), attr(2, u32(9))
		for _, x := range []struct {
			typ, flags uint16
			fixed      []byte
			attrs      [][]byte
			want       syscall.Errno
		}{
			{newLabel, creates, header(posix.AF_INET6, 16, 0), [][]byte{prefix, label}, 0},
			{newLabel, creates, header(posix.AF_INET6, 16, 0), [][]byte{prefix, label}, syscall.EEXIST},
			{newLabel, 0x105, header(posix.AF_INET6, 16, 0), [][]byte{prefix, attr(2, u32(8))}, 0},
			{newLabel, creates, header(posix.AF_INET6, 16, 77), [][]byte{prefix, label}, syscall.EINVAL},
			{newLabel, creates, header(posix.AF_INET6, 129, 0), [][]byte{prefix, label}, syscall.EINVAL},
			{newLabel, creates, header(posix.AF_INET6, 16, 0), [][]byte{attr(1, v4("10.0.0.0")), label}, syscall.EINVAL},
			{newLabel, creates, header(posix.AF_INET6, 16, 0), [][]byte{prefix}, syscall.EINVAL},
			{newLabel, creates, header(posix.AF_INET6, 16, 0), [][]byte{label}, syscall.EINVAL},
			{newLabel, creates, header(posix.AF_INET6, 17, 0), [][]byte{prefix, attr(2, u32(1<<32-1))}, syscall.EINVAL},
			{newLabel, creates, header(posix.AF_INET, 16, 0), [][]byte{prefix, label}, syscall.EOPNOTSUPP},
			{delLabel, changes, header(posix.AF_INET6, 17, 0), [][]byte{prefix, label}, syscall.ESRCH},
			{getLabel, changes, header(posix.AF_INET6, 64, 0), [][]byte{prefix}, syscall.EINVAL},
			{getLabel, changes, header(posix.AF_INET6, 128, 77), [][]byte{prefix}, syscall.EINVAL},
		} {
			if _, errno := r.ask(fd, x.typ, x.flags, x.fixed, x.attrs...); errno != x.want {
				t.Errorf("request %d of % x with % x: %v, want %v", x.typ, x.fixed, x.attrs, errno, x.want)
			}
		}
		out, _ := r.ask(fd, getLabel, asks, header(posix.AF_INET6, 128, 0), attr(1, v6("fd09::5")))
		if a := out[0].attributes(t, 12); ne.Uint32(a[2]) != 8 || out[0].body[2] != 16 || ne.Uint32(out[0].body[8:]) != 12 {
			t.Errorf("% x", out[0].body)
		}
		if out, errno := r.ask(fd, getLabel, dumps, header(posix.AF_INET6, 0, 0)); len(out) != 11 || errno != 0 {
			t.Errorf("%d labels, %v", len(out), errno)
		}
		must(t, r.Setsockopt(fd, solNetlink, 12, u32(1)))
		if _, errno := r.ask(fd, getLabel, dumps, header(posix.AF_INET6, 5, 0)); errno != syscall.EINVAL {
			t.Errorf("a filter: %v", errno)
		}
	})
}
