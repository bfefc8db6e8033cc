package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// row is one line of the table.
type row struct {
	name   string
	server string // a shell script on the right host, ended with the row
	client string // one on the left host, whose output is judged
	want   string // a regular expression for that output
	still  bool   // moves no data between the hosts
	needs  string // commands that must be installed, one for each word
}

// patience is how long a row may take, and how long one that is to fail: several times
// what those take that pass.
const (
	patience       = 60 * time.Second
	brokenPatience = 10 * time.Second
)

func main() {
	if len(os.Args) > 1 && goPrograms(os.Args[1:]) {
		return
	}
	libos := flag.String("libos", "build/default/libos", "the `binary` to run programs with")
	broken := flag.Bool("broken", false, "damage every frame between the hosts: rows that move data must fail")
	out := flag.String("out", "build/apps", "`directory` for what the programs print")
	flag.Parse()
	if err := table(*libos, *out, *broken, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "apps:", err)
		os.Exit(1)
	}
}

// table runs the rows that were named, or all.
func table(libos, out string, broken bool, names []string) (err error) {
	l, err := newLab(libos, out, broken)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	passed, wrong := 0, 0
	for _, r := range rows {
		if broken && r.still || len(names) > 0 && !named(r.name, names) {
			continue
		}
		limit := patience
		if broken {
			limit = brokenPatience
		}
		ok, why := l.run(&r, limit)
		word := "FAIL"
		if ok {
			word = "PASS"
			passed++
		}
		if ok == broken {
			wrong++
		}
		fmt.Printf("%s %-18s %s%s\n", word, r.name, oneLine(r.client), why)
	}
	fmt.Printf("%d passed, %d did not do what they should\n", passed, wrong)
	if wrong > 0 {
		return fmt.Errorf("%d rows, see %s", wrong, out)
	}
	return nil
}

func named(name string, names []string) bool {
	for _, n := range names {
		if ok, _ := filepath.Match(n, name); ok {
			return true
		}
	}
	return false
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// lab is two hosts behind a control socket.
type lab struct {
	libos, out, dir string
	up              *exec.Cmd
	log             bytes.Buffer
}

const hosts = `
[[instance]]
name = "left"
[[instance.device]]
name = "eth0"
link = "lan"
addresses = ["10.9.0.1/24", "fd09::1/64"]
usable = true
[[instance]]
name = "right"
[[instance.device]]
name = "eth0"
link = "lan"
addresses = ["10.9.0.2/24", "fd09::2/64"]
usable = true
[[link]]
name = "lan"
`

func newLab(libos, out string, broken bool) (*lab, error) {
	libos, err := filepath.Abs(libos)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(libos); err != nil {
		return nil, fmt.Errorf("%w: make builds it", err)
	}
	if out, err = filepath.Abs(out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "apps")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, err
	}
	l := &lab{libos: libos, out: out, dir: dir}
	text := hosts
	if broken {
		text += "mode = \"raw\"\ncorrupt = 1\n" // a link header has no checksum: a bit of it may flip unnoticed
	}
	for name, data := range files(text) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return nil, err
		}
	}
	l.up = l.command(context.Background(), "up", "--control", l.socket(), filepath.Join(dir, "hosts.toml"))
	l.up.Stdout, l.up.Stderr = &l.log, &l.log
	if err := l.up.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if exec.Command(libos, "list", "--control", l.socket()).Run() == nil {
			return l, nil
		}
		if time.Now().After(end) {
			return nil, errors.Join(errors.New("libos up does not answer"), l.close())
		}
	}
}

// files are what the programs serve and send.
func files(hosts string) map[string][]byte {
	big := make([]byte, 8<<20)
	for i := range big {
		big[i] = byte(i * (i >> 8))
	}
	return map[string][]byte{
		"hosts.toml": []byte(hosts),
		"big":        big,
		"hello":      []byte("hello from the right\n"),
	}
}

func (l *lab) socket() string { return filepath.Join(l.dir, "control.sock") }

// command is the libos binary in a process group of its own, which ends with ctx.
func (l *lab) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, l.libos, args...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGTERM) }
	c.WaitDelay = 2 * time.Second
	return c
}

// program is a shell script on a host.
func (l *lab) program(ctx context.Context, host, dir, script string) *exec.Cmd {
	self, _ := os.Executable()
	c := l.command(ctx, "exec", "--control", l.socket(), host, "--", "sh", "-c", prelude+script)
	c.Dir = dir
	c.Env = append(os.Environ(), "R=10.9.0.2", "R6=fd09::2", "L=10.9.0.1", "FILES="+l.dir, "SELF="+self, "LC_ALL=C", "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin")
	return c
}

// prelude is what the scripts have beside the programs.
const prelude = `
# open PORT waits until the right host listens there.
open() { until nc -z -w 1 $R $1 2>/dev/null; do sleep 0.05; done; }
`

// run runs a row and judges it.
func (l *lab) run(r *row, limit time.Duration) (ok bool, why string) {
	for _, n := range strings.Fields(r.needs) {
		if _, err := exec.LookPath(n); err != nil {
			if _, err := os.Stat("/usr/sbin/" + n); err != nil {
				return false, ": " + n + " is not installed"
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	dir := filepath.Join(l.dir, r.name)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return false, ": " + err.Error()
	}
	_ = os.Chmod(dir, 0o777)
	var served, printed bytes.Buffer
	if r.server != "" {
		serving, stop := context.WithCancel(ctx)
		s := l.program(serving, "right", dir, r.server)
		s.Stdout, s.Stderr = &served, &served
		if err := s.Start(); err != nil {
			stop()
			return false, ": " + err.Error()
		}
		defer func() {
			stop()
			_ = s.Wait()
			_ = syscall.Kill(-s.Process.Pid, syscall.SIGKILL) // what it has left behind
			_ = os.WriteFile(filepath.Join(l.out, r.name+".server"), served.Bytes(), 0o644)
		}()
	}
	c := l.program(ctx, "left", dir, r.client)
	c.Stdout, c.Stderr = &printed, &printed
	err := c.Run()
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
	_ = os.WriteFile(filepath.Join(l.out, r.name+".client"), printed.Bytes(), 0o644)
	switch {
	case ctx.Err() != nil:
		return false, ": not done after " + limit.String()
	case !regexp.MustCompile(r.want).Match(printed.Bytes()):
		return false, fmt.Sprintf(": its output has no %q (%v)", r.want, err)
	}
	return true, ""
}

func (l *lab) close() error {
	var err error
	if l.up != nil && l.up.Process != nil {
		_ = l.up.Process.Signal(syscall.SIGINT)
		if err = l.up.Wait(); err != nil {
			err = fmt.Errorf("libos up: %w\n%s", err, l.log.String())
		}
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}
