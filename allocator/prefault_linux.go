//go:build linux && !race

package allocator

import "golang.org/x/sys/unix"

// prefault backs b with pages: in one call from Linux 5.14 on, by touching them before.
func prefault(b []byte) {
	if unix.Madvise(b, unix.MADV_POPULATE_WRITE) != nil {
		touch(b)
	}
}
