//go:build linux

package guest

import "golang.org/x/sys/unix"

// Numbers of calls; it has no open(2).
const (
	sysFstatat = unix.SYS_FSTATAT
	sysOpen    = -1
)

// oldPathCalls are calls that arm64 never had.
func oldPathCalls() []named { return nil }
