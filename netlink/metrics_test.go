package netlink_test

import (
	"syscall"
	"testing"

	"github.com/libos-go/libos/posix"
)

func TestMetricsThatRoutesCannotHave(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		for _, x := range []struct {
			what    string
			metrics []byte
			want    syscall.Errno
		}{
			{"a window", attr(3, u32(5000)), 0},
			{"a congestion control", attr(16, []byte("reno\x00")), 0},
			{"no such congestion control", attr(16, []byte("nosuch\x00")), syscall.EINVAL},
			{"no name of one", attr(16, []byte{0}), syscall.EINVAL},
			{"a long name of one", attr(16, []byte("renorenorenorenorenoreno\x00")), syscall.EINVAL},
			{"no such metric", attr(18, u32(1)), syscall.EINVAL},
			{"half a metric", attr(3, []byte{1, 0}), syscall.EINVAL},
			{"no such feature", attr(12, u32(64)), syscall.EINVAL},
			{"half an attribute", []byte{8, 0, 3, 0, 1}, syscall.EINVAL},
		} {
			_, errno := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(5, v4("10.0.0.2")), attr(8, x.metrics))
			if errno != x.want {
				t.Errorf("%s: %v, want %v", x.what, errno, x.want)
			}
			if errno == 0 {
				_, errno = r.ask(fd, rtmDelRoute, changes, rtmsg(posix.AF_INET, 16, 0, 0), attr(1, v4("10.9.0.0")), attr(8, x.metrics))
				if errno != 0 {
					t.Errorf("%s, removed: %v", x.what, errno)
				}
			}
		}
	})
}

// What asks for a packet that comes in looks at a setting of its interface.
func TestAWayOfAPacketThatComesIn(t *testing.T) {
	run(t, func(r *rig) {
		fd := r.open(0)
		if _, errno := r.ask(fd, rtmNewRoute, creates, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(5, v4("10.0.0.2"))); errno != 0 {
			t.Fatal(errno)
		}
		asked := [][]byte{attr(1, v4("10.9.0.1")), attr(2, v4("10.0.0.2")), attr(3, u32(2))}
		for forwarding, want := range map[string]syscall.Errno{"0": syscall.EHOSTUNREACH, "1": 0} {
			must(t, r.in.SetSysctl("net.ipv4.conf.all.forwarding", forwarding))
			if _, errno := r.ask(fd, rtmGetRoute, changes, rtmsg(posix.AF_INET, 32, 0, 0), asked...); errno != want {
				t.Errorf("forwarding=%s: %v, want %v", forwarding, errno, want)
			}
		}
	})
}

func TestARouteThatReplacesItselfIsNoNews(t *testing.T) {
	run(t, func(r *rig) {
		fd, monitor := r.open(0), r.open(0x40)
		put := func(gateway string) {
			t.Helper()
			if _, errno := r.ask(fd, rtmNewRoute, 0x505, rtmsg(posix.AF_INET, 16, 0, 1), attr(1, v4("10.9.0.0")), attr(5, v4(gateway))); errno != 0 {
				t.Fatal(errno)
			}
		}
		put("10.0.0.2")
		r.told(monitor)
		put("10.0.0.2")
		same(t, "told of the same", r.told(monitor), nil)
		put("10.0.0.3")
		same(t, "told of another", r.told(monitor), []string{"route 10.9.0.0/16 table 254"})
	})
}
