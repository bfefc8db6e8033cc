package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An export builds by itself and serves a program by a replace.
func TestExportServesAProgram(t *testing.T) {
	t.Parallel()
	b := repository(t)
	b.target(t, "tiny", "tinyconfig")
	dir := t.TempDir()
	lib, program := filepath.Join(dir, "lib"), filepath.Join(dir, "program")
	if err := b.Export(lib, "tiny"); err != nil {
		t.Fatal(err)
	}
	run := func(in string, args ...string) string {
		t.Helper()
		c := exec.Command("go", args...)
		c.Dir = in
		c.Env = append(b.goEnv(), "PWD="+in, "GOFLAGS=-mod=mod", "GOPROXY=off")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	run(lib, "build", "./...")
	if err := os.MkdirAll(program, 0o755); err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(lib, "go.sum")) // known already: no question to a checksum database
	if err != nil {
		t.Fatal(err)
	}
	for f, text := range map[string]string{
		"go.sum":  string(sums),
		"go.mod":  "module example.com/program\n\ngo 1.26\n\nrequire " + Module + " v0.0.0\n\nreplace " + Module + " => ../lib\n",
		"main.go": "package main\n\nimport \"" + Module + "\"\n\nfunc main() { println(libos.Wiring().Name) }\n",
	} {
		if err := os.WriteFile(filepath.Join(program, f), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out := run(program, "run", "."); out != "tiny\n" {
		t.Errorf("the program says %q", out)
	}
	// what is not chosen is not there, and the next export leaves nothing behind
	stray := filepath.Join(lib, "stray.go")
	if err := os.WriteFile(stray, []byte("package stray\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.Export(lib, "tiny"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stray); err == nil {
		t.Error("a file of before is in the export")
	}
	if err := b.Export(program, "tiny"); err == nil || !strings.Contains(err.Error(), "empty folder") {
		t.Errorf("export over somebody's files: %v", err)
	}
}
