package netlink_test

import (
	"testing"

	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

// A stack without lo lists a route by a group of a blackhole, which has no interface.
func TestBlackholesHaveNoInterfaceWithoutLoopback(t *testing.T) {
	r := &rig{Rig: coretest.New(t, host.NewVirtual(1))}
	w := wiring()
	w.Loopback = nil
	r.in = r.Rig.Instance("a", w)
	r.Process = posix.NewProcess(r.in)
	t.Cleanup(func() { _ = r.CloseAll() })
	r.Do(func() {
		fd := r.open(0)
		for _, x := range []struct {
			typ   uint16
			fixed []byte
			attrs [][]byte
		}{
			{rtmNewNexthop, nhmsg(posix.AF_INET6, 0, 0, 0), [][]byte{attr(1, u32(1)), attr(4, nil)}},
			{rtmNewNexthop, nhmsg(0, 0, 0, 0), [][]byte{attr(1, u32(2)), attr(2, member(1, 1))}},
			{24, rtmsg(posix.AF_INET6, 64, 0, 1), [][]byte{attr(1, v6("fd99::")), attr(30, u32(2))}},
		} {
			if _, errno := r.ask(fd, x.typ, creates, x.fixed, x.attrs...); errno != 0 {
				t.Fatal(errno)
			}
		}
		answers, errno := r.ask(fd, 26, 0x301, rtmsg(posix.AF_INET6, 0, 0, 0))
		if errno != 0 || len(answers) == 0 {
			t.Errorf("%v, %d answers", errno, len(answers))
		}
	})
}
