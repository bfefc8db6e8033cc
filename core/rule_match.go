package core

import (
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// routeByPolicy is Route where a family has rules of its own. The rules are
// asked for each packet, which allocates nothing; what the table says is remembered.
func (in *Instance) routeByPolicy(q *RouteQuery) (*Route, error) {
	f := in.findByPolicy(q)
	if f.err != 0 {
		return nil, f.err
	}
	table := uint32(0)
	if f.node != nil {
		table = f.table
		if f.node.isOwn() {
			table = TableLocal
		}
	}
	if r := in.remembered(q, table); r != nil {
		return r, nil
	}
	r, err := in.resolve(q, f)
	if err == nil {
		in.remember(r, q, table)
	}
	return r, err
}

// findByPolicy is find where there are rules or tables of one's own (fib_rules_lookup,
// net/core/fib_rules.c).
func (in *Instance) findByPolicy(q *RouteQuery) found {
	p, v6 := in.routes.policy, family(!q.Dst.Is4())
	if !p.custom[v6] {
		prefix, n := in.search(&in.routes.fib, q, bothTables)
		if n != nil && n.typ != RouteThrow {
			return found{prefix: prefix, node: n, table: TableMain}
		}
		if t := p.table(TableDefault); v6 == 0 && t != nil {
			if prefix, n = in.search(&t.routes, q, bothTables); n != nil && n.typ != RouteThrow {
				return found{prefix: prefix, node: n, table: TableDefault}
			}
		}
		return found{}
	}
	rules := p.rules[v6]
	for i := 0; i < len(rules); i++ {
		r := &rules[i]
		if !r.matches(in, q) {
			continue
		}
		switch r.Action {
		case RuleToTable:
			if f := in.searchTable(r.Table, q); f.node != nil && !(r.HasSuppress && int32(f.prefix.Bits) <= r.Suppress) {
				return f
			}
		case RuleGoto:
			for j := i + 1; j < len(rules) && rules[j].Priority <= r.Goto; j++ {
				if rules[j].Priority == r.Goto {
					i = j - 1
					break
				}
			}
		case RuleBlackhole:
			return found{err: syscall.EINVAL}
		case RuleUnreachable:
			return found{err: syscall.ENETUNREACH}
		case RuleProhibit:
			return found{err: syscall.EACCES}
		}
	}
	return found{}
}

// searchTable looks in one table alone.
func (in *Instance) searchTable(table uint32, q *RouteQuery) found {
	t, which := in.tree(table), bothTables
	switch {
	case t == nil:
		return found{}
	case table == TableMain:
		which = onlyMain
	case table == TableLocal:
		which = onlyLocal
	}
	prefix, n := in.search(t, q, which)
	if n == nil || n.typ == RouteThrow {
		return found{}
	}
	return found{prefix: prefix, node: n, table: table}
}

// matches tells whether a rule is for a packet (fib_rule_match, net/core/fib_rules.c;
// fib4_rule_match, net/ipv4/fib_rules.c).
func (r *Rule) matches(in *Instance, q *RouteQuery) bool {
	s, src := q.Selector, q.Src
	var none Selector
	if s == nil {
		if s = &none; src == q.Dst { // how a way is asked for that serves all sources
			src = wire.Addr{}
		}
	} else if s.In != nil {
		src = s.Src
	}
	is := r.comesIn(in, s) &&
		(r.Out == "" || in.named(q.Interface, r.Out)) &&
		(r.Mark^s.Mark)&r.MarkMask == 0 &&
		(r.Src.Bits == 0 || r.Src.Contains(src)) &&
		(r.Dst.Bits == 0 || r.Dst.Contains(q.Dst)) &&
		(r.TOS == 0 || r.TOS == s.TOS&^3) &&
		(r.Protocol == 0 || r.Protocol == s.Protocol) &&
		r.SrcPorts.has(s.SrcPort) && r.DstPorts.has(s.DstPort)
	return is != r.Not
}

func (r *Rule) comesIn(in *Instance, s *Selector) bool {
	switch {
	case r.In == "":
		return true
	case s.In != nil:
		return s.In.name == r.In
	}
	return in.loopback != nil && in.loopback.name == r.In
}

// named tells whether the interface of a number has a name.
func (in *Instance) named(index int, name string) bool {
	ifc := in.InterfaceByIndex(index)
	return index != 0 && ifc != nil && ifc.name == name
}
