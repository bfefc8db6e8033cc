package procfs_test

import (
	"strings"
	"testing"
)

// Whatever is asked for and written, a path leads to nothing or to a node that says so.
func FuzzLookup(f *testing.F) {
	for _, path := range []string{"/proc/net/dev", "/proc/net", "/proc/sys/net/ipv4/conf/lo/rp_filter", "/sys/class/net/lo/statistics/rx_bytes",
		"/sys/class/net/lo/mtu", "/proc/sys/net//ipv4", "/proc/sys/net/ipv4/{dev}", "/proc/network", ""} {
		f.Add(path, "1")
	}
	f.Add("/proc/net/", "")
	f.Fuzz(func(t *testing.T, path, text string) {
		l := newLab(t)
		n, err := l.fs.Lookup(path)
		if err != nil {
			return
		}
		if n.Path != path || !strings.HasPrefix(path, "/") {
			t.Errorf("%q is %q", path, n.Path)
		}
		_, _ = n.Read()
		if err := n.Write(text); err == nil && !n.Writable() {
			t.Errorf("%q was written", path)
		}
		for _, name := range n.Entries() {
			if _, err := l.fs.Lookup(path + "/" + name); err != nil {
				t.Errorf("%s in %s: %v", name, path, err)
			}
		}
	})
}
