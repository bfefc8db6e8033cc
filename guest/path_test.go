//go:build linux && (amd64 || arm64)

package guest

import (
	"path"
	"testing"

	"github.com/libos-go/libos/posix/procfs"
)

// pathFiles is files with a root, none of which is there.
func pathFiles() *files {
	f, root := &files{}, "/dev/shm/libos-files-1"
	f.root.Store(&root)
	return f
}

// A path is the stack's by whatever name it has.
func TestPathsOfTheStack(t *testing.T) {
	for name, want := range map[string]string{
		"/proc/net/dev":                               "/proc/net/dev",
		"//proc///net/./dev":                          "/proc/net/dev",
		"/proc/self/net/dev":                          "/proc/net/dev",
		"/proc/thread-self/net":                       "/proc/net",
		"/proc/17/net/tcp":                            "/proc/net/tcp",
		"/proc/17/task/18/net/tcp":                    "/proc/net/tcp",
		"/usr/../proc/sys/net/ipv4/ip_forward":        "/proc/sys/net/ipv4/ip_forward",
		"/sys/class/net/":                             "/sys/class/net",
		"/sys/devices/virtual/net/lo/mtu":             "/sys/class/net/lo/mtu",
		"/dev/shm/libos-files-1/sys/class/net/lo/mtu": "/sys/class/net/lo/mtu",
		"/proc/network":                               "",
		"/proc/netx/../net":                           "/proc/net",
		"/proc/self/status":                           "",
		"/proc/self/task/18/status":                   "",
		"/proc/sys/kernel":                            "",
		"/proc/sys/net/../kernel/hostname":            "",
		"/sys/class/network":                          "",
		"/etc/passwd":                                 "",
		"/dev/shm/libos-files-17/proc/net":            "",
	} {
		got, ok := pathFiles().served(name)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%s is %q, %v, want %q", name, got, ok, want)
		}
	}
}

// What is looked at of a path does not lose one that is the stack's.
func FuzzPathsOfTheStack(f *testing.F) {
	for _, name := range []string{"/proc/self/net/dev", "/sys/class/net/lo/../lo", "/usr/../proc/net", "/./proc/net", "/a/..", "/proc/1/task/2/net/tcp"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if name == "" || name[0] != '/' {
			return
		}
		got, ok := (&files{}).served(name)
		if !ok {
			return
		}
		if !procfs.Inside(got) || path.Clean(got) != got {
			t.Errorf("%q is %q", name, got)
		}
		if !mayLead([]byte(name)) {
			t.Errorf("%q is passed over, and is %q", name, got)
		}
	})
}
