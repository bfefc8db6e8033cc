package netlink

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Rules of policy routing: struct fib_rule_hdr and FRA_… attributes (net/core/fib_rules.c,
// net/ipv4/fib_rules.c, net/ipv6/fib6_rules.c).

const (
	fraDst        = 1
	fraSrc        = 2
	fraIifname    = 3
	fraGoto       = 4
	fraFwmark     = 10
	fraFlow       = 11
	fraTunID      = 12
	fraGroup      = 13 // FRA_SUPPRESS_IFGROUP
	fraFwmask     = 16
	fraOifname    = 17
	fraL3mdev     = 19
	fraUIDRange   = 20
	fraIPProto    = 22
	fraSportRange = 23
	fraDportRange = 24
	fraDSCP       = 25
	fraFlowlabel  = 26
	fraLastMask   = 30 // FRA_DSCP_MASK; those from fraFlowlabel on choose by parts

	ruleInvert      = 0x2  // FIB_RULE_INVERT
	ruleUnresolved  = 0x4  // FIB_RULE_UNRESOLVED
	ruleIifDetached = 0x8  // FIB_RULE_IIF_DETACHED
	ruleOifDetached = 0x10 // FIB_RULE_OIF_DETACHED
	rulePermanent   = 0x1  // FIB_RULE_PERMANENT
	tableCompat     = 252  // RT_TABLE_COMPAT: the number is in an attribute
	nameLength      = 16   // IFNAMSIZ
	tosBits         = 0xff &^ 3
)

// writeRule writes a rule as an open message (fib_nl_fill_rule).
func writeRule(w *writer, in *core.Instance, r *core.Rule) {
	flags := uint32(0)
	if r.Not {
		flags |= ruleInvert
	}
	if r.Action == core.RuleGoto && !leadsOn(in, r) {
		flags |= ruleUnresolved
	}
	for _, x := range [...]struct {
		name string
		flag uint32
	}{{r.In, ruleIifDetached}, {r.Out, ruleOifDetached}} {
		if x.name != "" && !named(in, x.name) {
			flags |= x.flag
		}
	}
	family := uint8(afInet)
	if r.V6 {
		family = afInet6
	}
	w.u8(family, r.Dst.Bits, r.Src.Bits, r.TOS, shortTable(r.Table), 0, 0, uint8(r.Action))
	w.u32(flags)
	w.attr32(fraTable, r.Table)
	suppress := uint32(noSuppress)
	if r.HasSuppress {
		suppress = uint32(r.Suppress)
	}
	w.attr32(fraSuppress, suppress)
	w.attr8(fraProtocol, uint8(r.By))
	if r.In != "" {
		w.text(fraIifname, r.In)
	}
	if r.Out != "" {
		w.text(fraOifname, r.Out)
	}
	if r.Priority != 0 {
		w.attr32(fraPriority, r.Priority)
	}
	if r.Mark != 0 {
		w.attr32(fraFwmark, r.Mark)
	}
	if r.MarkMask != 0 || r.Mark != 0 {
		w.attr32(fraFwmask, r.MarkMask)
	}
	if r.Goto != 0 {
		w.attr32(fraGoto, r.Goto)
	}
	for _, x := range [...]struct {
		typ   int
		ports core.RulePorts
	}{{fraSportRange, r.SrcPorts}, {fraDportRange, r.DstPorts}} {
		if x.ports != (core.RulePorts{}) {
			w.header(x.typ, 4)
			w.u16(x.ports.First)
			w.u16(x.ports.Last)
		}
	}
	if r.Protocol != 0 {
		w.attr8(fraIPProto, r.Protocol)
	}
	if r.Dst.Bits != 0 {
		w.addr(fraDst, r.Dst.Addr)
	}
	if r.Src.Bits != 0 {
		w.addr(fraSrc, r.Src.Addr)
	}
}

// shortTable is a table's number in a header.
func shortTable(table uint32) uint8 {
	if table < 256 {
		return uint8(table)
	}
	return tableCompat
}

// leadsOn tells whether there is a rule that a goto goes on with.
func leadsOn(in *core.Instance, r *core.Rule) bool {
	for _, x := range in.Rules(r.V6) {
		if x.Priority == r.Goto {
			return true
		}
	}
	return false
}

func named(in *core.Instance, name string) bool {
	for _, ifc := range in.Interfaces() {
		if ifc.Name() == name {
			return true
		}
	}
	return false
}

// RuleChanged implements core.RuleWatcher.
func (t *transport) RuleChanged(r *core.Rule, gone bool) {
	if len(t.sockets) == 0 {
		return
	}
	typ, group := uint16(newRule), uint32(groupIPv4Rule)
	if gone {
		typ = delRule
	}
	if r.V6 {
		group = groupIPv6Rule
	}
	t.tell(typ, group, func(w *writer) { writeRule(w, t.in, r) })
}

// dumpRules tells of the rules of a family. A strict request says nothing else
// (fib_valid_dumprule_req).
func (r *request) dumpRules() (*dump, error) {
	if r.e.strict {
		for _, b := range r.fixed[1:] {
			if b != 0 {
				return nil, refuse(syscall.EINVAL, "rules are listed without a filter")
			}
		}
		if len(r.attrs) > 0 {
			return nil, refuseAt(r.attrs[0].at, syscall.EINVAL, "rules are listed without a filter")
		}
	}
	family := r.family()
	if family != afUnspec && (family != afInet && family != afInet6 || !serves(r.in, family)) {
		return nil, refuse(syscall.EAFNOSUPPORT, "no rule is of that family")
	}
	var list []core.Rule
	for _, f := range [...]uint8{afInet, afInet6} {
		if (family == afUnspec || family == f) && serves(r.in, f) {
			list = append(list, r.in.Rules(f == afInet6)...)
		}
	}
	return listOf(list, func(w *writer, begin func(uint16), x core.Rule) {
		begin(newRule)
		writeRule(w, r.in, &x)
	}), nil
}

// rule is what a request says of a rule (fib_nl2rule).
func (r *request) rule() (x core.Rule, err error) {
	family := r.family()
	if family != afInet && family != afInet6 || !serves(r.in, family) {
		return x, refuse(syscall.EAFNOSUPPORT, "no rule is of that family")
	}
	for _, no := range [...]struct {
		typ int
		why string
	}{{fraTunID, "no packet here comes out of a tunnel with a number"}, {fraFlow, "routes have no realms"},
		{fraUIDRange, "an instance does not know the users of its programs"}} {
		if a, ok := r.attrs.find(no.typ); ok {
			return x, refuseAt(a.at, syscall.EOPNOTSUPP, no.why)
		}
	}
	for _, a := range r.attrs {
		if a.typ >= fraFlowlabel && a.typ <= fraLastMask {
			return x, refuseAt(a.at, syscall.EOPNOTSUPP, "rules do not look at flow labels nor at parts of ports and DSCP")
		}
	}
	if a, ok := r.attrs.find(fraL3mdev); ok && len(a.data) > 0 && a.data[0] != 0 {
		return x, refuseAt(a.at, syscall.EOPNOTSUPP, "there are no devices with a routing table of their own")
	}
	if v, err := r.attrs.u32(fraGroup); err != nil {
		return x, err
	} else if r.attrs.has(fraGroup) && v != noSuppress {
		return x, refuse(syscall.EOPNOTSUPP, "interfaces have no groups")
	}
	x = core.Rule{V6: family == afInet6, Action: core.RuleAction(r.fixed[7])}
	x.Not = binary.NativeEndian.Uint32(r.fixed[8:])&ruleInvert != 0
	for _, p := range [...]struct {
		typ  int
		bits uint8
		to   *wire.Prefix
	}{{fraSrc, r.fixed[2], &x.Src}, {fraDst, r.fixed[1], &x.Dst}} {
		a, has, err := r.attrs.addr(p.typ, family)
		if err != nil {
			return x, err
		}
		if p.bits == 0 {
			continue
		}
		if !has || int(p.bits) > a.Bits() {
			return x, refuse(syscall.EINVAL, "a prefix has no address, or is longer than one")
		}
		*p.to = wire.Prefix{Addr: a, Bits: p.bits}.Masked()
	}
	if x.TOS = r.fixed[3]; x.TOS&^tosBits != 0 {
		return x, refuse(syscall.EINVAL, "the last two bits of a type of service are no part of it")
	}
	if a, ok := r.attrs.find(fraDSCP); ok {
		if len(a.data) < 1 || a.data[0] > 63 || x.TOS != 0 {
			return x, refuseAt(a.at, syscall.EINVAL, "DSCP is up to 63, and in place of a type of service")
		}
		x.TOS = a.data[0] << 2
	}
	if x.In, _, err = r.attrs.text(fraIifname, nameLength-1); err != nil {
		return x, err
	}
	if x.Out, _, err = r.attrs.text(fraOifname, nameLength-1); err != nil {
		return x, err
	}
	for _, v := range [...]struct {
		typ int
		to  *uint32
	}{{fraPriority, &x.Priority}, {fraGoto, &x.Goto}, {fraFwmark, &x.Mark}, {fraFwmask, &x.MarkMask}} {
		if *v.to, err = r.attrs.u32(v.typ); err != nil {
			return x, err
		}
	}
	if r.attrs.has(fraFwmark) && !r.attrs.has(fraFwmask) {
		x.MarkMask = forever
	}
	x.Table = uint32(r.fixed[4])
	if r.attrs.has(fraTable) {
		if x.Table, err = r.attrs.u32(fraTable); err != nil {
			return x, err
		}
	}
	suppress, err := r.attrs.u32(fraSuppress)
	if err != nil {
		return x, err
	}
	x.HasSuppress = r.attrs.has(fraSuppress) && suppress != noSuppress
	if x.HasSuppress {
		x.Suppress = int32(suppress)
	}
	if a, ok := r.attrs.find(fraProtocol); ok && len(a.data) > 0 {
		x.By = core.RouteProtocol(a.data[0])
	}
	if a, ok := r.attrs.find(fraIPProto); ok && len(a.data) > 0 {
		x.Protocol = a.data[0]
	}
	if x.SrcPorts, err = r.ports(fraSportRange); err != nil {
		return x, err
	}
	x.DstPorts, err = r.ports(fraDportRange)
	return x, err
}

// ports reads a range of ports (nla_get_port_range).
func (r *request) ports(typ int) (p core.RulePorts, err error) {
	a, ok := r.attrs.find(typ)
	if !ok {
		return p, nil
	}
	ne := binary.NativeEndian
	if len(a.data) < 4 {
		return p, refuseAt(a.at, syscall.EINVAL, "a range of ports has two ends")
	}
	if p = (core.RulePorts{First: ne.Uint16(a.data), Last: ne.Uint16(a.data[2:])}); p.First == 0 || p.Last == 0xffff || p.Last < p.First {
		return p, refuseAt(a.at, syscall.EINVAL, "a range of ports is from 1 to 65534, its first end first")
	}
	return p, nil
}

// addRule is RTM_NEWRULE (fib_nl_newrule).
func (r *request) addRule() error {
	x, err := r.rule()
	if err != nil {
		return err
	}
	if !r.attrs.has(fraPriority) {
		x.Priority = r.in.NextRulePriority(x.V6)
	}
	switch {
	case x.Action == core.RuleGoto && x.Goto <= x.Priority:
		return refuse(syscall.EINVAL, "a rule goes on with one behind it, not before")
	case x.Action != core.RuleGoto && x.Goto != 0:
		return refuse(syscall.EINVAL, "only a goto goes on with another rule")
	case x.Action == core.RuleToTable && x.Table == 0 && x.V6:
		return refuse(syscall.EINVAL, "the rule names no table")
	case x.Action == core.RuleToTable && x.Table == 0:
		if x.Table = r.unusedTable(); x.Table == 0 {
			return refuse(syscall.ENOBUFS, "there is no table that is not in use")
		}
	}
	if r.flags&flagExcl != 0 {
		for _, y := range r.in.Rules(x.V6) {
			if y.By = x.By; x == y { // who made it makes no other rule of it
				return refuse(syscall.EEXIST, "there is such a rule")
			}
		}
	}
	if err := r.in.AddRuleLocked(x); err != nil {
		return refuse(err.(syscall.Errno), "no rule is like that")
	}
	return nil
}

// unusedTable is a table without routes (fib_empty_table), 0 if all are in use.
func (r *request) unusedTable() uint32 {
	used := r.in.Tables(false)
	for id := uint32(1); id < tableCompat+4; id++ {
		free := id != tableDefault
		for _, u := range used {
			free = free && u != id
		}
		if free {
			return id
		}
	}
	return 0
}

// removeRule is RTM_DELRULE: what the request leaves open is not compared (rule_find).
func (r *request) removeRule() error {
	x, err := r.rule()
	if err != nil {
		return err
	}
	for i, y := range r.in.Rules(x.V6) {
		if x.Action != 0 && x.Action != y.Action || x.Table != 0 && x.Table != y.Table ||
			r.attrs.has(fraPriority) && x.Priority != y.Priority || x.In != "" && x.In != y.In || x.Out != "" && x.Out != y.Out ||
			x.Mark != 0 && x.Mark != y.Mark || r.attrs.has(fraFwmask) && x.MarkMask != y.MarkMask ||
			x.HasSuppress && (x.HasSuppress != y.HasSuppress || x.Suppress != y.Suppress) || x.Protocol != 0 && x.Protocol != y.Protocol ||
			x.By != 0 && x.By != y.By || x.SrcPorts != (core.RulePorts{}) && x.SrcPorts != y.SrcPorts ||
			x.DstPorts != (core.RulePorts{}) && x.DstPorts != y.DstPorts || x.Goto != 0 && x.Goto != y.Goto ||
			x.Src.Bits != 0 && x.Src != y.Src || x.Dst.Bits != 0 && x.Dst != y.Dst || x.TOS != 0 && x.TOS != y.TOS {
			continue
		}
		r.in.RemoveRuleLocked(x.V6, i)
		return nil
	}
	return refuse(syscall.ENOENT, "there is no such rule")
}
