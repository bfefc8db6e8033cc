package netlink

import (
	"encoding/binary"
	"slices"
	"strconv"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Neighbour tables as ip ntable has them: struct ndtmsg and NDTA_… attributes
// (neightbl_fill_info, neightbl_set, net/core/neighbour.c). A family has a table, with
// parameters for each interface and those that new interfaces begin with.

const (
	newNeighTbl = 64
	getNeighTbl = 66
	setNeighTbl = 67

	ndtaName       = 1
	ndtaThresh1    = 2
	ndtaThresh2    = 3
	ndtaThresh3    = 4
	ndtaConfig     = 5
	ndtaParms      = 6
	ndtaGCInterval = 8

	ndtpaIfindex       = 1
	ndtpaRefcnt        = 2
	ndtpaReachable     = 3
	ndtpaBaseReachable = 4
	ndtpaRetrans       = 5
	ndtpaGCStale       = 6
	ndtpaDelayProbe    = 7
	ndtpaQueueLen      = 8
	ndtpaAppProbes     = 9
	ndtpaUcastProbes   = 10
	ndtpaMcastProbes   = 11
	ndtpaAnycastDelay  = 12
	ndtpaProxyDelay    = 13
	ndtpaProxyQlen     = 14
	ndtpaLocktime      = 15
	ndtpaQueueBytes    = 16

	mostNeighbours = 1024 // of one interface: what Linux has as gc_thresh3
)

// neighTable is the table of a family, or what an interface has of it.
type neighTable struct {
	family uint8
	ifc    *core.Interface // nil for what new interfaces begin with
}

func (x neighTable) name() string {
	if x.family == afInet6 {
		return "ndisc_cache"
	}
	return "arp_cache"
}

// setting is the name of a parameter among the settings.
func (x neighTable) setting(name string) string {
	tree, dev := "net.ipv4.neigh.", "default"
	if x.family == afInet6 {
		tree = "net.ipv6.neigh."
	}
	if x.ifc != nil {
		dev = x.ifc.Name()
	}
	return tree + dev + "." + name
}

// neighParam is a parameter with its setting: times are told in milliseconds.
type neighParam struct {
	attr    int
	setting string
	unit    uint64 // milliseconds of the setting's unit, 0 for what is no time
}

func neighParams() [7]neighParam {
	return [...]neighParam{
		{ndtpaBaseReachable, "base_reachable_time_ms", 1}, {ndtpaRetrans, "retrans_time_ms", 1},
		{ndtpaGCStale, "gc_stale_time", 1000}, {ndtpaDelayProbe, "delay_first_probe_time", 1000},
		{ndtpaQueueLen, "unres_qlen", 0}, {ndtpaUcastProbes, "ucast_solicit", 0}, {ndtpaMcastProbes, "mcast_solicit", 0},
	}
}

// fixedParam is one that nobody can change here, with Linux's value.
type fixedParam struct {
	attr  int
	value uint64
	time  bool
}

func (x neighTable) fixed() [5]fixedParam {
	lock := uint64(1000)
	if x.family == afInet6 {
		lock = 0
	}
	return [...]fixedParam{{ndtpaAppProbes, 0, false}, {ndtpaAnycastDelay, 1000, true}, {ndtpaProxyDelay, 800, true},
		{ndtpaProxyQlen, 64, false}, {ndtpaLocktime, lock, true}}
}

func writeNeighTable(w *writer, in *core.Instance, x neighTable) {
	w.u8(x.family, 0, 0, 0)
	w.text(ndtaName, x.name())
	if x.ifc == nil {
		entries := 0
		for _, ifc := range in.Interfaces() {
			for _, n := range ifc.Neighbours() {
				if familyOf(n.Addr) == x.family {
					entries++
				}
			}
		}
		w.attr64(ndtaGCInterval, 30000)
		w.attr32(ndtaThresh1, mostNeighbours/8)
		w.attr32(ndtaThresh2, mostNeighbours/2)
		w.attr32(ndtaThresh3, mostNeighbours)
		length := uint16(4)
		if x.family == afInet6 {
			length = 16
		}
		w.header(ndtaConfig, 32)
		w.u16(length)
		w.u16(0)
		w.u32(uint32(entries))
		w.zeros(24)
	}
	at := w.nest(ndtaParms)
	if x.ifc != nil {
		w.attr32(ndtpaIfindex, uint32(x.ifc.Index()))
	}
	w.attr32(ndtpaRefcnt, 1)
	for _, p := range neighParams() {
		text, _ := in.SysctlLocked(x.setting(p.setting)) // there is one where there is the family
		v, _ := strconv.ParseUint(text, 10, 32)
		if p.unit == 0 {
			w.attr32(p.attr, uint32(v))
			continue
		}
		w.attr64(p.attr, v*p.unit)
		if p.attr == ndtpaBaseReachable {
			w.attr64(ndtpaReachable, v) // which each neighbour draws around it for itself
		}
	}
	for _, p := range x.fixed() {
		if p.time {
			w.attr64(p.attr, p.value)
		} else {
			w.attr32(p.attr, uint32(p.value))
		}
	}
	w.endNest(at)
}

// neighTables are those of a family: the newest interface's first, as Linux lists them.
func (r *request) neighTables(family uint8) (list []neighTable) {
	for _, f := range [...]uint8{afInet, afInet6} {
		if family != afUnspec && family != f || !serves(r.in, f) {
			continue
		}
		list = append(list, neighTable{f, nil})
		for _, ifc := range slices.Backward(r.in.Interfaces()) {
			list = append(list, neighTable{f, ifc})
		}
	}
	return list
}

func (r *request) dumpNeighTables() (*dump, error) {
	return listOf(r.neighTables(r.family()), func(w *writer, begin func(uint16), x neighTable) {
		begin(newNeighTbl)
		writeNeighTable(w, r.in, x)
	}), nil
}

// setNeighTable is RTM_SETNEIGHTBL (ip ntable change).
func (r *request) setNeighTable() error {
	name, has, err := r.attrs.text(ndtaName, 15)
	switch {
	case err != nil:
		return err
	case !has:
		return refuse(syscall.EINVAL, "the request names no table")
	}
	for _, typ := range [...]int{ndtaThresh1, ndtaThresh2, ndtaThresh3, ndtaGCInterval} {
		if x, ok := r.attrs.find(typ); ok {
			return refuseAt(x.at, syscall.ENOENT, "how many neighbours there may be is fixed")
		}
	}
	var params attributes
	x, ok := r.attrs.find(ndtaParms)
	if ok {
		if params, err = parseAttributes(x.data, x.at+4); err != nil {
			return err
		}
	}
	index, err := params.u32(ndtpaIfindex)
	if err != nil {
		return err
	}
	for _, t := range r.neighTables(r.family()) {
		if t.name() != name || t.ifc == nil && index != 0 || t.ifc != nil && t.ifc.Index() != int(int32(index)) {
			continue
		}
		return r.setNeighParams(t, params)
	}
	return refuse(syscall.ENOENT, "there is no such table")
}

func (r *request) setNeighParams(t neighTable, params attributes) error {
	for _, p := range t.fixed() {
		v, has, err := params.number(p.attr, p.time)
		if err == nil && has && v != p.value {
			err = refuse(syscall.EOPNOTSUPP, "the parameter is fixed")
		}
		if err != nil {
			return err
		}
	}
	if x, ok := params.find(ndtpaQueueBytes); ok {
		return refuseAt(x.at, syscall.EOPNOTSUPP, "what waits for a neighbour is counted in packets")
	}
	for _, p := range neighParams() {
		v, has, err := params.number(p.attr, p.unit != 0)
		if err == nil && has {
			err = r.in.SetSysctlLocked(t.setting(p.setting), strconv.FormatUint(v/max(p.unit, 1), 10))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// number is an attribute of four bytes, or of eight if it is long.
func (a attributes) number(typ int, long bool) (uint64, bool, error) {
	x, ok := a.find(typ)
	if !ok || !long {
		v, err := a.u32(typ)
		return uint64(v), ok, err
	}
	if len(x.data) < 8 {
		return 0, true, refuseAt(x.at, syscall.EINVAL, "attribute is shorter than its eight bytes")
	}
	return binary.NativeEndian.Uint64(x.data), true, nil
}
