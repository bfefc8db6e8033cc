package main

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The C library, compiled once for all C programs of the tests.
type library struct{ dir string }

func build(t *testing.T) library {
	t.Helper()
	if testing.Short() {
		t.Skip("it links the library and compiles C programs: not with -short")
	}
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("gcc is not installed: apt install gcc")
	}
	l := library{t.TempDir()}
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-buildmode=c-shared", "-o", filepath.Join(l.dir, "liblibos.so"), ".")
	c.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l.gcc(t, "liblibos-preload.so", "../preload/getsockopt.c", "-shared", "-fPIC", "-ldl")
	return l
}

// gcc compiles a C file without a warning.
func (l library) gcc(t *testing.T, out, source string, args ...string) string {
	t.Helper()
	path := filepath.Join(l.dir, out)
	args = append([]string{"-O1", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-I.", "-o", path, source}, args...)
	if text, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return path
}

// run compiles a C program that is linked with the library, and returns what it prints.
func (l library) run(t *testing.T, source string, args ...string) string {
	t.Helper()
	name := strings.TrimSuffix(filepath.Base(source), ".c")
	program := l.gcc(t, name, source, filepath.Join(l.dir, "liblibos.so"), "-Wl,-rpath,"+l.dir, "-lpthread", "-ldl")
	return l.start(t, nil, program, args...)
}

func (l library) start(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(program), err, out)
	}
	return string(out)
}

func TestCPrograms(t *testing.T) {
	l := build(t)
	t.Run("two stacks ping each other in the caller's virtual time", func(t *testing.T) {
		want := ""
		for _, to := range []string{"10.0.0.2", "10.0.0.1"} {
			for _, line := range []string{"seq=1 time=15.000", "seq=2 time=10.000", "seq=3 time=10.000"} {
				if to == "10.0.0.1" {
					line = strings.Replace(line, "15", "10", 1) // the neighbour is known
				}
				want += to + ": " + line + " ms\n"
			}
		}
		for range 3 {
			if got := l.run(t, "../../examples/c/ping.c"); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "65.000 ms of virtual time\n") {
				t.Errorf("it prints\n%s", got)
			}
		}
	})
	t.Run("a program drives the stack as packetdrill does", func(t *testing.T) {
		program := l.gcc(t, "drill", "testdata/drill.c", "-lpthread", "-ldl")
		so, preload := filepath.Join(l.dir, "liblibos.so"), "LD_PRELOAD="+filepath.Join(l.dir, "liblibos-preload.so")
		for range 20 {
			for _, got := range []string{
				l.start(t, nil, program, so),
				l.start(t, []string{preload}, program, so, "local=192.168.0.1/16,sysctl=no", "by the preloaded getsockopt"),
			} {
				if got != "accepted\ndata\nclosed\n" {
					t.Errorf("it prints\n%s", got)
				}
			}
		}
	})
	t.Run("system calls in real time, from several threads, which leave nothing", func(t *testing.T) {
		want := "epoll\nsplice\nmessages\nipv6\nselect, timers and files\nthreads\nnothing left\n"
		for range 3 {
			if got := l.run(t, "testdata/calls.c"); got != want {
				t.Errorf("it prints\n%s", got)
			}
		}
	})
	t.Run("packetdrill's own surroundings in a network namespace", func(t *testing.T) {
		program := l.gcc(t, "namespace", "testdata/namespace.c", "-ldl")
		got := l.start(t, nil, program, filepath.Join(l.dir, "liblibos.so"))
		if strings.HasPrefix(got, "no namespace: ") {
			t.Skip(strings.TrimSpace(got))
		}
		if got != "addresses, MTU and settings are those of the namespace\n" {
			t.Errorf("it prints\n%s", got)
		}
	})
	t.Run("a flag that is not known is explained", func(t *testing.T) {
		program := l.gcc(t, "drill", "testdata/drill.c", "-lpthread", "-ldl")
		out, err := exec.CommandContext(t.Context(), program, filepath.Join(l.dir, "liblibos.so"), "mtu=9").CombinedOutput()
		if err == nil || string(out) != "packetdrill_interface_init: mtu=9: write a number from 68 to 65535\n" {
			t.Errorf("%v\n%s", err, out)
		}
	})
}

// The contract that no Go code calls C: what Go takes from C are types and
// constants.
func TestGoNeverCallsC(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "C" {
				seen++
				if !strings.HasSuffix(s.Sel.Name, "_t") && s.Sel.Name != "int" {
					t.Errorf("%s calls C.%s", name, s.Sel.Name)
				}
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("no use of C was found: the test looks at the wrong files")
	}
}
