package kconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sort"
)

// DiffKind tells the lines of a configuration diff apart.
type DiffKind string

const (
	Removed     DiffKind = "removed"
	ValueChange DiffKind = "changed"
	Added       DiffKind = "added"
)

// Difference is one symbol that two configurations disagree on.
type Difference struct {
	Kind   DiffKind `json:"kind"`
	Symbol string   `json:"symbol"`
	Old    string   `json:"old,omitempty"`
	New    string   `json:"new,omitempty"`
}

// String is the line diffconfig prints: "-X y", " X n -> y" or "+X y".
func (d Difference) String() string {
	switch d.Kind {
	case Removed:
		return fmt.Sprintf("-%s %s", d.Symbol, d.Old)
	case Added:
		return fmt.Sprintf("+%s %s", d.Symbol, d.New)
	}
	return fmt.Sprintf(" %s %s -> %s", d.Symbol, d.Old, d.New)
}

// configValues reads name and value of every symbol in a .config; "is not
// set" counts as n.
func configValues(data []byte) map[string]string {
	m := &merged{lines: map[string]configLine{}, from: map[string]Pos{}}
	m.fragment("", data, true)
	vals := map[string]string{}
	for name, c := range m.lines {
		vals[name] = c.value
	}
	return vals
}

// DiffConfigs compares the contents of two .configs: what is gone, then what
// changed, then what is new, each sorted by name.
func DiffConfigs(old, new []byte) []Difference {
	a, b := configValues(old), configValues(new)
	list := []Difference{}
	for name, v := range a {
		w, both := b[name]
		if !both {
			list = append(list, Difference{Removed, name, v, ""})
		} else if v != w {
			list = append(list, Difference{ValueChange, name, v, w})
		}
	}
	for name, w := range b {
		if _, both := a[name]; !both {
			list = append(list, Difference{Added, name, "", w})
		}
	}
	rank := map[DiffKind]int{Removed: 0, ValueChange: 1, Added: 2}
	sort.Slice(list, func(i, j int) bool {
		if x, y := rank[list[i].Kind], rank[list[j].Kind]; x != y {
			return x < y
		}
		return list[i].Symbol < list[j].Symbol
	})
	return list
}

// Diff prints how two configuration files differ: .config.old and .config
// unless two are named. As lines to merge (mergeStyle) it prints the second
// file's values only.
func (s *Session) Diff(args []string, mergeStyle bool) error {
	base := s.Env.Value("KCONFIG_CONFIG")
	if base == "" {
		base = ".config"
	}
	files := []string{base + ".old", base}
	switch len(args) {
	case 0:
	case 2:
		files = args
	default:
		return fmt.Errorf("diffconfig wants two files, or none for %s and %s", files[0], files[1])
	}
	var data [2][]byte
	for i, f := range files {
		var err error
		data[i], err = os.ReadFile(s.path(f))
		if errors.Is(err, fs.ErrNotExist) && len(args) == 0 {
			return fmt.Errorf("there is no %s: it appears with the first change of %s; to compare other files, name two", f, base)
		}
		if err != nil {
			return err
		}
	}
	list := DiffConfigs(data[0], data[1])
	if s.JSON {
		return s.writeJSON(list)
	}
	for _, d := range list {
		switch {
		case !mergeStyle:
			fmt.Fprintln(s.Stdout, d)
		case d.Kind == Removed || d.New == "n":
			if d.Kind != Removed {
				fmt.Fprintf(s.Stdout, "# %s%s is not set\n", prefix, d.Symbol)
			}
		default:
			fmt.Fprintf(s.Stdout, "%s%s=%s\n", prefix, d.Symbol, d.New)
		}
	}
	return nil
}
