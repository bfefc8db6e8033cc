package netlink

import (
	"strconv"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Settings of interfaces as ip netconf has them: struct netconfmsg and NETCONFA_…
// attributes (inet_netconf_fill_devconf, net/ipv4/devinet.c; inet6_netconf_fill_devconf,
// net/ipv6/addrconf.c).

const (
	netconfIfindex    = 1
	netconfForwarding = 2
	netconfRPFilter   = 3
	netconfMulticast  = 4
	netconfProxy      = 5
	netconfLinkdown   = 6

	leastMTU6 = 1280 // of a link with IPv6

	netconfAll     = -1
	netconfDefault = -2
)

// netconf is the settings of one interface, or of all and default, for a family.
type netconf struct {
	family uint8
	index  int
	name   string
}

func writeNetconf(w *writer, in *core.Instance, x netconf) {
	w.u8(x.family)
	w.pad()
	w.attr32(netconfIfindex, uint32(int32(x.index)))
	tree := "net.ipv4.conf."
	if x.family == afInet6 {
		tree = "net.ipv6.conf."
	}
	for _, s := range [...]struct {
		attr int
		name string
		only uint8 // 0: both families
	}{{netconfForwarding, "forwarding", 0}, {netconfRPFilter, "rp_filter", afInet}, {netconfMulticast, "mc_forwarding", 0},
		{netconfProxy, "proxy_ndp", afInet6}, {netconfProxy, "proxy_arp", afInet}, {netconfLinkdown, "ignore_routes_with_linkdown", 0}} {
		if s.only != 0 && s.only != x.family {
			continue
		}
		v := 0 // of what the stack does not do
		if text, err := in.SysctlLocked(tree + x.name + "." + s.name); err == nil {
			v, _ = strconv.Atoi(text)
		}
		w.attr32(s.attr, uint32(v))
	}
}

// netconfs are those of a family.
func (r *request) netconfs(family uint8) (list []netconf) {
	if !serves(r.in, family) {
		return nil
	}
	for _, ifc := range r.in.Interfaces() {
		list = append(list, netconf{family, ifc.Index(), ifc.Name()})
	}
	return append(list, netconf{family, netconfAll, "all"}, netconf{family, netconfDefault, "default"})
}

func (r *request) dumpNetconf() (*dump, error) {
	var list []netconf
	for _, f := range [...]uint8{afInet, afInet6} {
		if r.family() == afUnspec || r.family() == f {
			list = append(list, r.netconfs(f)...)
		}
	}
	return listOf(list, func(w *writer, begin func(uint16), x netconf) {
		begin(newNetconf)
		writeNetconf(w, r.in, x)
	}), nil
}

func (r *request) getNetconf() error {
	if r.family() != core.AFInet && r.family() != core.AFInet6 {
		return refuse(syscall.EOPNOTSUPP, "there are no settings of that family")
	}
	if !r.attrs.has(netconfIfindex) {
		return refuse(syscall.EINVAL, "the request names no interface")
	}
	index, err := r.attrs.u32(netconfIfindex)
	if err != nil {
		return err
	}
	for _, x := range r.netconfs(r.family()) {
		if x.index == int(int32(index)) {
			return r.answer(func(w *writer) {
				w.begin(newNetconf, 0, r.seq, r.pid)
				writeNetconf(w, r.in, x)
				w.end()
			})
		}
	}
	return refuse(syscall.ENODEV, "there is no interface with that index")
}

// tellNetconf tells of the settings of an interface that came, or that they are gone.
func (t *transport) tellNetconf(ifc *core.Interface, gone bool) {
	for _, x := range [...]struct {
		family uint8
		group  uint32
	}{{afInet, groupNetconf4}, {afInet6, groupNetconf6}} {
		if !serves(t.in, x.family) || x.family == afInet6 && ifc.MTU() < leastMTU6 {
			continue
		}
		typ, write := uint16(newNetconf), func(w *writer) { writeNetconf(w, t.in, netconf{x.family, ifc.Index(), ifc.Name()}) }
		if gone {
			typ, write = delNetconf, func(w *writer) {
				w.u8(x.family)
				w.pad()
				w.attr32(netconfIfindex, uint32(ifc.Index()))
			}
		}
		t.tell(typ, x.group, write)
	}
}
