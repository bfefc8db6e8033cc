package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"golang.org/x/mod/modfile"
)

//go:embed templates
var templates embed.FS

// Kinds are what can be begun.
func Kinds() []string { return []string{"protocol", "device", "cc"} }

// Options say what to write.
type Options struct {
	Kind   string // of Kinds
	Name   string // a Go package name
	Dir    string // to be made; "": Name
	Module string // module path; "": example.org/NAME
	// Checkout is a source tree of libos, for a replace in go.mod; "": the
	// published Version.
	Checkout string
	Version  string // of libos
	Number   int    // IP protocol number; 0: 253
}

var names = regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`)

// New writes the files and returns their names in Dir. It overwrites nothing: a
// directory that exists must be empty.
func New(o Options) ([]string, error) {
	if !names.MatchString(o.Name) {
		return nil, fmt.Errorf("new %s: %q is no name: lower-case letters and digits, a letter first, at most 31", o.Kind, o.Name)
	}
	if o.Number == 0 {
		o.Number = 253
	}
	if o.Number < 1 || o.Number > 255 {
		return nil, fmt.Errorf("new %s: %d is no IP protocol number: 1 to 255, 253 and 254 are for experiments", o.Kind, o.Number)
	}
	if o.Dir == "" {
		o.Dir = o.Name
	}
	if o.Module == "" {
		o.Module = "example.org/" + o.Name
	}
	if base := o.Module[strings.LastIndex(o.Module, "/")+1:]; base != o.Name {
		return nil, fmt.Errorf("new %s: the module path %s does not end in the package's name %s", o.Kind, o.Module, o.Name)
	}
	if entries, err := os.ReadDir(o.Dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("new %s: %s is not empty: remove it or choose another directory", o.Kind, o.Dir)
	}
	data := struct {
		Options
		Symbol, Group, Go string
		Requires          []string
	}{Options: o, Symbol: strings.ToUpper(o.Name), Group: strings.ToUpper(o.Name[:1]) + o.Name[1:], Go: "1.26"}
	var sums []byte
	if o.Checkout != "" {
		var err error
		if data.Checkout, err = filepath.Abs(o.Checkout); err != nil {
			return nil, err
		}
		if data.Requires, sums, err = needs(data.Checkout); err != nil {
			return nil, err
		}
	}
	root := "templates/" + o.Kind
	if _, err := fs.Stat(templates, root); err != nil {
		return nil, fmt.Errorf("new %s: there is no such kind: %s", o.Kind, strings.Join(Kinds(), ", "))
	}
	files := map[string]string{
		"go.mod.tmpl": "go.mod", "Kconfig.toml.tmpl": "Kconfig.toml", "README.md.tmpl": "README.md",
		o.Kind + ".go.tmpl": o.Name + ".go", o.Kind + "_test.go.tmpl": o.Name + "_test.go", "main.go.tmpl": "module/main.go",
		"try.go.tmpl": "try/main.go", "host.toml.tmpl": "host.toml", "gitignore.tmpl": ".gitignore",
	}
	var written []string
	entries, err := fs.ReadDir(templates, root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := fs.ReadFile(templates, root+"/"+e.Name())
		if err != nil {
			return nil, err
		}
		t, err := template.New(e.Name()).Parse(string(text))
		if err != nil {
			return nil, err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, data); err != nil {
			return nil, err
		}
		name := files[e.Name()]
		out := b.Bytes()
		if strings.HasSuffix(name, ".go") {
			if out, err = format.Source(out); err != nil {
				return nil, fmt.Errorf("%s: %w", e.Name(), err)
			}
		}
		if err := write(filepath.Join(o.Dir, name), out); err != nil {
			return nil, err
		}
		written = append(written, name)
	}
	if sums != nil {
		if err := write(filepath.Join(o.Dir, "go.sum"), sums); err != nil {
			return nil, err
		}
	}
	return written, nil
}

func write(file string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, b, 0o644)
}

// needs reads what a checkout of libos requires, with the sums, so that the new
// module builds without asking anybody.
func needs(checkout string) (requires []string, sums []byte, err error) {
	file := filepath.Join(checkout, "go.mod")
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("%s: no go.mod: name a source tree of libos", checkout)
	}
	if err != nil {
		return nil, nil, err
	}
	m, err := modfile.Parse(file, b, nil)
	if err != nil {
		return nil, nil, err
	}
	for _, r := range m.Require {
		requires = append(requires, r.Mod.Path+" "+r.Mod.Version)
	}
	sums, err = os.ReadFile(filepath.Join(checkout, "go.sum"))
	return requires, sums, err
}
