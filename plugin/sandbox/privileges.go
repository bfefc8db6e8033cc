package sandbox

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Privileges are what a module needs beyond its memory and the way to its stack.
// Each is a risk that an administrator can see in the manifest, and refuse.
type Privileges struct {
	// Network: sockets of the host's own kernel, of any family, and ioctl on them.
	Network bool
	// Files: opening, making and removing files and devices of the host, as far as
	// its user may, and ioctl on them.
	Files bool
	// Capabilities that it keeps if the stack's process has them, by the names of
	// capabilities(7): "CAP_NET_ADMIN".
	Capabilities []string
}

// The names of Privileges in a manifest, beside those of capabilities.
const (
	network = "network"
	files   = "files"
)

// Names are the privileges as a manifest has them, in order.
func (p Privileges) Names() []string {
	var out []string
	if p.Network {
		out = append(out, network)
	}
	if p.Files {
		out = append(out, files)
	}
	caps := slices.Clone(p.Capabilities)
	slices.Sort(caps)
	return append(out, slices.Compact(caps)...)
}

// Parse is the inverse of Names. The error names what is no privilege.
func Parse(names []string) (Privileges, error) {
	var p Privileges
	for _, n := range names {
		switch {
		case n == network:
			p.Network = true
		case n == files:
			p.Files = true
		case capability(n) >= 0:
			p.Capabilities = append(p.Capabilities, n)
		default:
			return p, fmt.Errorf("%q is no privilege of a module: there are %s, %s and the capabilities of Linux (CAP_NET_ADMIN)", n, network, files)
		}
	}
	return p, nil
}

// Limits of a module's process. 0 stands for the default, Unlimited for none.
type Limits struct {
	Memory      uint64 // bytes of private writable memory (RLIMIT_DATA); the rings are shared and do not count
	Descriptors uint64 // RLIMIT_NOFILE
}

// Unlimited is a limit that the stack does not set.
const Unlimited = ^uint64(0)

// Defaults of Limits. Go maps its heap in steps of 64 MB; an idle module has some
// 100 MB mapped, of which a tenth is resident.
const (
	DefaultMemory      = 1 << 30
	DefaultDescriptors = 1 << 12
)

// Default has the defaults in the place of zeroes.
func (l Limits) Default() Limits {
	if l.Memory == 0 {
		l.Memory = defaultMemory
	}
	if l.Descriptors == 0 {
		l.Descriptors = DefaultDescriptors
	}
	return l
}

// ErrUnsupported is in the errors of systems that have no sandbox.
var ErrUnsupported = errors.New("sandbox: not supported")

// capability is the number of a capability, -1 if there is none of that name.
func capability(name string) int {
	short, ok := strings.CutPrefix(name, "CAP_")
	if !ok {
		return -1
	}
	return slices.Index(strings.Fields(capabilities), short)
}

// capabilities in the order of their numbers (linux/capability.h).
const capabilities = `CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE
SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL
SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`
