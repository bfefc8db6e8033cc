package scaffold_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestTheGuide runs every command of docs/writing-a-module.md as it stands there.
// The one difference to a reader's machine: libos is this checkout. As there, Go may
// download what the new module's graph names beyond what this one has needed so far.
func TestTheGuide(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("modules run on Linux only")
	}
	text, err := os.ReadFile("../../docs/writing-a-module.md")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "../../cmd/libosbuild").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	script := "set -eu\n"
	commands := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(text, -1) {
		for _, line := range strings.Split(strings.TrimSpace(string(block[1])), "\n") {
			if strings.HasPrefix(line, "libosbuild new") {
				line += " --libos " + root
			}
			script += "echo \"$ " + line + "\"\n" + line + "\n"
			commands++
		}
	}
	if commands < 8 {
		t.Fatalf("the guide has %d commands", commands)
	}
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		`ok  	example.org/hail`, `"name": "hail"`, "modules/hail.json: module hail 0.1.0",
		`10.0.0.1 says "hello"; module hail, process `,
	} {
		if !strings.Contains(strings.ReplaceAll(string(out), `":  "`, `": "`), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
}
