package kconfig

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// Mode is the answer that SetAll gives.
type Mode uint8

const (
	AllNo Mode = iota
	AllMod
	AllYes
	AllRandom
)

// Probability is the chance, in percent, of the answers of a random
// configuration.
type Probability struct {
	BoolYes, TristateYes, TristateMod int
}

// ParseProbability reads KCONFIG_PROBABILITY: one to three numbers from 0 to
// 100 with colons between them. One: the chance of y or m; two: those of y and
// m of a tristate, their sum for a bool; three: bool y, tristate y, tristate
// m. "" is 50, and 33 each for y and m of a tristate.
func ParseProbability(text string) (Probability, error) {
	p := Probability{50, 33, 33}
	if text == "" {
		return p, nil
	}
	var n []int
	for _, f := range strings.Split(text, ":") {
		v, err := strconv.Atoi(f)
		if err != nil || v < 0 || v > 100 || len(n) == 3 {
			return p, fmt.Errorf("KCONFIG_PROBABILITY=%s: give one to three numbers from 0 to 100, as in 30 or 20:30 or 40:20:30", text)
		}
		n = append(n, v)
	}
	switch len(n) {
	case 1:
		p = Probability{n[0], n[0] - n[0]/2, n[0] / 2}
	case 2:
		p = Probability{n[0] + n[1], n[0], n[1]}
	case 3:
		p = Probability{n[0], n[1], n[2]}
	}
	if p.TristateYes+p.TristateMod > 100 {
		return p, fmt.Errorf("KCONFIG_PROBABILITY=%s: y and m of a tristate are %d percent together: at most 100", text, p.TristateYes+p.TristateMod)
	}
	return p, nil
}

// SetAll answers every bool and tristate that can be asked for and that has no
// user value yet. Members of a choice keep the choice's default, except that a
// random configuration picks one of those nobody set. rng and prob are for
// AllRandom only.
func (t *Tree) SetAll(mode Mode, rng *rand.Rand, prob Probability) {
	t.Root.Walk(func(m *Menu) bool {
		s := m.Sym
		if s == nil || m.prompt == nil {
			return true
		}
		if s.isChoice {
			if mode == AllRandom {
				m.randomize(rng)
			}
			return true
		}
		if s.hasUser || !s.isTristate() || s.choice != nil {
			return true
		}
		v := No
		switch mode {
		case AllYes:
			v = Yes
		case AllMod:
			v = Mod
		case AllRandom:
			v = prob.pick(s.Type, rng)
		}
		s.hasUser, s.user = true, value{tri: v}
		return true
	})
	t.changed = true
	t.invalidate()
}

func (p Probability) pick(typ Type, rng *rand.Rand) Tristate {
	n := rng.IntN(100)
	if typ == TristateType {
		switch {
		case n < p.TristateYes:
			return Yes
		case n < p.TristateYes+p.TristateMod:
			return Mod
		}
		return No
	}
	if n < p.BoolYes {
		return Yes
	}
	return No
}

// randomize gives the members nobody set a y each, in a random order of
// priority: the first visible one will be chosen.
func (m *Menu) randomize(rng *rand.Rand) {
	var free []*Symbol
	for _, s := range m.Members() {
		if !s.hasUser {
			free = append(free, s)
		}
	}
	for _, i := range rng.Perm(len(free)) {
		s := free[i]
		s.hasUser, s.user = true, value{tri: Yes}
		m.lower(s)
	}
}

// lower gives a member the lowest priority.
func (m *Menu) lower(s *Symbol) {
	for i, x := range m.members {
		if x == s {
			m.members = append(append(m.members[:i:i], m.members[i+1:]...), s)
			return
		}
	}
}

// RewriteTristates turns every user value from of a tristate into to
// (mod2yesconfig and its kin).
func (t *Tree) RewriteTristates(from, to Tristate) {
	for _, s := range t.ordered {
		if s.typ() == TristateType && s.hasUser && s.user.tri == from {
			s.user.tri = to
			t.changed = true
		}
	}
	t.invalidate()
}

// UnmetDependencies reports the symbols that are selected although their own
// dependencies do not hold, in the configuration as it is now.
func (t *Tree) UnmetDependencies() Messages {
	t.messages = nil
	for _, s := range t.ordered {
		s.warned = false
	}
	t.invalidate()
	for _, s := range t.ordered {
		s.calc()
	}
	ms := t.messages
	t.messages = nil
	return ms
}

// Overruled lists user values that dependencies, selects or ranges changed.
func (t *Tree) Overruled() []Change {
	var list []Change
	for _, s := range t.overruled() {
		want, _ := s.UserValue()
		list = append(list, Change{s.Name, want, s.String()})
	}
	return list
}

func (t *Tree) overruled() []*Symbol {
	var list []*Symbol
	for _, s := range t.ordered {
		if !s.hasUser || s.asUser() {
			continue
		}
		if want, _ := s.UserValue(); want != s.String() {
			list = append(list, s)
		}
	}
	return list
}

// overruledMessage tells each of them with the line that asked for it and with
// what stood against it.
func (t *Tree) overruledMessage() (m Message, any bool) {
	m = Message{Severity: Warning, Text: "user values changed by dependencies, selects or ranges:"}
	for _, s := range t.overruled() {
		want, _ := s.UserValue()
		why := s.Refusal(want)
		if why == "" {
			why, _ = s.because()
		}
		m.Notes = append(m.Notes, Note{s.userPos, fmt.Sprintf("%s: %s", Change{s.Name, want, s.String()}, why)})
	}
	return m, len(m.Notes) > 0
}
