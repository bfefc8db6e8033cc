package scaffold_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/outside"
	"github.com/libos-go/libos/gen/scaffold"
)

// begun runs what a reader of the new README runs, and returns what the module
// says of itself.
func begun(t *testing.T, o scaffold.Options) string {
	t.Helper()
	o.Dir, o.Checkout, o.Version = filepath.Join(t.TempDir(), o.Name), "../..", "v0.1.0"
	files, err := scaffold.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(files, o.Name+".go") || !slices.Contains(files, "module/main.go") || slices.Contains(files, "") {
		t.Errorf("written: %v", files)
	}
	inMenus(t, o)
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Dir = o.Dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
		return string(out)
	}
	if out := run("gofmt", "-l", "."); out != "" {
		t.Errorf("not formatted: %s", out)
	}
	run("go", "vet", "./...")
	run("go", "test", "./...")
	run("go", "build", "-o", "modules/"+o.Name, "./module")
	return run("modules/"+o.Name, "--describe")
}

// inMenus holds that the menus of libos take the new module in, as its README says.
func inMenus(t *testing.T, o scaffold.Options) {
	t.Helper()
	menus := kconfig.Menus{FS: os.DirFS("../.."), File: kconfig.FileName, Shown: ".", Home: o.Dir,
		Find: outside.Finder("../..", ""), With: []kconfig.Asked{{Spec: "."}}}
	tree, messages := menus.Load()
	if messages.Errors() {
		t.Fatal(messages)
	}
	found := false
	for _, s := range tree.Symbols() {
		if s.Outside != nil {
			found = s.Package == "example.org/"+o.Name && s.Type == kconfig.TristateType && s.String() == "y" // without MODULES
		}
	}
	if !found {
		t.Errorf("the menus have no tristate of package example.org/%s that is on by default", o.Name)
	}
	readme, err := os.ReadFile(filepath.Join(o.Dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nlibosbuild menuconfig --with . ", "\nlibosbuild build --with . "} {
		if !strings.Contains(string(readme), want) {
			t.Errorf("README.md lacks %q", want)
		}
	}
}

func TestWhatIsWrittenBuildsAndItsTestsPass(t *testing.T) {
	for _, x := range []struct {
		scaffold.Options
		want []string
	}{
		{scaffold.Options{Kind: "protocol", Name: "hail", Number: 254}, []string{`"hail"`, "net.hail.max_size", "numbers"}},
		{scaffold.Options{Kind: "device", Name: "mirror"}, []string{`"mirror"`, "devices", `"delay"`}},
		{scaffold.Options{Kind: "cc", Name: "calm"}, []string{`"calm"`, "controls"}},
	} {
		t.Run(x.Kind, func(t *testing.T) {
			out := begun(t, x.Options)
			for _, want := range x.want {
				if !strings.Contains(out, want) {
					t.Errorf("the description lacks %s: %s", want, out)
				}
			}
		})
	}
}

func TestWhatIsRefused(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]scaffold.Options{
		"is no name":            {Kind: "protocol", Name: "Hail"},
		"no IP protocol number": {Kind: "protocol", Name: "hail", Number: 256},
		"is not empty":          {Kind: "protocol", Name: "hail", Dir: full},
		"does not end in":       {Kind: "protocol", Name: "hail", Dir: t.TempDir(), Module: "example.org/other"},
		"no such kind":          {Kind: "pizza", Name: "hail", Dir: t.TempDir()},
		"no go.mod":             {Kind: "protocol", Name: "hail", Dir: t.TempDir(), Checkout: t.TempDir()},
	} {
		if _, err := scaffold.New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v does not say %q", o, err, want)
		}
	}
}
