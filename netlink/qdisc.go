package netlink

import (
	"errors"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Queueing disciplines: struct tcmsg and TCA_… attributes (tc_fill_qdisc,
// tc_modify_qdisc, tc_get_qdisc: net/sched/sch_api.c). What the disciplines' own
// options are as bytes is in qdisc_options.go.

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
	refers := uint32(1)
	if parent == core.QdiscRoot {
		refers = 2
	}
	w.u32(refers)
	c := x.node.Counts
	if x.node.Qdisc == nil {
		w.text(tcaKind, "noqueue")
	} else {
		config := x.node.Qdisc.Config()
		w.text(tcaKind, config.Kind())
		writeQdiscOptions(w, config.Kind(), config.Fields())
	}
	w.attr8(tcaHWOffload, 0)
	queue := [...]uint64{uint64(x.node.Len), uint64(x.node.Backlog), c.Dropped, c.Requeues, c.Overlimits}
	at := w.nest(tcaStats2)
	w.header(tcaStatsBasic, 16)
	w.u64(c.Bytes)
	w.u32(uint32(c.Packets))
	w.u32(0)
	w.header(tcaStatsQueue, 4*len(queue))
	for _, v := range queue {
		w.u32(uint32(v))
	}
	var extra []byte
	if x.node.Qdisc != nil {
		extra = qdiscStats(x.node.Qdisc.Config().Kind(), x.node.Qdisc.Details())
	}
	if extra != nil {
		w.attr(tcaStatsApp, extra)
	}
	w.endNest(at)
	w.header(tcaStats, 40) // struct tc_stats, for old programs
	w.u64(c.Bytes)
	for _, v := range [...]uint64{c.Packets, c.Dropped, c.Overlimits, 0, 0, queue[0], queue[1]} {
		w.u32(uint32(v))
	}
	w.zeros(4)
	if extra != nil {
		w.attr(tcaXStats, extra)
	}
}

// dumpQdiscs tells of the disciplines of all interfaces, or of one.
func (r *request) dumpQdiscs() (*dump, error) {
	index := int(int32(r.u32At(4)))
	if index != 0 && r.in.InterfaceByIndex(index) == nil {
		return nil, refuse(syscall.ENODEV, "there is no interface with that index")
	}
	var list []qdiscNode
	for _, ifc := range r.in.Interfaces() {
		if index != 0 && ifc.Index() != index {
			continue
		}
		nodes := ifc.Qdiscs()
		if len(nodes) == 0 && ifc.Activated() {
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

// qdiscPlace is what a request says of a discipline: where, and what is there.
type qdiscPlace struct {
	ifc            *core.Interface
	handle, parent core.QdiscHandle
	kind           string // "" if the request does not say
	old            *core.QdiscNode
	plain          bool // the place is the root, where no discipline is
}

// lookup is the discipline with a handle, nil if there is none.
func lookup(ifc *core.Interface, h core.QdiscHandle) *core.QdiscNode {
	for _, n := range ifc.Qdiscs() {
		if n.Handle.Major() == h.Major() && h != 0 {
			return &n
		}
	}
	return nil
}

func (r *request) qdiscPlace() (x qdiscPlace, err error) {
	if x.ifc = r.in.InterfaceByIndex(int(int32(r.u32At(4)))); x.ifc == nil {
		return x, refuse(syscall.ENODEV, "there is no interface with that index")
	}
	x.handle, x.parent = core.QdiscHandle(r.u32At(8)), core.QdiscHandle(r.u32At(12))
	if x.kind, _, err = r.attrs.text(tcaKind, 15); err != nil {
		return x, err
	}
	switch x.parent {
	case 0:
		x.old = lookup(x.ifc, x.handle)
		if x.old != nil {
			x.parent = x.old.Parent
		}
		return x, nil
	case ingressPlace:
		return x, refuse(syscall.EOPNOTSUPP, "there are no disciplines for what comes in")
	case core.QdiscRoot:
		nodes := x.ifc.Qdiscs()
		if x.plain = len(nodes) == 0; !x.plain {
			x.old = &nodes[0]
		}
		return x, nil
	}
	if lookup(x.ifc, x.parent) == nil {
		return x, refuse(syscall.ENOENT, "there is no discipline with that class")
	}
	for _, n := range x.ifc.Qdiscs() {
		if n.Parent != core.QdiscRoot && n.Parent.Major() == x.parent.Major() {
			x.old = &n
		}
	}
	return x, nil
}

// changeQdisc is RTM_NEWQDISC: it makes a discipline or changes the one that is there.
func (r *request) changeQdisc() error {
	x, err := r.qdiscPlace()
	if err != nil {
		return err
	}
	set := func(flags uint16) bool { return r.flags&flags == flags }
	named := x.parent != 0 && core.QdiscHandle(r.u32At(12)) != 0
	switch old := x.old; {
	case !named && x.handle == 0:
		return refuse(syscall.EINVAL, "the request names no place")
	case !named && old == nil:
		return refuse(syscall.ENOENT, "there is no discipline with that handle")
	case x.handle&0xffff != 0:
		return refuse(syscall.EINVAL, "a discipline's handle has no minor number")
	case named && (old == nil || old.Handle == 0), named && x.handle != 0 && old.Handle != x.handle:
		if old != nil && old.Handle != 0 && !set(flagReplace) {
			return refuse(syscall.EEXIST, "there is another discipline at that place")
		}
		if other := lookup(x.ifc, x.handle); other != nil {
			if set(flagExcl) {
				return refuse(syscall.EEXIST, "the handle is another discipline's")
			}
			return refuse(syscall.EINVAL, "a discipline stays at its place")
		}
		return r.makeQdisc(&x)
	case named && x.handle == 0 && set(flagCreate|flagReplace) && (set(flagExcl) || x.kind != "" && x.kind != old.Qdisc.Config().Kind()):
		return r.makeQdisc(&x)
	case named && x.handle == 0 && r.flags&(flagCreate|flagReplace|flagExcl) == 0 && x.kind != "" && x.kind != old.Qdisc.Config().Kind():
		return r.placeQdisc(&x) // a change to another kind makes that one (net/sched/sch_api.c, tc_modify_qdisc)
	case set(flagExcl):
		return refuse(syscall.EEXIST, "there is a discipline at that place")
	case x.kind != "" && x.kind != old.Qdisc.Config().Kind():
		return refuse(syscall.EINVAL, "the discipline there is of another kind")
	}
	kind := r.in.Wiring().Qdisc(x.old.Qdisc.Config().Kind())
	if kind == nil {
		return refuse(syscall.EOPNOTSUPP, "the discipline cannot be changed")
	}
	config, err := r.qdiscConfig(kind, x.old.Qdisc.Config())
	if err == nil {
		err = config.Check()
	}
	if err == nil {
		err = x.old.Qdisc.Change(config)
	}
	if err != nil {
		return explain(err)
	}
	x.ifc.ResumeQdiscs()
	r.toldQdisc(&x)
	return nil
}

// qdiscConfig reads TCA_OPTIONS, of what changes a discipline with what it has.
func (r *request) qdiscConfig(kind *core.QdiscKind, old core.QdiscConfig) (core.QdiscConfig, error) {
	var words []string
	if o, ok := r.attrs.find(tcaOptions); ok {
		var err error
		if words, err = qdiscWords(kind.Name, o); err != nil {
			return nil, err
		}
	}
	return kind.Parse(words, old)
}

func (r *request) makeQdisc(x *qdiscPlace) error {
	if r.flags&flagCreate == 0 {
		return refuse(syscall.ENOENT, "there is no discipline at that place")
	}
	return r.placeQdisc(x)
}

// placeQdisc puts a new discipline at a place.
func (r *request) placeQdisc(x *qdiscPlace) error {
	if x.kind == "noqueue" && x.parent == core.QdiscRoot {
		if err := x.ifc.SetQdiscLocked(); err != nil {
			return explain(err)
		}
		x.old = nil
		r.toldQdisc(x)
		return nil
	}
	kind := r.in.Wiring().Qdisc(x.kind)
	if kind == nil {
		return refuse(syscall.ENOENT, "there is no discipline of that kind")
	}
	config, err := r.qdiscConfig(kind, nil)
	if err == nil {
		err = x.ifc.PutQdisc(x.parent, x.handle, config)
	}
	if err != nil {
		return explain(err)
	}
	r.toldQdisc(x)
	return nil
}

// removeQdisc is RTM_DELQDISC.
func (r *request) removeQdisc() error {
	x, err := r.qdiscNamed()
	switch {
	case err != nil:
		return err
	case r.u32At(12) == 0:
		return refuse(syscall.EINVAL, "the request names no place")
	case x.plain || x.old.Handle == 0:
		return refuse(syscall.ENOENT, "a discipline that the interface has by itself stays")
	}
	gone := qdiscNode{x.ifc, *x.old}
	w := &writer{}
	writeQdisc(w, gone)
	if err := x.ifc.DropQdisc(x.parent); err != nil {
		return explain(err)
	}
	r.e.t.tell(delQdisc, groupTC, func(out *writer) { out.b = append(out.b, w.b...) })
	return nil
}

// getQdisc tells of one discipline.
func (r *request) getQdisc() error {
	x, err := r.qdiscNamed()
	if err != nil {
		return err
	}
	node := qdiscNode{ifc: x.ifc}
	if x.old != nil {
		node.node = *x.old
	}
	return r.answer(func(w *writer) {
		w.begin(newQdisc, 0, r.seq, r.pid)
		writeQdisc(w, node)
		w.end()
	})
}

// qdiscNamed is a place where there is a discipline, or the plain queue.
func (r *request) qdiscNamed() (x qdiscPlace, err error) {
	if x, err = r.qdiscPlace(); err != nil {
		return x, err
	}
	switch {
	case x.old == nil && !x.plain:
		return x, refuse(syscall.ENOENT, "there is no such discipline")
	case x.old != nil && x.handle != 0 && x.old.Handle != x.handle || x.old == nil && x.handle != 0:
		return x, refuse(syscall.EINVAL, "the discipline there has another handle")
	case x.kind != "" && x.old != nil && x.kind != x.old.Qdisc.Config().Kind():
		return x, refuse(syscall.EINVAL, "the discipline there is of another kind")
	}
	return x, nil
}

// toldQdisc tells the group what is at a place now.
func (r *request) toldQdisc(x *qdiscPlace) {
	node := qdiscNode{ifc: x.ifc}
	for _, n := range x.ifc.Qdiscs() {
		if n.Parent == x.parent || x.parent != core.QdiscRoot && n.Parent != core.QdiscRoot && n.Parent.Major() == x.parent.Major() {
			node.node = n
			break
		}
	}
	r.e.t.tell(newQdisc, groupTC, func(w *writer) { writeQdisc(w, node) })
}

// explain keeps the words of an error of the core beside its errno.
func explain(err error) error {
	var told *refusal
	if errors.As(err, &told) {
		return err
	}
	errno := syscall.EINVAL
	_ = errors.As(err, &errno)
	return refuse(errno, err.Error())
}
