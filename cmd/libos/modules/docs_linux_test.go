package modules_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/cmd/libos/control"
	"github.com/libos-go/libos/core/config"
)

// TestTheDocumentsCommands runs the commands of docs/modules.md as they stand there
// and holds what they print against it: numbers, digests and the width of columns
// may differ, and lines may follow where it has "…".
func TestTheDocumentsCommands(t *testing.T) {
	if !config.IPV4 || !config.LOOPBACK {
		t.Skip("this configuration lacks IPV4 or LOOPBACK")
	}
	text, err := os.ReadFile("../../../docs/modules.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		m := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(text)
		if m == nil {
			t.Fatalf("the document has no %s", language)
		}
		return string(m[1])
	}
	dir := t.TempDir()
	if err := os.Symlink(modulesBeside(t, "modules"), filepath.Join(dir, "modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "host.toml"), []byte(block("toml")), 0o644); err != nil {
		t.Fatal(err)
	}
	run, err := os.MkdirTemp("", "libos") // paths of Unix sockets are short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(run)
	env := append(os.Environ(), "XDG_RUNTIME_DIR="+run)
	commands := strings.Split("\n"+block("console"), "\n$ ")[1:]
	if len(commands) < 8 {
		t.Fatalf("the document has %d commands", len(commands))
	}
	runtime.LockOSThread() // a stack that is left over when this test is killed would hold what it inherited
	defer runtime.UnlockOSThread()
	for _, c := range commands {
		line, want, _ := strings.Cut(strings.TrimSuffix(c, "\n"), "\n")
		words := strings.Fields(line)
		cmd := exec.Command(words[0], words[1:]...)
		cmd.Dir, cmd.Env = dir, env
		if words[len(words)-1] == "&" {
			cmd.Args = cmd.Args[:len(cmd.Args)-1]
			cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = cmd.Process.Signal(syscall.SIGINT)
				_ = cmd.Wait()
			}()
			stackAnswers(t, run)
			continue
		}
		out, _ := cmd.CombinedOutput()
		want, more := strings.CutSuffix(want, "\n…")
		got := alike(strings.ReplaceAll(string(out), dir+"/", ""))
		if want = alike(want); got != want && (!more || !strings.HasPrefix(got, want+"\n")) {
			t.Errorf("$ %s\nprints\n%s\nand the document says\n%s", line, got, want)
		}
	}
}

// stackAnswers waits for the control socket of a stack.
func stackAnswers(t *testing.T, run string) {
	client := control.Client{Path: control.Path(func(k string) string { return map[string]string{"XDG_RUNTIME_DIR": run}[k] }, "default")}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		if _, err := client.List(ctx); err == nil {
			return
		}
		if ctx.Err() != nil {
			t.Fatal("no stack answers")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// alike takes out of a text what differs from run to run.
func alike(s string) string {
	s = regexp.MustCompile(`[0-9a-f]{64}`).ReplaceAllString(s, "DIGEST")
	s = regexp.MustCompile(`process \d+|live +\d+`).ReplaceAllStringFunc(s, func(x string) string { return strings.Fields(x)[0] + " N" })
	s = regexp.MustCompile(` +`).ReplaceAllString(s, " ")
	return strings.TrimSpace(regexp.MustCompile(` +\n`).ReplaceAllString(s, "\n"))
}
