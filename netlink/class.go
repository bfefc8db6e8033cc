package netlink

import "github.com/libos-go/libos/core"

// getChain is RTM_GETCHAIN.
const getChain = 102

// dumpClasses tells of the classes of an interface: each discipline with a child has
// the one that the child hangs in (tc_fill_tclass, net/sched/sch_api.c; tbf_dump_class,
// red_dump_class, netem_dump_class).
func (r *request) dumpClasses() (*dump, error) {
	ifc := r.in.InterfaceByIndex(int(int32(r.u32At(4))))
	if ifc == nil {
		return none(), nil
	}
	nodes := ifc.Qdiscs()
	return listOf(nodes, func(w *writer, begin func(uint16), x core.QdiscNode) {
		if _, ok := x.Qdisc.(core.QdiscParent); !ok {
			return
		}
		leaf := core.QdiscHandle(0)
		for _, n := range nodes {
			if n.Parent.Major() == x.Handle.Major() && n.Parent != core.QdiscRoot {
				leaf = n.Handle
			}
		}
		begin(newTclass)
		w.u8(0, 0, 0, 0)
		w.u32(uint32(ifc.Index()))
		w.u32(uint32(x.Handle) | 1)
		w.u32(uint32(x.Handle))
		w.u32(uint32(leaf))
		w.text(tcaKind, x.Qdisc.Config().Kind())
	}), nil
}

// dumpFilters tells of filters and chains, which interfaces have none of.
func (r *request) dumpFilters() (*dump, error) { return none(), nil }
