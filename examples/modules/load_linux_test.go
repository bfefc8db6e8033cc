package modules_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/modules"
)

// needs are the symbols that each example builds on; for the folders beside us
// that have none there is an entry all the same.
var needs = map[string][]string{
	"filter": nil, "ledbat": {"TCP"}, "newest": {"IPV4"}, "player": nil, "qemu": nil, "udplink": nil,
}

// network are the modules of all examples, built as their README.md says, and two
// hosts on real time whose way to each other a test chooses.
type network struct {
	t       *testing.T
	manager *modules.Manager
	hosts   [2]*core.Instance
}

// build builds the examples into a folder.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	found, err := filepath.Glob("*/go.mod")
	if err != nil || len(found) != len(needs) {
		t.Fatalf("%d examples, %d are known here: %v", len(found), len(needs), err)
	}
	for _, f := range found {
		name := filepath.Dir(f)
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, name), "./module")
		cmd.Dir = name
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		if _, err := modules.WriteManifest(dir, name, "", needs[name]); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newNetwork(t *testing.T, dir string) *network {
	n := &network{t: t, manager: modules.New(modules.Options{Dirs: []string{dir}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})}
	t.Cleanup(n.manager.Close)
	rig := coretest.New(t, host.NewRealTime())
	for i := range n.hosts {
		n.hosts[i] = rig.Adopt(core.New(core.Options{Name: []string{"left", "right"}[i], Domain: rig.Domain, Wiring: libos.Wiring(), Autoload: n.manager.Autoload()}))
	}
	return n
}

// attach gives the hosts the ends of a link.
func (n *network) attach(devices ...core.Device) {
	n.t.Helper()
	for i, dev := range devices {
		if _, err := n.hosts[i].Attach(dev, "eth0", []string{"10.0.0.1/24", "10.0.0.2/24"}[i]); err != nil {
			n.t.Fatal(err)
		}
	}
}

// device is one of a kind that a module has.
func (n *network) device(host int, kind string, parameters map[string]string) core.Device {
	n.t.Helper()
	d, err := n.manager.Device(n.hosts[host], kind, parameters)
	if err != nil {
		n.t.Fatal(err)
	}
	return d
}

// served checks that the only module is in a process of its own that has carried
// something.
func (n *network) served(name string) modules.Status {
	n.t.Helper()
	list := n.manager.List()
	if len(list) != 1 || list[0].Name != name || list[0].PID == 0 || list[0].PID == os.Getpid() {
		n.t.Fatalf("loaded: %+v", list)
	}
	return list[0]
}

// talk sends datagrams by UDP from left to right and back.
func (n *network) talk() {
	n.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	server, err := n.hosts[1].ListenPacket("udp4", "10.0.0.2:7")
	if err != nil {
		n.t.Fatal(err)
	}
	defer server.Close()
	client, err := n.hosts[0].Dial("udp4", "10.0.0.2:7")
	if err != nil {
		n.t.Fatal(err)
	}
	defer client.Close()
	buf := make([]byte, 2000)
	for _, size := range []int{1, 1000, 1400} {
		want := bytes.Repeat([]byte{byte(size)}, size)
		answered := false
		for !answered { // a link may lose what comes before its other end is there
			if time.Now().After(deadline) {
				n.t.Fatalf("%d bytes: no answer", size)
			}
			if _, err := client.Write(want); err != nil {
				n.t.Fatal(err)
			}
			_ = server.SetReadDeadline(time.Now().Add(time.Second))
			k, from, err := server.ReadFrom(buf)
			if err != nil {
				continue
			}
			if !bytes.Equal(buf[:k], want) {
				n.t.Fatalf("%d bytes came of %d", k, size)
			}
			if _, err := server.WriteTo(buf[:k], from); err != nil {
				n.t.Fatal(err)
			}
			_ = client.SetReadDeadline(time.Now().Add(time.Second))
			k, err = client.Read(buf)
			answered = err == nil && bytes.Equal(buf[:k], want)
		}
	}
}

func TestTheExamplesRunAsModules(t *testing.T) {
	if testing.Short() {
		t.Skip("builds six programs: not with -short")
	}
	dir := build(t)
	t.Run("newest", func(t *testing.T) {
		n := newNetwork(t, dir)
		a, b := pipe.New(pipe.Config{})
		n.attach(a, b)
		const number = 254
		server, err := n.hosts[1].Socket(core.AFInet, core.SockDgram, number)
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		to := core.SockAddr{Addr: wire.MustAddr("10.0.0.2"), Port: 7}
		if err := server.Bind(to); err != nil {
			t.Fatal(err)
		}
		client, err := n.hosts[0].Socket(core.AFInet, core.SockDgram, number)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		server.SetReadDeadline(n.hosts[1].Now().Add(20 * time.Second))
		for i := range byte(100) {
			if _, err := client.Send(&core.Message{Data: []byte{i}, Addr: to, HasAddr: true}); err != nil {
				t.Fatal(err)
			}
			m := core.Message{Data: make([]byte, 9)}
			if k, err := server.Receive(&m); err != nil || k != 1 || m.Data[0] != i {
				t.Fatalf("datagram %d: %d bytes, %v", i, k, err)
			}
		}
		if st := n.served("newest"); st.Traffic.Packets < 200 {
			t.Errorf("carried: %+v", st.Traffic)
		}
	})
	t.Run("ledbat", func(t *testing.T) {
		n := newNetwork(t, dir)
		a, b := pipe.New(pipe.Config{Wire: pipe.Wire{Rate: 100e6, Delay: time.Millisecond}})
		n.attach(a, b)
		if err := n.manager.Attach(n.hosts[0], "ledbat"); err != nil {
			t.Fatal(err)
		}
		if err := n.hosts[0].SetSysctl("net.ipv4.tcp_congestion_control", "ledbat"); err != nil {
			t.Fatal(err)
		}
		l, err := n.hosts[1].Listen("tcp4", "10.0.0.2:80")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		const size = 2 << 20
		sent := make(chan error, 1)
		go func() {
			c, err := n.hosts[0].Dial("tcp4", "10.0.0.2:80")
			if err == nil {
				_, err = c.Write(make([]byte, size))
				c.Close()
			}
			sent <- err
		}()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if k, err := io.Copy(io.Discard, c); err != nil || k != size {
			t.Errorf("%d bytes of %d, %v", k, size, err)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
		if st := n.served("ledbat"); st.Traffic.Decisions == 0 {
			t.Errorf("carried: %+v", st.Traffic)
		}
	})
	t.Run("udplink", func(t *testing.T) {
		n, at := newNetwork(t, dir), sockets(t)
		n.attach(n.device(0, "udplink", map[string]string{"local": at[0], "remote": at[1]}),
			n.device(1, "udplink", map[string]string{"local": at[1], "remote": at[0]}))
		n.talk()
		n.served("udplink")
	})
	t.Run("qemu", func(t *testing.T) {
		n, at := newNetwork(t, dir), sockets(t)
		n.attach(n.device(0, "qemu", map[string]string{"path": at[0], "role": "listen"}), n.device(1, "qemu", map[string]string{"path": at[0]}))
		n.talk()
		n.served("qemu")
	})
	file := filepath.Join(t.TempDir(), "recording.pcap")
	if err := os.WriteFile(file, recording(20), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Run("player", func(t *testing.T) {
		n := newNetwork(t, dir)
		n.attach(n.device(0, "player", map[string]string{"file": file}))
		n.received(20, 0)
		n.served("player")
	})
	t.Run("filter", func(t *testing.T) {
		n := newNetwork(t, dir)
		// Of a raw IP packet the number of a station: chosen if it is even.
		n.attach(n.device(0, "filter", map[string]string{"over": "replay", "file": file, "speed": "max",
			"in": "5,32 0 0 28,84 0 0 1,21 0 1 0,6 0 0 65535,6 0 0 0"}))
		n.received(10, 10)
		n.served("filter")
	})
}

// received waits for packets that left's interface got, and those that it refused.
func (n *network) received(packets, dropped uint64) {
	n.t.Helper()
	var st core.InterfaceStats
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		n.hosts[0].Domain().Do(func() {
			for _, ifc := range n.hosts[0].Interfaces() {
				if ifc.Name() == "eth0" {
					st = *ifc.Stats()
				}
			}
		})
		if st.RxPackets == packets {
			return
		}
	}
	n.t.Errorf("the interface counted %+v, want %d packets (%d refused in the module)", st, packets, dropped)
}

// sockets are two paths that are short enough.
func sockets(t *testing.T) []string {
	t.Helper()
	dir, err := os.MkdirTemp("", "m")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}
}

// recording is a pcap file of n raw IP packets, a millisecond apart.
func recording(n int) []byte {
	le := binary.LittleEndian
	b := []byte{0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0}
	for i := range n {
		p := make([]byte, 100)
		devicetest.Fill(p, wire.FromV4(0x0a000002), wire.FromV4(0x0a000001), uint32(i))
		for _, v := range []uint32{1, uint32(i * 1000), 100, 100} {
			b = le.AppendUint32(b, v)
		}
		b = append(b, p...)
	}
	return b
}

// Each example's README.md and Kconfig.toml name what is there.
func TestTheExamplesAreDescribed(t *testing.T) {
	for name := range needs {
		readme, err := os.ReadFile(filepath.Join(name, "README.md"))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"go build -o modules/" + name + " ./module", "libosbuild manifest modules/" + name} {
			if !strings.Contains(string(readme), want) {
				t.Errorf("%s/README.md does not say %q", name, want)
			}
		}
		kconfig, err := os.ReadFile(filepath.Join(name, "Kconfig.toml"))
		if err != nil {
			t.Fatal(err)
		}
		if want := `package = "github.com/libos-go/libos/examples/modules/` + name + `"`; !slices.Contains(strings.Split(string(kconfig), "\n"), want) {
			t.Errorf("%s/Kconfig.toml does not have %s", name, want)
		}
	}
}
