package scaffold_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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

func TestWhatIsWrittenBuildsAndItsTestsPass(t *testing.T) {
	for _, x := range []struct {
		scaffold.Options
		want []string
	}{
		{scaffold.Options{Kind: "protocol", Name: "hail", Number: 254}, []string{`"hail"`, "net.hail.max_size", "numbers"}},
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
