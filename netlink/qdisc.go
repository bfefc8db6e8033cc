package netlink

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Queueing disciplines: struct tcmsg and TCA_… attributes (tc_fill_qdisc,
// net/sched/sch_api.c), as far as tc qdisc show needs them to name the disciplines and
// their counts. Their parameters are told and set by the language of tc
// (core/qdisc).

// qdiscNode is a discipline of an interface; its node is zero for the plain queue.
type qdiscNode struct {
	ifc  *core.Interface
	node core.QdiscNode
}

func writeQdisc(w *writer, x qdiscNode) {
	w.u8(0, 0, 0, 0)
	w.u32(uint32(x.ifc.Index()))
	w.u32(uint32(x.node.Handle))
	parent := core.QdiscRoot
	if x.node.Qdisc != nil {
		parent = x.node.Parent
	}
	w.u32(uint32(parent))
	w.u32(2) // who refers to it
	if x.node.Qdisc == nil {
		w.text(tcaKind, "noqueue")
	} else {
		w.text(tcaKind, x.node.Qdisc.Config().Kind())
	}
	c := x.node.Counts
	at := w.nest(tcaStats2)
	w.header(tcaStatsBasic, 16)
	w.u64(c.Bytes)
	w.u32(uint32(c.Packets))
	w.u32(0)
	w.header(tcaStatsQueue, 20)
	for _, v := range [...]uint64{uint64(x.node.Len), uint64(x.node.Backlog), c.Dropped, c.Requeues, c.Overlimits} {
		w.u32(uint32(v))
	}
	w.endNest(at)
}

// dumpQdiscs tells of the disciplines of all interfaces, or of one.
func (r *request) dumpQdiscs() (*dump, error) {
	index := int(int32(binary.NativeEndian.Uint32(r.fixed[4:])))
	if index != 0 && r.in.InterfaceByIndex(index) == nil {
		return nil, refuse(syscall.ENODEV, "there is no interface with that index")
	}
	var list []qdiscNode
	for _, ifc := range r.in.Interfaces() {
		if index != 0 && ifc.Index() != index {
			continue
		}
		nodes := ifc.Qdiscs()
		if len(nodes) == 0 {
			list = append(list, qdiscNode{ifc: ifc})
		}
		for _, n := range nodes {
			list = append(list, qdiscNode{ifc, n})
		}
	}
	return listOf(list, func(w *writer, begin func(uint16), x qdiscNode) {
		begin(newQdisc)
		writeQdisc(w, x)
	}), nil
}
