package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/libos-go/libos/cmd/libos/control"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"libos": main})
}

// The command line, as scripts: testdata/script/*.txtar.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			// Paths of Unix sockets are short: at most 107 bytes.
			run, err := os.MkdirTemp("", "libos")
			if err != nil {
				return err
			}
			e.Defer(func() { _ = os.RemoveAll(run) })
			var numbers strings.Builder
			for i := 1; i <= 100000; i++ {
				fmt.Fprintln(&numbers, i)
			}
			if err := os.WriteFile(filepath.Join(e.WorkDir, "numbers"), []byte(numbers.String()), 0o644); err != nil {
				return err
			}
			self, err := exec.LookPath("libos")
			if err != nil {
				return err
			}
			e.Setenv("LIBOS", self)
			e.Setenv("XDG_RUNTIME_DIR", run)
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "namespaces" {
				return namespaces(), nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"answers": answers,
			"bound":   bound,
			"made":    made,
		},
	})
}

// answers NAME waits until a stack answers on a control socket.
func answers(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: answers NAME")
	}
	c := control.Client{Path: control.Path(ts.Getenv, args[0])}
	patiently(ts, "a stack on "+c.Path, func(ctx context.Context) bool {
		_, err := c.List(ctx)
		return err == nil
	})
}

// bound NAME INSTANCE ADDRESS waits until an instance has a socket at a local
// address.
func bound(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: bound NAME INSTANCE ADDRESS")
	}
	c := control.Client{Path: control.Path(ts.Getenv, args[0])}
	patiently(ts, "a socket of "+args[1]+" at "+args[2], func(ctx context.Context) bool {
		list, err := c.List(ctx)
		for _, i := range list {
			for _, s := range i.Sockets {
				if i.Name == args[1] && s.Local == args[2] && err == nil {
					return true
				}
			}
		}
		return false
	})
}

// made FILE waits until there is a file.
func made(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: made FILE")
	}
	path := ts.MkAbs(args[0])
	patiently(ts, path, func(context.Context) bool {
		_, err := os.Stat(path)
		return err == nil
	})
}

// patiently tries until it is true, for half a minute at most.
func patiently(ts *testscript.TestScript, what string, try func(context.Context) bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !try(ctx) {
		select {
		case <-ctx.Done():
			ts.Fatalf("%s: waited for half a minute", what)
		case <-tick.C:
		}
	}
}
