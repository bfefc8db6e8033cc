package procfs

import (
	"slices"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
)

// setting finds a file of /proc/sys/net: a setting of the instance.
func (f *FS) setting(parts []string) (*Node, error) {
	name := strings.Join(append([]string{"net"}, parts...), "/")
	if _, err := f.in.Sysctl(name); err == nil {
		n := &Node{Mode: 0o644, read: func() ([]byte, error) {
			v, err := f.in.Sysctl(name)
			if err != nil {
				return nil, syscall.ENOENT // its interface has gone
			}
			return append([]byte(v), '\n'), nil
		}}
		if readOnly(name) {
			n.Mode = 0o444
			return n, nil
		}
		n.write = func(text string) error {
			err := f.in.SetSysctl(name, strings.TrimRight(text, "\x00"))
			if err == nil {
				return nil
			}
			return errnoOf(err)
		}
		return n, nil
	}
	names := f.settings()
	below := tree(names, name+"/")
	if len(below) > 0 {
		return directory(func() []string { return tree(f.settings(), name+"/") }), nil
	}
	for _, n := range names {
		if strings.HasPrefix(name, n+"/") {
			return nil, syscall.ENOTDIR
		}
	}
	return nil, syscall.ENOENT
}

// readOnly tells whether a setting only tells.
func readOnly(name string) bool { return name == "net/ipv4/tcp_available_congestion_control" }

// settings are the names of all settings, their parts separated by '/': an interface's
// name may have dots.
func (f *FS) settings() []string {
	var names []string
	f.in.Domain().Do(func() {
		devices := []string{"all", "default"}
		for _, ifc := range f.in.Interfaces() {
			devices = append(devices, ifc.Name())
		}
		for _, t := range tables(f.in.Wiring()) {
			for i := range t.Entries {
				pre, post, each := strings.Cut(t.Entries[i].Name, "{dev}")
				pre, post = strings.ReplaceAll(pre, ".", "/"), strings.ReplaceAll(post, ".", "/")
				if !each {
					names = append(names, pre)
					continue
				}
				for _, d := range devices {
					names = append(names, pre+d+post)
				}
			}
		}
	})
	slices.Sort(names)
	return names
}

func tables(w *core.Wiring) []*sysctl.Table {
	list := slices.Clone(w.Sysctls)
	for i := range w.Networks {
		list = append(list, w.Networks[i].Sysctls, w.Networks[i].Devices)
	}
	for i := range w.Protocols {
		list = append(list, w.Protocols[i].Sysctls)
	}
	return slices.DeleteFunc(list, func(t *sysctl.Table) bool { return t == nil })
}
