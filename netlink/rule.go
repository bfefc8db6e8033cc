package netlink

// rule is one of the rules that every instance has: all packets ask the table.
type rule struct {
	family   uint8
	priority uint32
	table    uint32
}

// defaultRules are Linux's (fib_default_rules_init, net/ipv4/fib_rules.c;
// fib6_rules_net_init, net/ipv6/fib6_rules.c).
func defaultRules() [5]rule {
	return [...]rule{
		{afInet, 0, tableLocal}, {afInet, 32766, tableMain}, {afInet, 32767, tableDefault},
		{afInet6, 0, tableLocal}, {afInet6, 32766, tableMain},
	}
}

// dumpRules tells of the rules of a family (fib_nl_fill_rule, net/core/fib_rules.c).
func (r *request) dumpRules() (*dump, error) {
	var list []rule
	for _, x := range defaultRules() {
		if (r.family() == afUnspec || r.family() == x.family) && serves(r.in, x.family) {
			list = append(list, x)
		}
	}
	return listOf(list, func(w *writer, begin func(uint16), x rule) {
		begin(newRule)
		w.u8(x.family, 0, 0, 0, uint8(x.table), 0, 0, ruleToTable)
		w.u32(0)
		w.attr32(fraTable, x.table)
		w.attr32(fraSuppress, noSuppress)
		w.attr8(fraProtocol, byKernel)
		if x.priority != 0 {
			w.attr32(fraPriority, x.priority)
		}
	}), nil
}
