//go:build linux && (amd64 || arm64)

package run

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/libos-go/libos/guest"
)

// guardian is a process that outlives this one, if that is killed, for a moment: in
// which it ends what programs wait for of the stack that has ended with it.
type guardian struct {
	c    *exec.Cmd
	life *os.File // closed with this process, which is what the other waits for
}

func newGuardian() (*guardian, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	c := &exec.Cmd{Path: "/proc/self/exe", Args: []string{os.Args[0], guardianName}} // its own name in lists of processes
	c.Stdin = r
	c.Dir = "/"
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // no signal of the terminal is for it
	if err := c.Start(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &guardian{c, w}, nil
}

// close ends the guardian when there is nothing left for it to do.
func (g *guardian) close() error {
	err := g.c.Process.Kill()
	_ = g.c.Wait() // "killed"
	return errors.Join(err, g.life.Close())
}

// guard is the guardian: until the other process has ended, and then for what programs
// wait for. More than once, because the kernel closes the descriptors of a process that
// was killed one by one.
func guard(life io.Reader) error {
	if _, err := io.Copy(io.Discard, life); err != nil {
		return err
	}
	var err error
	for _, pause := range []time.Duration{0, 50 * time.Millisecond, time.Second} {
		time.Sleep(pause)
		err = guest.HangUp()
	}
	return err
}
