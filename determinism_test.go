package libos_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// captureVariable names the file that a process of TestTheSameBytesEveryTime
// writes its capture to.
const captureVariable = "LIBOS_TEST_CAPTURE"

// TestTheSameBytesEveryTime transfers over links with loss, reordering and
// duplicates in several processes, whose captures have to be equal (contract C7):
// beside a busy neighbour, on one processor and on two, with the race detector.
func TestTheSameBytesEveryTime(t *testing.T) {
	if path := os.Getenv(captureVariable); path != "" {
		lossyTransfer(t, path)
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want := captureOf(t, self)
	if len(want) < 1_000_000 {
		t.Fatalf("a capture of %d bytes", len(want))
	}
	for _, x := range []struct {
		name string
		load bool
		env  []string
	}{
		{"again", false, nil},
		{"under load", true, nil},
		{"on one processor", false, []string{"GOMAXPROCS=1"}},
		{"on two processors", true, []string{"GOMAXPROCS=2"}},
		{"with much garbage collection", false, []string{"GOGC=5"}},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.load {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				for range 4 {
					go busy(ctx)
				}
			}
			same(t, want, captureOf(t, self, x.env...))
		})
	}
	t.Run("with the race detector", func(t *testing.T) {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("gcc is not installed (Debian: apt install gcc libc6-dev): the race detector needs it")
		}
		raced := filepath.Join(t.TempDir(), "raced.test")
		c := exec.Command("go", "test", "-race", "-c", "-o", raced, ".")
		c.Env = append(os.Environ(), "CGO_ENABLED=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("building with -race: %v\n%s", err, out)
		}
		for _, env := range []string{"GOMAXPROCS=1", "GOMAXPROCS=2"} {
			same(t, want, captureOf(t, raced, env))
		}
	})
}

// busy uses a processor until ctx ends.
func busy(ctx context.Context) {
	b := make([]byte, 1<<16)
	for ctx.Err() == nil {
		s := sha256.Sum256(b)
		copy(b, s[:])
	}
}

// captureOf runs the transfer in a process of its own.
func captureOf(t *testing.T, program string, env ...string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "capture.pcapng")
	c := exec.Command(program, "-test.run=^TestTheSameBytesEveryTime$", "-test.count=1")
	c.Env = append(append(os.Environ(), captureVariable+"="+path), env...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func same(t *testing.T, want, got []byte) {
	t.Helper()
	if bytes.Equal(want, got) {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	t.Errorf("captures of %d and %d bytes differ from byte %d on", len(want), len(got), at)
}

// lossyTransfer has two hosts exchange streams and datagrams through a router,
// over both IP versions, and captures all that their links carry.
func lossyTransfer(t *testing.T, path string) {
	r := coretest.New(t, host.NewVirtual(7))
	w := libos.Wiring()
	left, router, right := r.Instance("left", w), r.Instance("router", w), r.Instance("right", w)
	bad := pipe.Wire{Rate: 50_000_000, Delay: 3 * time.Millisecond, Jitter: 100 * time.Microsecond,
		Loss: 0.01, Duplicate: 0.01, Corrupt: 0.002, Reorder: 0.02}
	wl, wr := pipe.New(pipe.Config{Name: "west", Wire: bad})
	el, er := pipe.New(pipe.Config{Name: "east", Wire: bad})
	c, err := capture.Create(path, capture.Options{Comment: "the same bytes every time"})
	if err != nil {
		t.Fatal(err)
	}
	for _, ifc := range []*core.Interface{
		r.Attach(left, wl, "eth0", "10.1.0.2/24", "fd01::2/64"), r.Attach(router, wr, "eth0", "10.1.0.1/24", "fd01::1/64"),
		r.Attach(router, el, "eth1", "10.2.0.1/24", "fd02::1/64"), r.Attach(right, er, "eth0", "10.2.0.2/24", "fd02::2/64"),
	} {
		c.Add(ifc)
	}
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Error(err)
		}
	}
	for _, name := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		must(router.SetSysctl(name, "1"))
	}
	for _, x := range []struct {
		in       *core.Instance
		prefix   string
		neighbor string
	}{
		{left, "10.2.0.0/24", "10.1.0.1"}, {left, "fd02::/64", "fd01::1"},
		{right, "10.1.0.0/24", "10.2.0.1"}, {right, "fd01::/64", "fd02::1"},
	} {
		must(x.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix(x.prefix), Gateway: wire.MustAddr(x.neighbor)}))
	}
	finished := 0
	const size = 600_000
	for i, address := range []string{"10.2.0.2:80", "[fd02::2]:81"} {
		l, err := right.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		r.Go(fmt.Sprint("server ", i), func() {
			conn, err := l.Accept()
			if err != nil {
				must(err)
				return
			}
			n, err := io.Copy(conn, conn) // echoes
			must(err)
			if n != size {
				t.Errorf("%s: %d bytes of %d arrived", address, n, size)
			}
			must(conn.Close())
			must(l.Close())
			finished++
		})
		r.Go(fmt.Sprint("client ", i), func() {
			conn, err := left.Dial("tcp", address)
			if err != nil {
				must(err)
				return
			}
			r.Go(fmt.Sprint("sender ", i), func() {
				_, err := conn.Write(bytes.Repeat([]byte{byte(i), 1, 2, 3}, size/4))
				must(err)
				must(conn.(*core.Conn).CloseWrite())
				finished++
			})
			n, err := io.Copy(io.Discard, conn)
			must(err)
			if n != size {
				t.Errorf("%s: %d bytes of %d came back", address, n, size)
			}
			must(conn.Close())
			finished++
		})
	}
	r.Go("datagrams", func() {
		conn, err := left.Dial("udp", "10.2.0.2:9")
		if err != nil {
			must(err)
			return
		}
		for range 100 {
			_, _ = conn.Write(make([]byte, 3000)) // in fragments; nobody listens, so that errors come back
			must(left.Sleep(7 * time.Millisecond))
		}
		must(conn.Close())
		finished++
	})
	r.Advance(20 * time.Minute)
	if finished != 7 {
		t.Fatalf("%d of 7 tasks ended", finished)
	}
	if r.Counter(left, "Tcp", "RetransSegs") == 0 || r.Counter(right, "Tcp", "RetransSegs") == 0 {
		t.Error("nothing was sent again on links with loss")
	}
	must(c.Close())
}
