package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/elastic/go-seccomp-bpf"
	"golang.org/x/sys/unix"
)

// The test binary is the confined program, too.
func TestMain(m *testing.M) {
	switch os.Getenv("SANDBOX_TEST") {
	case "status":
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			b = []byte(err.Error())
		}
		_, _ = os.Stdout.Write(b)
		os.Exit(0)
	case "enter":
		if err := Enter(Privileges{}); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		_, err := os.Open("/etc/passwd")
		fmt.Println(errors.Is(err, unix.EACCES))
		_ = unix.Mount("none", "/mnt", "tmpfs", 0, "")
	}
	os.Exit(m.Run())
}

func TestBothListsAssembleForEveryPrivilege(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	for _, p := range []Privileges{{}, {Network: true}, {Files: true}, {Network: true, Files: true, Capabilities: []string{"CAP_NET_ADMIN"}}} {
		o, err := outer(p)
		if err == nil {
			_, err = o.Assemble()
		}
		if err != nil {
			t.Errorf("%+v: the outer list: %v", p, err)
		}
		i, err := inner(p, 1)
		if err == nil {
			_, err = i.Assemble()
		}
		if err != nil {
			t.Errorf("%+v: the inner list: %v", p, err)
		}
	}
}

// What the inner wall allows the outer one must not refuse: except with privileges,
// each name of the one is in the other.
func TestTheOuterListHoldsTheInnerOne(t *testing.T) {
	allowed := func(p seccomp.Policy) (names []string) {
		for _, g := range p.Syscalls {
			if g.Action == seccomp.ActionAllow {
				names = append(names, g.Names...)
				for _, r := range g.NamesWithCondtions {
					names = append(names, r.Name)
				}
			}
		}
		return names
	}
	for _, p := range []Privileges{{}, {Network: true, Files: true}} {
		o, err := outer(p)
		if err != nil {
			t.Skip(err)
		}
		i, err := inner(p, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range allowed(i) {
			if !slices.Contains(allowed(o), n) {
				t.Errorf("%s is allowed inside and not outside", n)
			}
		}
		if slices.Contains(allowed(i), "execve") || slices.Contains(allowed(i), "ptrace") || slices.Contains(allowed(o), "ptrace") {
			t.Errorf("%+v: execve or ptrace is allowed", p)
		}
	}
}

// run starts this test's binary in the wall and returns what it says.
func run(t *testing.T, what string, p Program) (said string, state *os.ProcessState) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	p.Path, p.Dir, p.Files = self, t.TempDir(), []*os.File{w, w, w}
	p.Env = []string{"SANDBOX_TEST=" + what}
	process, err := p.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<20)
	n := 0
	for n < len(b) {
		k, err := r.Read(b[n:])
		if n += k; err != nil {
			break
		}
	}
	if state, err = process.Wait(); err != nil {
		t.Fatal(err)
	}
	return string(b[:n]), state
}

// The thread that gave everything up is gone: the process that started the program
// is as it was.
func TestAStartConfinesTheProgramAndNotThisProcess(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	before := threads(t)
	said, state := run(t, "status", Program{})
	for _, want := range []string{"NoNewPrivs:\t1\n", "Seccomp:\t2\n", "CapEff:\t0000000000000000\n", "CapPrm:\t0000000000000000\n"} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q in %s (%v)", want, said, state)
		}
	}
	for range 20 {
		run(t, "status", Program{})
	}
	if after := threads(t); after != "NoNewPrivs:\t0\n" || after != before {
		t.Errorf("the threads of this process are %q, were %q", after, before)
	}
	if said, _ := run(t, "status", Program{Open: true}); !strings.Contains(said, "Seccomp:\t0\n") {
		t.Errorf("without a wall: %s", said)
	}
}

// threads are the different states of no_new_privs of the threads of this process.
func threads(t *testing.T) string {
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	var out []string
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(b)) {
			if strings.HasPrefix(line, "NoNewPrivs:") && !slices.Contains(out, line) {
				out = append(out, line)
			}
		}
	}
	return strings.Join(out, "")
}

// A program in both walls is refused files, and ended for what it must not ask for;
// what its runtime prints names the call.
func TestAProgramThatEnteredIsEndedForAForbiddenCall(t *testing.T) {
	if err := Available(); err != nil {
		t.Skip(err)
	}
	said, state := run(t, "enter", Program{})
	if !strings.HasPrefix(said, "true\n") || !strings.Contains(said, "SIGSYS") || state.Success() {
		t.Errorf("%v: %s", state, said)
	}
	if call := Call(said); call != "mount" {
		t.Errorf("the call is %q", call)
	}
	if call := Call("rax 12\nnothing"); call != "" {
		t.Errorf("the call is %q", call)
	}
}
