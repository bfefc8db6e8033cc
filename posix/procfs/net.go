package procfs

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
)

// netFiles are the files of /proc/net by their names. Each renders inside an entry.
func netFiles() map[string]func(*page) {
	return map[string]func(*page){
		"dev": (*page).dev, "dev_mcast": (*page).devMulticast, "arp": (*page).arp, "if_inet6": (*page).ifInet6,
		"igmp": (*page).igmp, "igmp6": (*page).igmp6, "ptype": (*page).packetTypes, "psched": (*page).clock,
		"route": (*page).route, "ipv6_route": (*page).route6, "rt6_stats": (*page).routeStats6, "rt_cache": (*page).routeCache,
		"tcp": (*page).tcp, "tcp6": (*page).tcp6, "udp": (*page).udp, "udp6": (*page).udp6,
		"udplite": (*page).udpLite, "udplite6": (*page).udpLite6, "raw": (*page).raw, "raw6": (*page).raw6,
		"icmp": (*page).icmp, "icmp6": (*page).icmp6, "packet": (*page).packet, "netlink": (*page).netlink, "unix": (*page).unix,
		"protocols": (*page).protocols, "sockstat": (*page).sockstat, "sockstat6": (*page).sockstat6,
		"snmp": (*page).snmp, "snmp6": (*page).snmp6, "netstat": (*page).netstat,
		"mcfilter": (*page).multicastFilter, "mcfilter6": (*page).multicastFilter6, "anycast6": func(*page) {},
		"fib_trie": (*page).trie, "softnet_stat": (*page).softnet,
	}
}

// page is a file in the making.
type page struct {
	bytes.Buffer
	in       *core.Instance
	counters []core.Counters
	sockets  []core.SocketEntry // all of the instance
}

// netFile finds a file of /proc/net.
func (f *FS) netFile(parts []string) (*Node, error) {
	files := netFiles()
	switch len(parts) {
	case 0:
		return directory(func() []string {
			return slices.DeleteFunc(slices.Collect(maps.Keys(files)), func(name string) bool { return !f.has(name) })
		}), nil
	case 1:
	default:
		if files[parts[0]] != nil {
			return nil, syscall.ENOTDIR
		}
		return nil, syscall.ENOENT
	}
	render := files[parts[0]]
	if render == nil || !f.has(parts[0]) {
		return nil, syscall.ENOENT
	}
	return &Node{Mode: 0o444, read: func() ([]byte, error) {
		p := page{in: f.in, counters: f.in.Counters()}
		f.in.Domain().Do(func() {
			p.sockets = f.in.SocketEntries()
			render(&p)
		})
		return p.Bytes(), nil
	}}, nil
}

// has tells whether the instance has what a file is about.
func (f *FS) has(name string) (ok bool) {
	f.in.Domain().Do(func() { ok = has(f.in.Wiring(), name) })
	return ok
}

func has(w *core.Wiring, name string) bool {
	of4, six := strings.CutSuffix(name, "6")
	six = six || name == "ipv6_route" || name == "rt6_stats"
	if six && !hasFamily(w, core.AFInet6) {
		return false
	}
	switch name {
	case "arp", "route", "igmp", "rt_cache", "mcfilter", "icmp", "fib_trie":
		return hasFamily(w, core.AFInet)
	}
	switch of4 {
	case "tcp", "udp", "udplite", "raw", "packet", "netlink":
		return slices.ContainsFunc(w.Protocols, func(p core.ProtocolEntry) bool { return p.Protocol.Name == of4 })
	}
	return true
}

func hasFamily(w *core.Wiring, family int) bool {
	return slices.ContainsFunc(w.Networks, func(n core.NetworkEntry) bool { return n.Network.Family == family })
}
