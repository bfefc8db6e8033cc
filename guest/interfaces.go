//go:build linux && (amd64 || arm64)

package guest

import "golang.org/x/sys/unix"

// Requests of ioctl(2) about interfaces, which any socket of the kernel's takes
// (SIOCGIFNAME to SIOCSIFMAP, linux/sockios.h).
const (
	firstInterfaceRequest = 0x8910
	lastInterfaceRequest  = 0x8971
)

// ioctlCall is ioctl(2). What a socket that is not ours is asked about interfaces is the
// stack's to answer, too: the C library's if_indextoname(3) asks one of AF_UNIX.
func (r *request) ioctlCall() {
	end, err := r.c.Descriptor(r.arg(0))
	if err != nil {
		_ = r.fail(err)
		return
	}
	s := r.g.socketOf(end)
	if s != nil && r.later(s, end) {
		_ = unix.Close(end)
		return
	}
	if request := uint32(r.c.Args[1]); s == nil && request >= firstInterfaceRequest && request <= lastInterfaceRequest {
		var st unix.Stat_t
		if unix.Fstat(end, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			s = r.g.interfaces()
		}
	}
	n := 0
	if s != nil {
		n, err = r.control(s, end)
	}
	_ = unix.Close(end)
	if s == nil {
		r.goOn()
		return
	}
	_ = r.done(n, err)
}

// interfaces is a socket of no program, nil if the stack has none that can be asked.
func (g *Guest) interfaces() *socket {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asked == nil {
		for _, family := range []int{unix.AF_INET, unix.AF_INET6, unix.AF_PACKET} {
			if fd, err := g.process.Socket(family, unix.SOCK_DGRAM, 0); err == nil {
				g.asked = &socket{g: g, fd: fd, family: family, typ: unix.SOCK_DGRAM}
				break
			}
		}
	}
	return g.asked
}
