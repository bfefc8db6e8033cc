//go:build linux

package guest

import (
	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/posix/procfs"
)

// Numbers of calls.
const (
	sysFstatat = unix.SYS_NEWFSTATAT
	sysOpen    = unix.SYS_OPEN
)

// oldPathCalls are the calls without a dirfd, which newer systems lack.
func oldPathCalls() []named {
	return []named{
		{call: call{unix.SYS_OPEN, nil, pathCall(-1, 0, func(r *request, n *procfs.Node) error { return r.open(n, r.arg(1)) })}},
		{call: call{unix.SYS_READLINK, nil, pathCall(-1, 0, func(r *request, n *procfs.Node) error { return r.readlink(n, 1) })}},
		{call: call{unix.SYS_STAT, nil, pathCall(-1, 0, func(r *request, n *procfs.Node) error { return r.stat(n, 1, false) })}, stat: true},
		{call: call{unix.SYS_LSTAT, nil, pathCall(-1, 0, func(r *request, n *procfs.Node) error { return r.stat(n, 1, true) })}},
		{call: call{unix.SYS_ACCESS, nil, pathCall(-1, 0, func(r *request, n *procfs.Node) error { return r.access(n, r.arg(1)) })}},
	}
}
