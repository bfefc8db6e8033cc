package kconfig

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// loadText loads a tree that is one file.
func loadText(text string, env Env) (*Tree, Messages) {
	return LoadFS(fstest.MapFS{FileName: {Data: []byte(text)}}, FileName, "", env)
}

// asLinux411 renders our configuration as Linux 4.11 would. The differences of
// form between that and later Linux are exactly these; docs/kconfig.md explains
// them under the same names.
//
//   - end-of-menu: the end of a menu was not marked.
//   - unset-without-prompt: a symbol nobody can see was written as "is not set"
//     when a default of it was active, though the default was n.
//   - implied-unset: a symbol that is implied but whose dependencies are n was
//     not written.
//   - zero-default: an int or hex without a value was written empty, not as 0.
//   - out-of-range: a user's number outside of the active range was dropped for
//     the default, not moved to the nearest end.
func asLinux411(t *Tree) string {
	var b strings.Builder
	fmt.Fprintf(&b, "#\n# %s\n# %s\n#\n", generated, t.Title())
	done := map[*Symbol]bool{}
	t.Root.Walk(func(m *Menu) bool {
		s := m.Sym
		switch {
		case m == t.Root || s != nil && (s.isChoice || done[s]):
		case s == nil:
			if m.Visible() {
				fmt.Fprintf(&b, "\n#\n# %s\n#\n", m.Text())
			}
		case s.written411():
			done[s] = true
			b.WriteString(s.line411())
		}
		return true
	})
	return b.String()
}

func (s *Symbol) written411() bool {
	s.calc()
	if !s.isTristate() || s.choice != nil || s.visible != No {
		return s.write
	}
	return s.revVal != No || s.activeDefault() != nil || s.implVal != No && s.dirVal != No
}

func (s *Symbol) line411() string {
	if s.Type != Int && s.Type != Hex {
		return s.line()
	}
	if s.hasUser && s.visible != No && !s.withinRange(s.user.str) {
		s.hasUser, s.valid = false, false
		defer func() { s.hasUser, s.valid = true, false }()
	}
	usesUser := s.hasUser && s.visible != No
	empty := !usesUser && s.activeDefault() == nil && s.String() == s.Type.zero()
	if empty {
		return prefix + s.Name + "=\n"
	}
	return s.line()
}

// differs411 names the difference of meaning, if any, that shows in a tree
// whose symbols begin with p. What it explains may spread to any symbol of the
// tree, so the tree is left out of the comparison, and counted.
//
//   - imply-above-dependency: a symbol whose dependencies are m became y when
//     implied by y; Linux since 5.7 keeps it at m.
//   - imply-limits-default: an implied symbol that is defined twice took its
//     default whatever its dependencies; since Linux 5.7 they limit it.
//   - implied-yes-not-m: a symbol that is implied by y could not be m; since
//     Linux 5.7 it can.
func differs411(t *Tree, p string) string {
	for _, s := range t.ordered {
		if !strings.HasPrefix(s.Name, p) {
			continue
		}
		s.calc()
		if p := s.activeDefault(); p != nil && s.implVal != No && !(s.hasUser && s.visible != No) &&
			min(t.eval(p.expr), p.state) > s.dirVal {
			return "imply-limits-default"
		}
		if s.implVal != Yes || s.dirVal == No {
			continue
		}
		if s.dirVal == Mod && !(s.hasUser && s.visible != No) {
			return "imply-above-dependency"
		}
		if s.cur.tri == Mod {
			return "implied-yes-not-m"
		}
	}
	return ""
}

// listNew411 is the output of listnewconfig as Linux 4.11 has it.
//
//   - listnewconfig-values: only the names were printed, and members of choices
//     were left out.
func listNew411(t *Tree) string {
	dropOutOfRange(t)
	var b strings.Builder
	for _, m := range t.NewSymbols() {
		if m.Sym.choice == nil {
			fmt.Fprintf(&b, "%s%s\n", prefix, m.Sym.Name)
		}
	}
	return b.String()
}

// minimal411 is the output of savedefconfig as Linux 4.11 has it. The
// differences are out-of-range again: a dropped number has no line.
func minimal411(t *Tree) string {
	dropOutOfRange(t)
	return string(t.MinimalConfig())
}

// dropOutOfRange forgets the users' numbers that are outside of their ranges.
func dropOutOfRange(t *Tree) {
	for _, s := range t.ordered {
		if s.calc(); (s.Type == Int || s.Type == Hex) && s.hasUser && !s.withinRange(s.user.str) {
			s.hasUser = false
		}
	}
	t.invalidate()
}

// The differences that the comparison allows are those that the documentation
// lists.
func TestDifferencesAreDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/kconfig.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("differences_test.go")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`(?m)^//   - ([a-z0-9-]+):`).FindAllStringSubmatch(string(source), -1)
	if len(names) < 9 {
		t.Errorf("%d differences found in the source, there are more", len(names))
	}
	for _, n := range names {
		if !strings.Contains(string(page), "\n| "+n[1]+" |") {
			t.Errorf("docs/kconfig.md does not explain %s", n[1])
		}
	}
}
