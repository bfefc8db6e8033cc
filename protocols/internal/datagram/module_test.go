package datagram_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin"
	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/plugin/plugintest"
)

// The test binary is the module, too, under the name of its flavour: with the
// socket of a host in its environment, or asked to describe itself.
func TestMain(m *testing.M) {
	if os.Getenv(control.SocketVariable) != "" || len(os.Args) == 2 && os.Args[1] == "--describe" {
		f := overUDP()
		if filepath.Base(os.Args[0]) == overUDPLite().network {
			f = overUDPLite()
		}
		plugin.Main(plugin.Module{Name: f.network, Description: "the module of a test",
			Protocols: []plugin.Protocol{{Protocol: f.plain().Protocol, Sysctls: f.plain().Sysctls}}})
	}
	os.Exit(m.Run())
}

// loaded has the modules of the tests that are running, by flavour: tests of the
// suite have no argument to carry it.
var loaded = map[string]*modules.Manager{}

// attach gives an instance the flavour out of its module.
func attach(t testing.TB, in *core.Instance, f flavour) {
	t.Helper()
	if err := loaded[f.network].Attach(in, f.network); err != nil {
		t.Fatal(err)
	}
}

// inAProcess has run find the flavour in a process of its own, and holds against
// each other what that process and its session say of the work.
func inAProcess(t *testing.T, f flavour, run func()) {
	if _, err := os.Stat("/proc/self/schedstat"); err != nil {
		t.Skipf("no way to see a process at work here: %v", err)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, f.network)
	plugintest.CopyOfSelf(t, program)
	if _, err := modules.WriteManifest(dir, f.network, strings.ToUpper(f.network), nil); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	m := modules.New(modules.Options{Dirs: []string{dir}, Patience: 20 * time.Second, Log: slog.New(slog.NewTextHandler(&said, nil))})
	defer m.Close()
	loaded[f.network] = m
	defer delete(loaded, f.network)
	mod, err := m.Load(f.network, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := mod.Status()
	if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", before.PID)); err != nil || exe != program || before.PID == os.Getpid() {
		t.Errorf("process %d is %s (%v), want %s and not this one, %d", before.PID, exe, err, program, os.Getpid())
	}
	used := plugintest.CPUTime(t, before.PID)
	run()
	after := mod.Status()
	if after.State != modules.Live || after.PID != before.PID || after.Restarts != 0 || after.Traffic.Faults != 0 || after.Traffic.Lost != 0 {
		t.Errorf("it began as %+v and is %+v", before, after)
	}
	if n := after.Traffic; n.Packets == 0 || n.Sent < n.Packets/64 || n.Received == 0 || n.SentBytes == 0 || n.ReceivedBytes == 0 {
		t.Errorf("it was given nothing to do: %+v", n)
	}
	if now := plugintest.CPUTime(t, after.PID); now <= used {
		t.Errorf("the process used %v before and %v after", used, now)
	}
	t.Logf("process %d: %d packets, %d messages to it, %d back, %v of CPU time", after.PID, after.Traffic.Packets, after.Traffic.Sent, after.Traffic.Received, plugintest.CPUTime(t, after.PID)-used)
	if t.Failed() {
		t.Log(said.String())
	}
}

// A run in virtual time looks the same on the links whether the protocol of its
// hosts is linked in or in another process.
func TestTheCaptureIsThatOfTheProtocolLinkedIn(t *testing.T) {
	for _, f := range []flavour{overUDP(), overUDPLite()} {
		t.Run(f.network, func(t *testing.T) {
			var want, got []byte
			t.Run("linked in", func(t *testing.T) { want = captured(t, f) })
			t.Run(strings.Trim(module, "/"), func(t *testing.T) {
				inAProcess(t, f, func() { t.Run("run", func(t *testing.T) { got = captured(t, f) }) })
			})
			if len(want) < 100_000 {
				t.Errorf("a capture of %d bytes", len(want))
			}
			if !bytes.Equal(want, got) {
				at := 0
				for at < min(len(want), len(got)) && want[at] == got[at] {
					at++
				}
				t.Errorf("captures of %d and %d bytes differ from byte %d on", len(want), len(got), at)
			}
		})
	}
}

// captured is the capture of two hosts that talk through a router over links that
// lose, repeat and reorder: echoes over both versions of IP, fragments, ICMP
// errors.
func captured(t *testing.T, f flavour) []byte {
	r := coretest.New(t, host.NewVirtual(7))
	if f.lite {
		r.Damaged() // the first fragment of a datagram that lost others: its coverage is beyond what is there
	}
	left, router, right := instance(t, r, "left", f), instance(t, r, "router", f), instance(t, r, "right", f)
	bad := pipe.Wire{Rate: 50_000_000, Delay: 3 * time.Millisecond, Jitter: 100 * time.Microsecond, Loss: 0.02, Duplicate: 0.02, Reorder: 0.05}
	wl, wr := pipe.New(pipe.Config{Name: "west", Wire: bad})
	el, er := pipe.New(pipe.Config{Name: "east", Wire: bad})
	var bytes bytes.Buffer
	c := capture.New(&bytes, capture.Options{})
	for _, ifc := range []*core.Interface{
		r.Attach(left, wl, "eth0", "10.1.0.2/24", "fd01::2/64"), r.Attach(router, wr, "eth0", "10.1.0.1/24", "fd01::1/64"),
		r.Attach(router, el, "eth1", "10.2.0.1/24", "fd02::1/64"), r.Attach(right, er, "eth0", "10.2.0.2/24", "fd02::2/64"),
	} {
		c.Add(ifc)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"} {
		must(router.SetSysctl(name, "1"))
	}
	for _, x := range []struct {
		in          *core.Instance
		prefix, via string
	}{{left, "10.2.0.0/24", "10.1.0.1"}, {left, "fd02::/64", "fd01::1"}, {right, "10.1.0.0/24", "10.2.0.1"}, {right, "fd01::/64", "fd02::1"}} {
		must(x.in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix(x.prefix), Gateway: wire.MustAddr(x.via)}))
	}
	echoed := 0
	for _, address := range []string{"10.2.0.2:7", "[fd02::2]:7"} {
		server, err := right.ListenPacket(f.network, address)
		must(err)
		r.Go("server "+address, func() {
			b := make([]byte, 4000)
			for {
				n, from, err := server.ReadFrom(b)
				if err != nil {
					return
				}
				_, _ = server.WriteTo(b[:n], from)
			}
		})
		r.Go("client "+address, func() {
			client, err := left.Dial(f.network, address) // from a port by chance
			if err != nil {
				t.Error(err)
				return
			}
			b := make([]byte, 4000)
			for i := range 100 {
				_, _ = client.Write(b[:1+i*29])
				_ = client.SetReadDeadline(r.Host.WallNow().Add(50 * time.Millisecond))
				if _, err := client.Read(b); err == nil {
					echoed++
				}
			}
			_ = client.Close()
			_ = server.Close()
		})
	}
	r.Go("nobody listens", func() {
		client, err := left.Dial(f.network, "10.2.0.2:9")
		if err != nil {
			t.Error(err)
			return
		}
		for range 50 {
			_, _ = client.Write(make([]byte, 100))
			_ = left.Sleep(7 * time.Millisecond)
		}
		_ = client.Close()
	})
	r.Advance(time.Minute)
	if echoed < 100 || echoed > 199 {
		t.Errorf("%d of 200 datagrams came back over links with loss", echoed)
	}
	must(c.Close())
	return bytes.Bytes()
}
