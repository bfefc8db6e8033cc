package netlink

import "syscall"

// Numbers of network namespaces: struct rtgenmsg and NETNSA_… attributes
// (rtnl_net_getid, net/core/net_namespace.c). An instance is a namespace that has given no
// other a number.

const (
	newNSID = 88
	getNSID = 90

	netnsaNSID = 1
	netnsaPID  = 2
	netnsaFD   = 3

	notAssigned = 1<<32 - 1 // NETNSA_NSID_NOT_ASSIGNED
)

func (r *request) getNamespace() error {
	switch {
	case r.attrs.has(netnsaPID), r.attrs.has(netnsaFD):
		return r.answer(func(w *writer) {
			w.begin(newNSID, 0, r.seq, r.pid)
			w.u32(0)
			w.attr32(netnsaNSID, notAssigned)
			w.end()
		})
	case r.attrs.has(netnsaNSID):
		return refuse(syscall.ENOENT, "no namespace has a number here")
	}
	return refuse(syscall.EINVAL, "the request names no namespace")
}

func (r *request) dumpNamespaces() (*dump, error) { return none(), nil }
