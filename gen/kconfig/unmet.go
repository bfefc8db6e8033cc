package kconfig

import (
	"fmt"
)

// warnUnmet reports, once, a symbol that is selected although its direct
// dependencies do not hold, with who selects it and what those depend on.
func (s *Symbol) warnUnmet() {
	if s.warned {
		return
	}
	s.warned = true
	t := s.tree
	m := Message{Severity: Warning, Pos: s.Pos, werror: true,
		Text: fmt.Sprintf("unmet direct dependencies: %s is selected and so is %s, but depends on %s [=%s]",
			s.Name, s.revVal, t.show(s.dir), s.dirVal)}
	for _, other := range t.ordered {
		for _, p := range other.props {
			if p.kind != propSelect || p.sym != s {
				continue
			}
			v := min(other.cur.tri, t.eval(p.cond))
			if v == No {
				continue
			}
			text := fmt.Sprintf("selected by %s [=%s]", other.Name, other.String())
			if p.cond != nil {
				text += fmt.Sprintf(", which depends on %s [=%s]", t.show(p.cond), t.eval(p.cond))
			}
			m.Notes = append(m.Notes, Note{p.pos, text})
		}
	}
	t.messages = append(t.messages, m)
}
