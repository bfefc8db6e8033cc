//go:build unix

package libos_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// inAGroup has c, and all that it leaves in the background, in a process group of
// its own, which ends with c's context. end ends what is still there after c.
func inAGroup(c *exec.Cmd) (end func()) {
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	kill := func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.Cancel = func() error {
		if err := kill(); !errors.Is(err, syscall.ESRCH) {
			return err
		}
		return os.ErrProcessDone
	}
	return func() {
		if c.Process != nil {
			_ = kill() // the usual answer is that nobody is there
		}
	}
}

// Whether a shell runs out of time or ends by itself: what it left in the
// background does not live on.
func TestNothingOutlivesTheCommandsOfTheReadme(t *testing.T) {
	for name, script := range map[string]string{"in time": "sleep 600 &", "too late": "sleep 600 & sleep 600"} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		c := exec.CommandContext(ctx, "sh", "-c", script)
		c.Stdout = w // its last holder is the last of the group
		end := inAGroup(c)
		if err := c.Run(); (err == nil) != (name == "in time") {
			t.Errorf("%s: the shell: %v", name, err)
		}
		cancel()
		end()
		w.Close()
		if err := r.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err != nil {
			t.Errorf("%s: ten seconds later somebody lives: %v", name, err)
		}
		r.Close()
	}
}
