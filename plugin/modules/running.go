package modules

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/libos-go/libos/plugin/sandbox"
)

// running is a module's program and, once started, its process: what go-plugin
// calls a runner.
type running struct {
	sandbox.Program
	socket         *os.File // of the program, as descriptor 3
	stdout, stderr *os.File // our ends
	process        *os.Process
	state          *os.ProcessState // once ended is closed
	ended          chan struct{}
	last           lastWords
}

// Start implements runner.Runner.
func (r *running) Start(context.Context) error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	var out, errs *os.File
	if r.stdout, out, err = os.Pipe(); err != nil {
		return err
	}
	defer out.Close()
	if r.stderr, errs, err = os.Pipe(); err != nil {
		r.stdout.Close()
		return err
	}
	defer errs.Close()
	r.Files = []*os.File{null, out, errs, r.socket}
	if r.process, err = r.Program.Start(); err != nil {
		r.stdout.Close()
		r.stderr.Close()
	}
	return err
}

// Wait implements runner.Runner. How the process ended is told by obituary: to
// go-plugin every end looks well.
func (r *running) Wait(context.Context) error {
	state, err := r.process.Wait()
	if err == nil {
		r.state = state
	}
	close(r.ended)
	r.stdout.Close()
	r.stderr.Close()
	return err
}

// Kill implements runner.Runner: the process and what it may have started.
func (r *running) Kill(context.Context) error {
	if r.process == nil {
		return nil
	}
	killGroup(r.process)
	if err := r.process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Stdout implements runner.Runner.
func (r *running) Stdout() io.ReadCloser { return r.stdout }

// Stderr implements runner.Runner.
func (r *running) Stderr() io.ReadCloser { return heard{r.stderr, &r.last} }

// Name implements runner.Runner.
func (r *running) Name() string { return r.Path }

// ID implements runner.Runner.
func (r *running) ID() string {
	if r.process == nil {
		return ""
	}
	return strconv.Itoa(r.process.Pid)
}

// Diagnose implements runner.Runner.
func (r *running) Diagnose(context.Context) string {
	return "it did not behave as a module when it was started: build it again against this libos, for this system"
}

// PluginToHost implements runner.Runner: both have the same file system.
func (r *running) PluginToHost(network, addr string) (string, string, error) {
	return network, addr, nil
}

// HostToPlugin implements runner.Runner.
func (r *running) HostToPlugin(network, addr string) (string, string, error) {
	return network, addr, nil
}

func (r *running) pid() int {
	if r.process == nil {
		return 0
	}
	return r.process.Pid
}

// obituaryWait is how long the exit status and the last words of a process that
// closed its socket are waited for.
const obituaryWait = 50 * time.Millisecond

// obituary says how the process ended, why if that cannot be seen.
func (r *running) obituary(why error) error {
	select {
	case <-r.ended:
	case <-time.After(obituaryWait):
		return why
	}
	if r.state == nil {
		return why
	}
	if call, ok := r.last.forbidden(); ok {
		return fmt.Errorf("%w: %s (%v)", ErrForbidden, call, r.state)
	}
	if forbidden(r.state) {
		return fmt.Errorf("%w (%v)", ErrForbidden, r.state)
	}
	return errors.New(r.state.String())
}

// ErrForbidden is why a module was lost that made a system call which its sandbox
// does not allow.
var ErrForbidden = errors.New("it made a system call that its sandbox forbids")

// trapped is how Go's runtime begins to tell of a SIGSYS.
const trapped = "SIGSYS: bad system call"

// maxLastWords bounds what is kept of them.
const maxLastWords = 64 << 10

// lastWords are what a program says after the word by which it tells of a call
// that its sandbox forbids.
type lastWords struct {
	mu    sync.Mutex
	found bool
	text  []byte
}

func (l *lastWords) hear(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.text) > maxLastWords {
		return
	}
	l.text = append(l.text, b...)
	if l.found {
		return
	}
	if at := bytes.Index(l.text, []byte(trapped)); at >= 0 {
		l.found, l.text = true, l.text[at:]
	} else {
		l.text = append(l.text[:0], l.text[max(0, len(l.text)-len(trapped)):]...)
	}
}

// forbidden is the system call, if there was one.
func (l *lastWords) forbidden() (call string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if call = "one that it did not name"; l.found {
		if c := sandbox.Call(string(l.text)); c != "" {
			call = c
		}
	}
	return call, l.found
}

// heard is a standard error whose last words are kept.
type heard struct {
	*os.File
	last *lastWords
}

// Read implements io.Reader.
func (h heard) Read(b []byte) (int, error) {
	n, err := h.File.Read(b)
	h.last.hear(b[:n])
	return n, err
}
