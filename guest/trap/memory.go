//go:build linux && (amd64 || arm64)

package trap

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Read copies from the caller's memory at addr into b: EFAULT if not all of it is
// there.
func (c *Call) Read(addr uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := [1]unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMReadv(int(c.Thread), local[:], []unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	return whole(n, len(b), err)
}

// Write copies b into the caller's memory at addr, likewise.
func (c *Call) Write(addr uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := [1]unix.Iovec{{Base: &b[0]}}
	local[0].SetLen(len(b))
	n, err := unix.ProcessVMWritev(int(c.Thread), local[:], []unix.RemoteIovec{{Base: uintptr(addr), Len: len(b)}}, 0)
	return whole(n, len(b), err)
}

func whole(n, want int, err error) error {
	switch {
	case err == unix.ESRCH:
		return ErrGone
	case err != nil:
		return err
	case n < want:
		return unix.EFAULT
	}
	return nil
}

// String copies a string that ends with a zero byte from the caller's memory.
// ENAMETOOLONG if it has none within limit bytes.
func (c *Call) String(addr uint64, limit int) (string, error) {
	const page = 4096
	var b []byte
	for len(b) < limit {
		at := addr + uint64(len(b))
		n := min(page-int(at%page), limit-len(b), 256) // not beyond a page that may be the last
		from := len(b)
		b = append(b, make([]byte, n)...)
		if err := c.Read(at, b[from:]); err != nil {
			return "", err
		}
		for i, x := range b[from:] {
			if x == 0 {
				return string(b[:from+i]), nil
			}
		}
	}
	return "", unix.ENAMETOOLONG
}

// Descriptor is the caller's descriptor fd as one of ours: EBADF if there is none.
func (c *Call) Descriptor(fd int) (int, error) {
	pidfd, err := c.open()
	if err != nil {
		return -1, ErrGone
	}
	defer unix.Close(pidfd)
	n, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err == unix.ESRCH {
		err = ErrGone
	}
	return n, err
}

// open is a pidfd of the caller's thread or, before Linux 6.9, of its process, whose
// threads share their descriptors but for those that have unshared them (CLONE_FILES).
func (c *Call) open() (int, error) {
	pidfd, err := unix.PidfdOpen(int(c.Thread), unix.PIDFD_THREAD)
	if err != unix.EINVAL {
		return pidfd, err
	}
	if pidfd, err = unix.PidfdOpen(int(c.Thread), 0); err == nil { // the first thread
		return pidfd, nil
	}
	return unix.PidfdOpen(c.Process(), 0)
}

// Process is the caller's process, 0 if it has ended.
func (c *Call) Process() int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Thread))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Tgid:"); ok {
			n, _ := strconv.Atoi(strings.TrimSpace(rest))
			return n
		}
	}
	return 0
}
