package writable

import (
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Resume calls resume each time raw can be written again after a token came over
// starved. It returns when starved is closed, when closed is set, or when raw is
// closed.
func Resume(starved <-chan struct{}, raw syscall.RawConn, closed *atomic.Bool, resume func()) {
	for range starved {
		if closed.Load() {
			return
		}
		// The runtime's poller tells of changes only, and the change may have come
		// since the write that failed: ask before waiting.
		if err := raw.Write(func(fd uintptr) bool {
			p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
			n, err := unix.Poll(p, 0)
			return n > 0 || err != nil
		}); err != nil {
			return
		}
		resume()
	}
}
