package kconfig

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected files of the cases")

// A case is a folder of testdata/cases: a Kconfig.toml, whatever other files
// the commands read, and
//
//	cmd               the commands, a line each: [VARIABLE=value...] TARGET [ARG...],
//	                  where WITH=SPEC is a third party's tree that is asked for
//	stdin             what is typed, if anything
//	expected_stdout   what the commands print (absent: nothing)
//	expected_stderr   the messages (absent: none)
//	expected_exit     the exit status of the last command (absent: 0)
//	expected_config   the .config in the end (absent: there is none)
//	expected_NAME     any other file in the end
//
// The commands stop at the first that fails. Adding a case is adding a folder
// and running the test with -update.
func TestCases(t *testing.T) {
	dirs, err := filepath.Glob("testdata/cases/*")
	if err != nil {
		t.Fatal(err)
	}
	if len(dirs) < 100 {
		t.Errorf("%d cases only", len(dirs))
	}
	t.Logf("%d golden cases", len(dirs))
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { runCase(t, dir) })
	}
}

func runCase(t *testing.T, dir string) {
	work := t.TempDir()
	if err := os.CopyFS(work, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile(filepath.Join(dir, "cmd"))
	if err != nil {
		t.Fatal(err)
	}
	stdin, _ := os.ReadFile(filepath.Join(dir, "stdin"))
	var stdout, stderr bytes.Buffer
	exit := 0
	in := bytes.NewReader(stdin)
	for _, line := range strings.Split(strings.TrimSpace(string(script)), "\n") {
		env, args := splitCommand(line)
		s := &Session{Dir: work, Env: func(n string) (string, bool) { v, ok := env[n]; return v, ok }, Stdin: in, Stdout: &stdout, Stderr: &stderr, Find: findInCase}
		if w := env["WITH"]; w != "" {
			s.With = strings.Split(w, ",")
		}
		if err := s.command(args); err != nil {
			if !errors.Is(err, ErrFailed) {
				fmt.Fprintf(&stderr, "%v\n", err)
			}
			exit = 1
			break
		}
	}
	got := map[string]string{
		"expected_stdout": stdout.String(),
		"expected_stderr": strings.ReplaceAll(stderr.String(), work+string(filepath.Separator), ""),
		"expected_exit":   "",
		"expected_config": "",
	}
	if exit != 0 {
		got["expected_exit"] = strconv.Itoa(exit) + "\n"
	}
	files, _ := os.ReadDir(work)
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(work, f.Name()))
		if err != nil || strings.HasPrefix(f.Name(), "expected_") {
			continue
		}
		if f.Name() == ".config" {
			got["expected_config"] = string(data)
		} else if _, err := os.Stat(filepath.Join(dir, f.Name())); err != nil {
			got["expected_"+strings.TrimPrefix(f.Name(), ".")] = string(data)
		}
	}
	if *update {
		old, _ := filepath.Glob(filepath.Join(dir, "expected_*"))
		for _, f := range old {
			os.Remove(f)
		}
	}
	want := map[string]string{}
	for name, content := range got {
		if *update && content != "" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want[name] = ""
	}
	old, _ := filepath.Glob(filepath.Join(dir, "expected_*"))
	for _, f := range old {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		want[filepath.Base(f)] = string(data)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

// findInCase finds PATH, MODULE=PATH and, in the folder named by the module's last
// word, MODULE@VERSION.
func findInCase(dir, spec string) (*Outside, error) {
	o := &Outside{Spec: spec}
	at := spec
	if m, p, ok := strings.Cut(spec, "="); ok {
		o.Module, at = m, p
	} else if m, v, ok := strings.Cut(spec, "@"); ok {
		o.Module, o.Version, at = m, v, m[strings.LastIndexByte(m, '/')+1:]
	}
	o.Dir, o.Shown = filepath.Join(dir, at), at
	if o.Version != "" {
		o.Shown = spec
	}
	data, err := os.ReadFile(filepath.Join(o.Dir, "go.mod"))
	if err != nil {
		return nil, errors.New("there is no such folder")
	}
	o.Module = strings.TrimSpace(strings.TrimPrefix(string(data), "module "))
	if o.Version == "" {
		o.Spec = o.Module + "=" + at
	}
	return o, nil
}

func splitCommand(line string) (env map[string]string, args []string) {
	env = map[string]string{}
	for _, w := range strings.Fields(line) {
		if name, val, ok := strings.Cut(w, "="); ok && len(args) == 0 {
			env[name] = val
			continue
		}
		// _ stands for a blank in an argument.
		args = append(args, strings.ReplaceAll(w, "%20", " "))
	}
	return env, args
}

// command runs one line of a cmd file.
func (s *Session) command(args []string) error {
	if len(args) > 1 && args[0] == "json" {
		s.JSON, args = true, args[1:]
	}
	name, rest := args[0], args[1:]
	switch name {
	case "set":
		return s.Set(rest)
	case "get":
		return s.Get(rest)
	case "explain":
		return s.ExplainSymbols(rest)
	case "diffconfig":
		if len(rest) > 0 && rest[0] == "-m" {
			return s.Diff(rest[1:], true)
		}
		return s.Diff(rest, false)
	case "merge":
		var opt MergeOptions
		for len(rest) > 0 && strings.HasPrefix(rest[0], "-") {
			for _, c := range rest[0][1:] {
				switch c {
				case 'm':
					opt.NoSolve = true
				case 'n':
					opt.AllNo = true
				case 'r':
					opt.Redundant = true
				case 'y':
					opt.KeepYes = true
				case 's':
					opt.Strict = true
				}
			}
			rest = rest[1:]
		}
		return s.Merge(rest, opt)
	case "header":
		t, err := s.LoadConfigured()
		if err == nil {
			_, err = s.Stdout.Write(t.Header())
		}
		return err
	case "facts":
		t, err := s.LoadConfigured()
		if err != nil {
			return err
		}
		for _, n := range rest {
			sym, err := t.find(n)
			if err != nil {
				return err
			}
			fmt.Fprint(s.Stdout, sym.Menus[0].HelpText())
		}
		return nil
	case "menu":
		t, err := s.LoadConfigured()
		if err == nil {
			s.printMenu(t.Root, 0)
		}
		return err
	}
	return s.Run(name, rest)
}

// printMenu shows the menu as a configuration program would: indented, with
// what is visible and what can be changed.
func (s *Session) printMenu(m *Menu, depth int) {
	for _, c := range m.List {
		mark := " "
		if !c.Visible() {
			mark = "-"
		}
		what := c.Text()
		if c.Sym != nil && !c.Sym.isChoice {
			lo, hi, ok := c.Sym.Limits()
			what = fmt.Sprintf("%s %s=%s", what, c.Sym.Name, c.Sym.String())
			if ok {
				what += fmt.Sprintf(" (%s..%s)", lo, hi)
			}
		}
		fmt.Fprintf(s.Stdout, "%s%s%s\n", mark, strings.Repeat("  ", depth), what)
		s.printMenu(c, depth+1)
	}
}
