//go:build linux && (amd64 || arm64)

package guest_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/libos-go/libos/guest"
)

// A daemon that goes on with its sockets when the stack has ended is ended, by SIGKILL if
// it does not care for SIGTERM; a program without any is left alone.
func TestDaemonsEndWithTheStack(t *testing.T) {
	need(t, "python3")
	g := lab(t)
	ended, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ended.Close()
	c := exec.Command("python3", "-c", `
import os, signal, socket, sys, time
def daemon(sockets, deaf=False):
    if os.fork():
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    kept = [socket.socket(socket.AF_INET, k) for k in sockets]
    def told(*_):
        os.write(1, b"term\n")
        if not deaf:
            os._exit(0)
    signal.signal(signal.SIGTERM, told)
    os.write(1, b"there\n")
    if not kept:
        time.sleep(3.5)
        os.write(1, b"alone\n")
        os._exit(0)
    while True:
        try:
            kept[0].recv(1, socket.MSG_DONTWAIT)
        except OSError:
            pass
        time.sleep(0.01)
daemon([socket.SOCK_STREAM])
daemon([socket.SOCK_DGRAM], deaf=True)
daemon([])
`)
	c.Stdout = in
	go func() {
		_ = g.Run(c, func(c *exec.Cmd) error {
			_ = in.Close()
			return guest.Wait(c)
		})
	}()
	got := bufio.NewReader(ended)
	for range 3 {
		if line, err := got.ReadString('\n'); line != "there\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(got); string(rest) != "term\nterm\nalone\n" || err != nil {
		t.Errorf("they said %q, %v", rest, err)
	}
}
