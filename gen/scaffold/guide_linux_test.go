package scaffold_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTheGuide runs every command of docs/writing-a-module.md as it stands there, in
// a terminal, in which menuconfig is answered as a reader would. The one difference to
// a reader's machine: libos is this checkout. As there, Go may download what the new
// module's graph names beyond what this one has needed so far.
func TestTheGuide(t *testing.T) {
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
	script, commands := commandsOf(text, root)
	if commands < 20 {
		t.Fatalf("the guide has %d commands", commands)
	}
	term := openTerminal(t)
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir = t.TempDir()
	runtimeDir := t.TempDir() // for the control socket: beside others of this machine
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "GOFLAGS=-mod=mod", "GOWORK=off", "TERM=xterm", "XDG_RUNTIME_DIR="+runtimeDir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = term.far, term.far, term.far
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// what is left running when a command fails belongs to the script's own group
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	// "Loadable modules" is the first line; the last one is the third parties' menu
	go term.answer("Third-party modules", "y", "\x1b[F", "\r", "m", "q", "q", "\r")
	select {
	case err = <-ended:
	case <-time.After(10 * time.Minute):
		t.Fatalf("the guide does not come to its end:\n%s", term.shown())
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, term.shown())
	}
	if took := term.took(); took > 15*time.Minute {
		t.Errorf("the guide took %v", took)
	}
	out := strings.ReplaceAll(strings.ReplaceAll(term.shown(), `":  "`, `": "`), "\r", "")
	for _, want := range []string{
		`ok  	example.org/hail`, "datagrams between ports", "MODULE  build/default/modules/hail (", "hail devel is live as process ",
		"symbol:         CONFIG_HAIL=m", "\nwelcome\n", "CONFIG_HAIL=y",
		`"name": "hail"`, "modules/hail.json: module hail 0.1.0", `10.0.0.1 says "hello"; module hail, process `,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if !regexp.MustCompile(`(?m)^hail +devel +live +\d+ +1 +0 +2 +0 +[1-9]`).MatchString(out) {
		t.Errorf("lsmod shows no packet that the module carried:\n%s", out)
	}
}

// commandsOf is a script of the commands in the blocks of a text.
func commandsOf(text []byte, root string) (script string, commands int) {
	script = "set -eu\n"
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllSubmatch(text, -1) {
		for _, line := range strings.Split(strings.TrimSpace(string(block[1])), "\n") {
			if strings.HasPrefix(line, "libosbuild new") {
				line += " --libos " + root
			}
			script += "echo '$ " + strings.ReplaceAll(line, "'", `'\''`) + "'\n" + line + "\n"
			commands++
		}
	}
	return script, commands
}

// terminal is one whose keys a test presses and whose screen it reads.
type terminal struct {
	near, far *os.File
	begun     time.Time
	mu        sync.Mutex
	out       strings.Builder
}

func openTerminal(t *testing.T) *terminal {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("menuconfig needs a terminal, and there is none to be had: %v", err)
	}
	t.Cleanup(func() { near.Close() })
	number, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(near.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 50, Col: 160})
	}
	if err != nil {
		t.Fatal(err)
	}
	far, err := os.OpenFile(filepath.Join("/dev/pts", strconv.Itoa(number)), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	x := &terminal{near: near, far: far, begun: time.Now()}
	go func() {
		var b [4096]byte
		for {
			n, err := near.Read(b[:])
			x.mu.Lock()
			x.out.Write(b[:n])
			x.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return x
}

func (x *terminal) took() time.Duration { return time.Since(x.begun) }

func (x *terminal) shown() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.out.String()
}

// answer presses keys, one after the other, once a text is shown: each when the
// screen has been still for a moment.
func (x *terminal) answer(text string, keys ...string) {
	for !strings.Contains(x.shown(), text) {
		if x.took() > 10*time.Minute {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	for _, k := range keys {
		for before := -1; before != len(x.shown()); time.Sleep(300 * time.Millisecond) {
			before = len(x.shown())
		}
		if _, err := x.near.WriteString(k); err != nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}
