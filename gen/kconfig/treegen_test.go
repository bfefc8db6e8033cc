package kconfig

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A gnode is one item of a random menu tree that can be rendered in both
// languages.
type gnode struct {
	kind      string // config menuconfig menu choice comment if
	name      string // symbol, prompt of a menu/choice/comment, condition of an if
	typ       string
	prompt    string
	promptIf  string
	defType   bool // def_bool/def_tristate instead of type and default
	depends   []string
	visibleIf string
	defaults  []string
	selects   []string
	implies   []string
	ranges    []string
	help      string
	modules   bool
	children  []*gnode
}

// gsym is what the generator knows of a symbol.
type gsym struct {
	name   string
	typ    string
	anchor bool // an int, hex or string without dependencies: always has a value
	member bool
	choice int // number of the choice it is in, from 1
	hidden bool
}

// treegen makes one random tree. All names begin with prefix. What a symbol's
// value depends on always comes before it, so that there are no cycles.
type treegen struct {
	r       *rand.Rand
	prefix  string
	numbers bool    // every number has a default
	syms    []*gsym // in order
	done    int     // how many of them are usable in conditions
	n       int
	choices int
	texts   int
}

func (g *treegen) chance(percent int) bool { return g.r.IntN(100) < percent }

func pick[T any](r *rand.Rand, list ...T) T { return list[r.IntN(len(list))] }

// tree makes the items of a tree of about size symbols.
func (g *treegen) tree(size int) []*gnode {
	for i := range size {
		typ := pick(g.r, "bool", "bool", "bool", "bool", "tristate", "tristate", "tristate", "int", "hex", "string")
		g.syms = append(g.syms, &gsym{name: fmt.Sprintf("%sS%d", g.prefix, i), typ: typ})
	}
	var items []*gnode
	for g.done < len(g.syms) {
		items = append(items, g.item(0)...)
	}
	return items
}

func (g *treegen) text(what string) string {
	g.texts++
	return fmt.Sprintf("%s %s%d", what, g.prefix, g.texts)
}

// item makes one or more neighbouring items.
func (g *treegen) item(depth int) []*gnode {
	switch n := g.r.IntN(100); {
	case n < 8 && depth < 3:
		m := &gnode{kind: "menu", name: g.text("Menu")}
		if g.chance(40) {
			m.depends = []string{g.expr(1)}
		}
		if g.chance(30) {
			m.visibleIf = g.expr(1)
		}
		m.children = g.body(depth)
		return []*gnode{m}
	case n < 16 && depth < 3 && g.done > 0:
		return []*gnode{{kind: "if", name: g.expr(1), children: g.body(depth)}}
	case n < 20:
		c := &gnode{kind: "comment", name: g.text("Comment")}
		if g.chance(50) {
			c.depends = []string{g.expr(1)}
		}
		return []*gnode{c}
	case n < 27 && g.done+3 < len(g.syms):
		return []*gnode{g.choice()}
	case n < 33 && g.done+2 < len(g.syms) && depth < 3:
		g.syms[g.done].typ = "bool"
		head := g.symbol(true)
		head.kind = "menuconfig"
		return []*gnode{head, {kind: "if", name: head.name, children: g.body(depth)}}
	case n < 36 && g.done > 0 && depth == 0:
		return g.again()
	}
	return []*gnode{g.symbol(depth == 0)}
}

func (g *treegen) body(depth int) []*gnode {
	var items []*gnode
	for range 1 + g.r.IntN(4) {
		if g.done < len(g.syms) {
			items = append(items, g.item(depth+1)...)
		}
	}
	if len(items) == 0 {
		items = append(items, &gnode{kind: "comment", name: g.text("Comment")})
	}
	return items
}

// again defines a known bool or tristate a second time, with further defaults.
func (g *treegen) again() []*gnode {
	s := g.syms[g.r.IntN(g.done)]
	if s.member || s.typ != "bool" && s.typ != "tristate" {
		return nil
	}
	save := g.done
	for i, x := range g.syms {
		if x == s {
			g.done = i // only what comes before it
		}
	}
	n := &gnode{kind: "config", name: s.name, typ: s.typ, defaults: []string{g.withIf(g.expr(1))}}
	g.done = save
	return []*gnode{n}
}

func (g *treegen) choice() *gnode {
	g.choices++
	c := &gnode{kind: "choice", name: g.text("Choice")}
	if g.chance(40) {
		c.depends = []string{g.expr(1)}
	}
	if g.chance(20) {
		c.promptIf = g.expr(1)
	}
	first := g.done
	count := 2 + g.r.IntN(3)
	save := g.done
	for i := 0; i < count && first+i < len(g.syms); i++ {
		s := g.syms[first+i]
		s.typ, s.member, s.choice = "bool", true, g.choices
		m := &gnode{kind: "config", name: s.name, typ: "bool", prompt: g.text("Member")}
		if g.chance(20) {
			m.depends = []string{g.expr(1)}
			s.hidden = true
		}
		if g.chance(20) {
			m.help = "Help of a member."
		}
		c.children = append(c.children, m)
		save++
	}
	for range g.r.IntN(3) {
		c.defaults = append(c.defaults, g.withIf(g.syms[first+g.r.IntN(save-first)].name))
	}
	g.done = save
	return c
}

// symbol makes the next symbol.
func (g *treegen) symbol(top bool) *gnode {
	i := g.done
	s := g.syms[i]
	n := &gnode{kind: "config", name: s.name, typ: s.typ}
	if g.chance(75) {
		n.prompt = g.text("Prompt")
		if g.chance(25) {
			n.promptIf = g.expr(1)
		}
	}
	if g.chance(20) {
		n.help = "First line.\n\nAnother paragraph,\nof two lines."
	}
	switch s.typ {
	case "bool", "tristate":
		for range g.r.IntN(2) + g.r.IntN(2) {
			n.depends = append(n.depends, g.expr(2))
		}
		for range g.r.IntN(3) {
			n.defaults = append(n.defaults, g.withIf(pick(g.r, "y", "m", "n", "y", g.expr(1))))
		}
		if g.chance(10) && len(n.defaults) > 0 {
			n.defType = true
		}
		g.links(n, i)
	default:
		s.anchor = top && g.chance(60)
		if s.anchor {
			n.promptIf = ""
		} else if g.chance(40) {
			n.depends = []string{g.expr(1)}
		}
		for range g.r.IntN(2) {
			n.defaults = append(n.defaults, g.value(s.typ)+" if "+g.expr(1))
		}
		if s.anchor || g.numbers || g.chance(70) {
			n.defaults = append(n.defaults, g.value(s.typ))
		}
		if s.typ != "string" && !s.anchor {
			for range g.r.IntN(3) {
				n.ranges = append(n.ranges, g.withIf(g.span(s.typ)))
			}
		}
	}
	g.done++
	return n
}

// links adds selects and implies of symbols that come later.
func (g *treegen) links(n *gnode, i int) {
	target := func() string {
		for range 5 {
			if i+1 >= len(g.syms) {
				return ""
			}
			if s := g.syms[i+1+g.r.IntN(len(g.syms)-i-1)]; s.typ == "bool" || s.typ == "tristate" {
				return s.name
			}
		}
		return ""
	}
	if g.chance(20) {
		if t := target(); t != "" {
			n.selects = append(n.selects, g.withIf(t))
		}
	}
	if g.chance(12) {
		if t := target(); t != "" {
			n.implies = append(n.implies, g.withIf(t))
		}
	}
}

// repair drops selects and implies whose target has become something else
// than a plain bool or tristate.
func (g *treegen) repair(items []*gnode) {
	ok := map[string]bool{}
	for _, s := range g.syms {
		ok[s.name] = !s.member && (s.typ == "bool" || s.typ == "tristate")
	}
	keep := func(list []string) []string {
		var out []string
		for _, l := range list {
			name, _, _ := strings.Cut(l, " ")
			if ok[name] {
				out = append(out, l)
			}
		}
		return out
	}
	for _, n := range items {
		n.selects, n.implies = keep(n.selects), keep(n.implies)
		g.repair(n.children)
	}
}

func (g *treegen) withIf(text string) string {
	if g.chance(40) && g.done > 0 {
		return text + " if " + g.expr(1)
	}
	return text
}

func (g *treegen) number(typ string) string {
	if typ == "hex" {
		return fmt.Sprintf("0x%x", g.r.IntN(200))
	}
	return fmt.Sprint(g.r.IntN(200) - pick(g.r, 0, 0, 50))
}

func (g *treegen) anchors(typ string) []string {
	var list []string
	for _, s := range g.syms[:g.done] {
		if s.anchor && s.typ == typ {
			list = append(list, s.name)
		}
	}
	return list
}

func (g *treegen) value(typ string) string {
	if list := g.anchors(typ); len(list) > 0 && g.chance(30) {
		return pick(g.r, list...)
	}
	if typ == "string" {
		return pick(g.r, `"abc"`, `"two words"`, `"with \"quotes\""`, `"back\\slash"`, `"10"`, `""`)
	}
	return g.number(typ)
}

func (g *treegen) span(typ string) string {
	if list := g.anchors(typ); len(list) > 0 && g.chance(20) {
		if typ == "hex" {
			return "0x0 " + pick(g.r, list...)
		}
		return "-100 " + pick(g.r, list...)
	}
	a, b := g.r.IntN(150), g.r.IntN(150)
	if a > b {
		a, b = b, a
	}
	if typ == "hex" {
		return fmt.Sprintf("0x%x 0x%x", a, b)
	}
	return fmt.Sprintf("%d %d", a-20, b)
}

// expr makes a condition over what came before.
func (g *treegen) expr(depth int) string {
	if g.done == 0 {
		return pick(g.r, "y", "y", "n")
	}
	if depth > 0 && g.chance(45) {
		a, b := g.expr(depth-1), g.expr(depth-1)
		switch g.r.IntN(5) {
		case 0, 1:
			return a + " && " + b
		case 2:
			return "(" + a + " || " + b + ")"
		case 3:
			return "!(" + a + ")"
		}
		return a
	}
	for range 10 {
		s := g.syms[g.r.IntN(g.done)]
		switch s.typ {
		case "bool", "tristate":
			switch g.r.IntN(10) {
			case 0:
				return s.name + pick(g.r, " = ", " != ") + pick(g.r, "y", "m", "n", `"y"`)
			case 1:
				return "!" + s.name
			case 2:
				if g.chance(30) {
					return pick(g.r, "y", "m", "n")
				}
			}
			return s.name
		case "string":
			if s.anchor {
				return s.name + pick(g.r, " = ", " != ") + pick(g.r, `"abc"`, `"10"`)
			}
		default:
			if s.anchor {
				return s.name + pick(g.r, " = ", " != ", " < ", " > ", " <= ", " >= ") + g.number(s.typ)
			}
		}
	}
	return "y"
}

// kconfigText renders items in Linux's language.
func kconfigText(b *strings.Builder, items []*gnode) {
	for _, n := range items {
		attr := func(format string, args ...any) { fmt.Fprintf(b, "\t"+format+"\n", args...) }
		switch n.kind {
		case "if":
			fmt.Fprintf(b, "if %s\n\n", n.name)
			kconfigText(b, n.children)
			b.WriteString("endif\n\n")
			continue
		case "menu", "comment":
			fmt.Fprintf(b, "%s %s\n", n.kind, quote(n.name))
		case "choice":
			b.WriteString("choice\n")
			n.prompt = n.name
		default:
			fmt.Fprintf(b, "%s %s\n", n.kind, n.name)
			if !n.defType {
				attr("%s", n.typ)
			}
		}
		if n.prompt != "" {
			text := "prompt " + quote(n.prompt)
			if n.promptIf != "" {
				text += " if " + n.promptIf
			}
			attr("%s", text)
		}
		if n.visibleIf != "" {
			attr("visible if %s", n.visibleIf)
		}
		for _, d := range n.depends {
			attr("depends on %s", d)
		}
		for i, d := range n.defaults {
			if n.defType && i == 0 {
				attr("def_%s %s", n.typ, d)
			} else {
				attr("default %s", d)
			}
		}
		for _, d := range n.selects {
			attr("select %s", d)
		}
		for _, d := range n.implies {
			attr("imply %s", d)
		}
		for _, d := range n.ranges {
			attr("range %s", d)
		}
		if n.modules {
			attr("option modules")
		}
		if n.help != "" {
			attr("help")
			for _, line := range strings.Split(n.help, "\n") {
				b.WriteString(strings.TrimRight("\t  "+line, " \t") + "\n")
			}
		}
		b.WriteByte('\n')
		if n.kind == "menu" || n.kind == "choice" {
			kconfigText(b, n.children)
			fmt.Fprintf(b, "end%s\n\n", n.kind)
		}
	}
}

// tomlText renders items in ours.
func tomlText(b *strings.Builder, items []*gnode, depth int) {
	pad := strings.Repeat("  ", depth)
	one := func(key, val string) {
		if val != "" {
			fmt.Fprintf(b, "%s%s = %s\n", pad, key, tomlString(val))
		}
	}
	many := func(key string, vals []string) {
		switch len(vals) {
		case 0:
		case 1:
			one(key, vals[0])
		default:
			fmt.Fprintf(b, "%s%s = [\n", pad, key)
			for _, v := range vals {
				fmt.Fprintf(b, "%s  %s,\n", pad, tomlString(v))
			}
			fmt.Fprintf(b, "%s]\n", pad)
		}
	}
	for _, n := range items {
		fmt.Fprintf(b, "\n%s[[item%s]]\n", pad, strings.Repeat(".item", depth))
		one(n.kind, n.name)
		if n.kind == "config" || n.kind == "menuconfig" {
			if !n.defType {
				one("type", n.typ)
			}
			one("prompt", n.prompt)
		}
		one("prompt_if", n.promptIf)
		many("depends", n.depends)
		one("visible_if", n.visibleIf)
		if n.defType {
			many("def_"+n.typ, n.defaults)
		} else {
			many("default", n.defaults)
		}
		many("select", n.selects)
		many("imply", n.implies)
		many("range", n.ranges)
		if n.modules {
			fmt.Fprintf(b, "%smodules = true\n", pad)
		}
		if n.help != "" {
			fmt.Fprintf(b, "%shelp = \"\"\"\n%s\n\"\"\"\n", pad, n.help)
		}
		tomlText(b, n.children, depth+1)
	}
}

func tomlString(s string) string {
	if !strings.ContainsAny(s, `"\`) {
		return `"` + s + `"`
	}
	return "'" + s + "'"
}
