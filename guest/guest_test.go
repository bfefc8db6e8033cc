//go:build linux && (amd64 || arm64)

package guest_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/guest"
	"github.com/libos-go/libos/host"
)

// lab is a Guest on an instance of its own.
func lab(t *testing.T) *guest.Guest {
	t.Helper()
	r := coretest.New(t, host.NewRealTime())
	in := r.Adopt(core.New(core.Options{Name: "a", Wiring: libos.Wiring(), Domain: r.Domain}))
	g := guest.New(in)
	t.Cleanup(func() {
		for patience := time.Now().Add(10 * time.Second); g.Sockets() != 0; time.Sleep(time.Millisecond) {
			if time.Now().After(patience) {
				t.Errorf("%d sockets are left", g.Sockets())
				break
			}
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	return g
}

// program runs a program to its end and returns what it printed.
func program(t *testing.T, g *guest.Guest, name string, args ...string) (string, error) {
	t.Helper()
	path := need(t, name)
	c := exec.Command(path, args...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := g.Run(c, guest.Wait)
	return out.String(), err
}

// need is the path of a program without which a test has nothing to do.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// Programs see the same of the stack as of the kernel.
func TestWhatProgramsSee(t *testing.T) {
	for _, name := range []string{"streams", "datagrams"} {
		t.Run(name, func(t *testing.T) {
			script := "testdata/" + name + ".py"
			ours, err := program(t, lab(t), "python3", script)
			if err != nil {
				t.Errorf("%v\n%s", err, ours)
			}
			kernel, err := exec.Command("python3", script).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, kernel)
			}
			if d := cmp.Diff(strings.Split(string(kernel), "\n"), strings.Split(ours, "\n")); d != "" {
				t.Errorf("kernel (-), stack (+):\n%s", d)
			}
		})
	}
}

func TestProgramsSeeFramesThroughAFilter(t *testing.T) {
	out, err := program(t, lab(t), "python3", "testdata/frames.py")
	if err != nil || out != "frames: ok\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// /proc/net, /proc/sys/net and /sys/class/net are the stack's, and nothing else is.
func TestProgramsReadAndWriteFilesOfTheStack(t *testing.T) {
	out, err := program(t, lab(t), "python3", "testdata/files.py")
	if err != nil || out != "files: ok\n" {
		t.Errorf("%v\n%s", err, out)
	}
}

// stat(2) tells of the stack's files where a program is run so.
func TestStatIsTheStacksWhereItIsAskedFor(t *testing.T) {
	r := coretest.New(t, host.NewRealTime())
	in := r.Adopt(core.New(core.Options{Name: "a", Wiring: libos.Wiring(), Domain: r.Domain}))
	r.Domain.Do(func() {
		if err := in.Loopback().SetNameLocked("dummy7"); err != nil {
			t.Fatal(err)
		}
	})
	g := guest.New(in)
	c := exec.Command(need(t, "python3"), "testdata/files.py", "stat")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := errors.Join(g.Run(c, guest.Wait, guest.StopStat), g.Close())
	if err != nil || out.String() != "stat: ok\n" {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// sysctl(8) tells of a value that the stack refuses, and reads what a shell has written.
func TestSysctlOfTheDistribution(t *testing.T) {
	need(t, "sysctl")
	out, err := program(t, lab(t), "sh", "-c", `n=net.ipv4.ip_default_ttl
sysctl $n; sysctl -w $n=77; sysctl -w $n=777 2>&1; echo $?; echo 66 >/proc/sys/net/ipv4/ip_default_ttl; sysctl -n $n
sysctl -a 2>/dev/null | grep -E "tcp_congestion_control|conf.lo.rp_filter"`)
	want := "net.ipv4.ip_default_ttl = 64\nnet.ipv4.ip_default_ttl = 77\n" +
		"sysctl: setting key \"net.ipv4.ip_default_ttl\": Invalid argument\n"
	if err != nil || !strings.HasPrefix(out, want) || !strings.Contains(out, "\n66\n") || !strings.Contains(out, "net.ipv4.conf.lo.rp_filter = 0\n") ||
		!strings.Contains(out, "net.ipv4.tcp_congestion_control = ") {
		t.Errorf("%v\n%s", err, out)
	}
}

// A server and a client of the distribution, children of a shell, on one instance.
func TestAFileIsFetched(t *testing.T) {
	want := make([]byte, 3<<20)
	for i := range want {
		want[i] = byte(i * i >> 8)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), want, 0o644); err != nil {
		t.Fatal(err)
	}
	need(t, "curl")
	need(t, "python3")
	out, err := program(t, lab(t), "sh", "-c", `cd "$1"
python3 -u -m http.server --bind 127.0.0.1 8000 >log 2>&1 & server=$!
until grep -q Serving log; do kill -0 $server || exit; sleep 0.02; done
curl -s -o got http://127.0.0.1:8000/file; status=$?
kill $server; exit $status`, "sh", dir)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(filepath.Join(dir, "got"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d came, %v", len(got), len(want), err)
	}
}

// Programs that are killed leave nothing behind.
func TestAKilledProgramLeavesNothing(t *testing.T) {
	need(t, "python3")
	g := lab(t)
	out, err := program(t, g, "python3", "-c", `
import os, signal, socket
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
held = [socket.create_connection(l.getsockname()) for _ in range(20)]
held += [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(20)]
print(len(held), flush=True)
os.kill(os.getpid(), signal.SIGKILL)`)
	var exit *exec.ExitError
	if out != "40\n" || !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("it printed %q and ended with %v", out, err)
	}
}

// What is not of the network is the kernel's, and a program's status is its own.
func TestAProgramIsItself(t *testing.T) {
	out, err := program(t, lab(t), "sh", "-c", "echo $0 $1; cat >/dev/null; exit 7", "a", "b")
	var exit *exec.ExitError
	if out != "a b\n" || !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("it printed %q and ended with %v", out, err)
	}
}

// A program maps the ring of a packet socket, and sees of it what it sees of the kernel's.
func TestAProgramMapsARing(t *testing.T) {
	if ours := asOnTheKernel(t, "testdata/ring.py"); !strings.Contains(ours, "2 16384 True\n") {
		t.Errorf("it printed\n%s", ours)
	}
}

// Sockets that share frames out, and packets of which one gets the fragments together.
func TestProgramsShareFramesOut(t *testing.T) { asOnTheKernel(t, "testdata/fanout.py") }

// A ring to send from is sent by whatever call the program makes.
func TestAProgramSendsFromARing(t *testing.T) { asOnTheKernel(t, "testdata/txring.py") }

// asOnTheKernel runs a script on a stack and in a namespace of its own, both with lo
// alone: it must print the same.
func asOnTheKernel(t *testing.T, script string) (printed string) {
	t.Helper()
	ours, err := program(t, lab(t), "python3", script)
	if err != nil {
		t.Fatalf("%v\n%s", err, ours)
	}
	kernel.InNamespace(t, func(t *testing.T) {
		kernel.MustCommand(t, "ip", "link", "set", "lo", "up")
		theirs, err := exec.Command("python3", script).CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, theirs)
		}
		if d := cmp.Diff(strings.Split(string(theirs), "\n"), strings.Split(ours, "\n")); d != "" {
			t.Errorf("kernel (-), stack (+):\n%s", d)
		}
	})
	return ours
}

// The end of the stack ends what a program waits for, natively too.
func TestTheEndOfTheStackIsSeenByWhoWaits(t *testing.T) {
	g := lab(t)
	c := exec.Command(need(t, "python3"), "-c", `
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 0))
print("waits", flush=True)
print(s.recv(10))`)
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c.Stdout = in
	ended := make(chan error, 1)
	go func() {
		ended <- g.Run(c, guest.Wait)
		_ = in.Close()
	}()
	line := make([]byte, len("waits\n"))
	if _, err := io.ReadFull(out, line); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	got, _ := io.ReadAll(out)
	if err := <-ended; err != nil || string(got) != "b''\n" {
		t.Errorf("it read %q and ended with %v", got, err)
	}
}

func TestAFileOfTheInstanceStandsInForOneOfTheHost(t *testing.T) {
	g := lab(t)
	g.Replace("/etc/hostname", []byte("of the instance\n"))
	for name, same := range map[string]bool{"/etc/hostname": true, "//etc/./hostname": true, "/etc/hostname/": false, "/etc/hosts": false} {
		out, err := program(t, g, "cat", name)
		if got := err == nil && out == "of the instance\n"; got != same {
			t.Errorf("%s has %q, %v", name, out, err)
		}
	}
	if out, err := program(t, g, "sh", "-c", ": >>/etc/hostname"); err == nil {
		t.Errorf("it was written to: %s", out)
	}
}
