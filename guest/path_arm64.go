//go:build linux

package guest

import "golang.org/x/sys/unix"

const sysFstatat = unix.SYS_FSTATAT

// oldPathCalls are calls that arm64 never had.
func oldPathCalls() []named { return nil }
