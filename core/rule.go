package core

import (
	"cmp"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core/fib"
	"github.com/libos-go/libos/core/wire"
)

// Policy routing: rules say which tables are asked for a packet, in which order
// (ip-rule(8); net/core/fib_rules.c). An instance begins with the rules that every host
// has and holds nothing for them.

// RuleAction is what a rule does, with Linux's FR_ACT_ numbers.
type RuleAction uint8

const (
	RuleToTable     RuleAction = 1
	RuleGoto        RuleAction = 2
	RuleNop         RuleAction = 3
	RuleBlackhole   RuleAction = 6
	RuleUnreachable RuleAction = 7
	RuleProhibit    RuleAction = 8
)

// RulePorts is a range of ports with its ends; the zero value is any port.
type RulePorts struct{ First, Last uint16 }

func (r RulePorts) has(port uint16) bool {
	return r == RulePorts{} || r.First <= port && port <= r.Last
}

// Rule is one rule of a family. What is zero is not looked at.
type Rule struct {
	V6       bool // of IPv6, not of IPv4
	Not      bool // for what does not match
	Action   RuleAction
	Protocol uint8 // of IP
	TOS      uint8 // type of service or traffic class without its two last bits
	By       RouteProtocol
	Priority uint32 // rules are asked from the least on
	Table    uint32 // of RuleToTable
	Goto     uint32 // of RuleGoto: the priority of the rule to go on with
	Src, Dst wire.Prefix
	In, Out  string // interfaces by name; packets made here come in by the loopback
	Mark     uint32 // of those bits of a packet's mark that MarkMask has
	MarkMask uint32
	SrcPorts RulePorts
	DstPorts RulePorts
	// Suppress is the length of prefixes up to which routes of the table do not count,
	// where HasSuppress is set.
	HasSuppress bool
	Suppress    int32
}

// Selector is what rules see of a packet beside destination, source and outgoing
// interface of its RouteQuery.
type Selector struct {
	Src              wire.Addr  // of a packet of somebody else
	In               *Interface // by which it came in; nil for one made here
	Mark             uint32
	SrcPort, DstPort uint16
	Protocol, TOS    uint8
}

// Selector is what rules see of packets of the socket between two ports.
func (s *Socket) Selector(local, peer uint16) Selector {
	return Selector{Mark: s.options.Mark, TOS: s.options.TOS, Protocol: uint8(s.protocol), SrcPort: local, DstPort: peer}
}

// selectorChanged has routes looked up again that rules chose by what was changed.
func (s *Socket) selectorChanged() {
	if p := s.instance.routes.policy; p != nil && (p.custom[0] || p.custom[1]) {
		s.instance.invalidateRoutes()
	}
}

// RuleWatcher is a transport that hears of rules.
type RuleWatcher interface {
	// RuleChanged tells that a rule was added, or removed if gone is set. It is borrowed.
	RuleChanged(r *Rule, gone bool)
}

// policy is what an instance has that is not as every host has it.
type policy struct {
	rules  [2][]Rule     // IPv4, IPv6, by priority
	custom [2]bool       // they are not the default ones
	tables []*otherTable // as they were made
	byID   map[uint32]*otherTable
}

// otherTable is a table beside main and local. It stays when its last route goes.
type otherTable struct {
	id     uint32
	of     [2]bool // families that know of it
	routes fib.Table[*routeNode]
}

const (
	mostRules  = 65536 // of a family
	mostTables = 65536
)

func family(v6 bool) int {
	if v6 {
		return 1
	}
	return 0
}

// defaultRules are Linux's (fib_default_rules_init, net/ipv4/fib_rules.c;
// fib6_rules_net_init, net/ipv6/fib6_rules.c).
func defaultRules(v6 bool) []Rule {
	rule := func(priority, table uint32) Rule {
		return Rule{V6: v6, Action: RuleToTable, By: RouteByKernel, Priority: priority, Table: table}
	}
	list := []Rule{rule(0, TableLocal), rule(32766, TableMain)}
	if !v6 {
		list = append(list, rule(32767, TableDefault))
	}
	return list
}

// Rules are those of a family in the order in which they are asked. Inside an entry; not
// to be changed.
func (in *Instance) Rules(v6 bool) []Rule {
	if p := in.routes.policy; p != nil {
		return p.rules[family(v6)]
	}
	return defaultRules(v6)
}

// HasRules tells whether the rules of a family are others than every host has, so that
// queries need a Selector. Inside an entry.
func (in *Instance) HasRules(v6 bool) bool {
	p := in.routes.policy
	return p != nil && p.custom[family(v6)]
}

func (in *Instance) policyOf() *policy {
	if in.routes.policy == nil {
		in.routes.policy = &policy{rules: [2][]Rule{defaultRules(false), defaultRules(true)}}
	}
	return in.routes.policy
}

// NextRulePriority is the priority of a rule that is added without one: it goes before
// the second (fib_default_rule_pref).
func (in *Instance) NextRulePriority(v6 bool) uint32 {
	if list := in.Rules(v6); len(list) > 1 && list[1].Priority > 0 {
		return list[1].Priority - 1
	}
	return 0
}

// AddRuleLocked adds a rule behind those of its priority. EINVAL for one that makes no
// sense, ENOBUFS where there are too many. Inside an entry.
func (in *Instance) AddRuleLocked(r Rule) error {
	switch r.Action {
	case RuleToTable:
		if r.Table == 0 {
			return syscall.EINVAL
		}
	case RuleGoto:
		if r.Goto <= r.Priority {
			return syscall.EINVAL
		}
	case RuleNop, RuleBlackhole, RuleUnreachable, RuleProhibit:
	default:
		return syscall.EINVAL
	}
	for _, p := range [...]wire.Prefix{r.Src, r.Dst} {
		if p.Bits != 0 && (p.Addr.Is4() == r.V6 || p.Masked() != p) {
			return syscall.EINVAL
		}
	}
	if r.SrcPorts.First > r.SrcPorts.Last || r.DstPorts.First > r.DstPorts.Last {
		return syscall.EINVAL
	}
	p := in.policyOf()
	list := &p.rules[family(r.V6)]
	if len(*list) >= mostRules {
		return syscall.ENOBUFS
	}
	if r.V6 && r.Action == RuleToTable { // IPv6 makes the table of a rule (fib6_rule_configure)
		if _, err := in.treeFor(r.Table, false); err != nil {
			return err
		}
	}
	i := 0
	for i < len(*list) && (*list)[i].Priority <= r.Priority {
		i++
	}
	*list = slices.Insert(*list, i, r)
	in.rulesChanged(r, false)
	return nil
}

// RemoveRuleLocked removes the i-th of a family's Rules. Inside an entry.
func (in *Instance) RemoveRuleLocked(v6 bool, i int) {
	list := &in.policyOf().rules[family(v6)]
	r := (*list)[i]
	*list = slices.Delete(*list, i, i+1)
	in.rulesChanged(r, true)
}

func (in *Instance) rulesChanged(r Rule, gone bool) {
	p, f := in.routes.policy, family(r.V6)
	p.custom[f] = !slices.Equal(p.rules[f], defaultRules(r.V6))
	in.invalidateRoutes()
	for _, t := range in.transports {
		if w, ok := t.(RuleWatcher); ok {
			w.RuleChanged(&r, gone)
		}
	}
}

// Tables are the numbers of the routing tables that a family has, in the order in which
// Linux lists them: by their last eight bits, then the newest first. Inside an entry.
func (in *Instance) Tables(v6 bool) []uint32 {
	list := []uint32{TableLocal, TableMain}
	if p := in.routes.policy; p != nil {
		for _, t := range p.tables {
			if t.of[family(v6)] {
				list = append(list, t.id)
			}
		}
	}
	slices.Reverse(list)
	slices.SortStableFunc(list, func(a, b uint32) int { return cmp.Compare(a&255, b&255) })
	return list
}

// tree is what holds the routes of a table, nil if there is no such table. That of main
// is that of local, too.
func (in *Instance) tree(table uint32) *fib.Table[*routeNode] {
	if table == TableMain || table == TableLocal {
		return &in.routes.fib
	}
	if t := in.routes.policy.table(table); t != nil {
		return &t.routes
	}
	return nil
}

func (p *policy) table(id uint32) *otherTable {
	if p == nil {
		return nil
	}
	return p.byID[id]
}

// treeFor is tree with a table made where there is none. ENOBUFS where there are too
// many.
func (in *Instance) treeFor(table uint32, is4 bool) (*fib.Table[*routeNode], error) {
	if table == TableMain || table == TableLocal {
		return &in.routes.fib, nil
	}
	p := in.policyOf()
	t := p.table(table)
	if t == nil {
		if len(p.tables) >= mostTables {
			return nil, syscall.ENOBUFS
		}
		t = &otherTable{id: table}
		p.tables = append(p.tables, t)
		if p.byID == nil {
			p.byID = make(map[uint32]*otherTable)
		}
		p.byID[table] = t
	}
	t.of[family(!is4)] = true
	return &t.routes, nil
}
