//go:build linux && (amd64 || arm64)

package run

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/guest"
)

// The files of an instance's own.
const (
	resolvers  = "/etc/resolv.conf"
	namespaces = "/etc/netns" // a directory for each that has any, as of ip-netns(8)
)

// newGuest makes a Guest whose programs find the instance's own files in /etc: those of
// /etc/netns/INSTANCE that everybody may read, and the name servers of its network.
func newGuest(in *core.Instance) *guest.Guest {
	g := guest.New(in)
	for _, ifc := range in.Interfaces() {
		if d, ok := ifc.Device().(interface{ NameServers() []netip.Addr }); ok {
			host, _ := os.ReadFile(resolvers) // without it there is nothing to keep
			g.Replace(resolvers, resolveBy(d.NameServers(), host))
			break
		}
	}
	names, _ := filepath.Glob(filepath.Join(namespaces, filepath.Base(in.Name()), "*"))
	for _, name := range names {
		if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() || st.Mode()&0o004 == 0 {
			continue
		}
		if text, err := os.ReadFile(name); err == nil {
			g.Replace("/etc/"+filepath.Base(name), text)
		}
	}
	return g
}

// resolveBy is the host's resolv.conf(5) with other servers.
func resolveBy(servers []netip.Addr, host []byte) (text []byte) {
	for _, s := range servers {
		text = fmt.Appendf(text, "nameserver %v\n", s)
	}
	for line := range bytes.Lines(host) {
		w := bytes.Fields(line)
		if len(w) > 0 && (string(w[0]) == "search" || string(w[0]) == "domain" || string(w[0]) == "options") {
			text = append(append(text, bytes.Join(w, []byte(" "))...), '\n')
		}
	}
	return text
}
