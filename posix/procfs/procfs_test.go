package procfs_test

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix/procfs"
	"github.com/libos-go/libos/protocols/packet"
	"github.com/libos-go/libos/protocols/raw"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/reno"
	"github.com/libos-go/libos/protocols/udp"
	"github.com/libos-go/libos/protocols/udplite"
)

// wiring is the same in every configuration.
func wiring() *core.Wiring {
	return &core.Wiring{
		Networks: []core.NetworkEntry{
			{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
			{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
		},
		Protocols: []core.ProtocolEntry{
			{Protocol: ipv4.PingProtocol()}, {Protocol: ipv6.PingProtocol()}, {Protocol: udp.Protocol()}, {Protocol: udplite.Protocol()}, {Protocol: raw.Protocol()},
			{Protocol: packet.Protocol()}, {Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()},
		},
		Sysctls:  []*sysctl.Table{sysctl.Of[core.PortSysctls]()},
		Loopback: loopback.Device,
	}
}

// lab is an instance with its files.
type lab struct {
	*coretest.Rig
	in *core.Instance
	fs *procfs.FS
}

func newLab(t *testing.T) *lab {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("a", wiring())
	return &lab{r, in, procfs.New(in)}
}

// eth gives the instance a link, with its other end on another instance.
func (l *lab) eth() *core.Interface {
	a, b := pipe.New(pipe.Config{})
	l.Attach(l.Instance("b", wiring()), b, "eth0", "10.9.0.2/24")
	return l.Attach(l.in, a, "eth0", "10.9.0.1/24")
}

// file is what a file has.
func (l *lab) file(path string) string {
	l.T.Helper()
	n, err := l.fs.Lookup(path)
	if err != nil {
		l.T.Fatalf("%s: %v", path, err)
	}
	b, err := n.Read()
	if err != nil {
		l.T.Fatalf("%s: %v", path, err)
	}
	return string(b)
}

// write writes to a file.
func (l *lab) write(path, text string) error {
	n, err := l.fs.Lookup(path)
	if err != nil {
		return err
	}
	return n.Write(text)
}

func (l *lab) want(path, text string) {
	l.T.Helper()
	if d := cmp.Diff(strings.Split(text, "\n"), strings.Split(l.file(path), "\n")); d != "" {
		l.T.Errorf("%s, wanted (-), got (+):\n%s", path, d)
	}
}

func (l *lab) socket(family, typ, protocol int) *core.Socket {
	l.T.Helper()
	s, err := l.in.Socket(family, typ, protocol)
	if err != nil {
		l.T.Fatal(err)
	}
	s.SetNonblock(true)
	l.T.Cleanup(func() { _ = s.Close() })
	return s
}

func at(address string, port uint16) core.SockAddr {
	return core.SockAddr{Addr: wire.MustAddr(address), Port: port}
}

func (l *lab) check(err error) {
	l.T.Helper()
	if err != nil && !errors.Is(err, syscall.EINPROGRESS) {
		l.T.Fatal(err)
	}
}

// A setting is a file under the name of its parts; what the instance refuses the writer
// is told, and only a setting that says something more is read alone.
func TestSettingsAreFiles(t *testing.T) {
	l := newLab(t)
	l.want("/proc/sys/net/ipv4/ip_default_ttl", "64\n")
	l.check(l.write("/proc/sys/net/ipv4/ip_default_ttl", "77\n"))
	l.want("/proc/sys/net/ipv4/ip_default_ttl", "77\n")
	for value, want := range map[string]error{"777\n": syscall.EINVAL, "x": syscall.EINVAL, "": syscall.EINVAL} {
		if err := l.write("/proc/sys/net/ipv4/ip_default_ttl", value); err != want {
			t.Errorf("%q: %v, want %v", value, err, want)
		}
	}
	l.want("/proc/sys/net/ipv4/ip_default_ttl", "77\n")
	l.check(l.write("/proc/sys/net/ipv4/conf/lo/forwarding", "1"))
	l.want("/proc/sys/net/ipv4/conf/lo/forwarding", "1\n")
	if err := l.write("/proc/sys/net/ipv4/tcp_available_congestion_control", "reno"); err != syscall.EACCES {
		t.Errorf("a list is written: %v", err)
	}
}

// An interface may have a dot in its name.
func TestAnInterfaceWithADot(t *testing.T) {
	l := newLab(t)
	ifc := l.eth()
	l.Domain.Do(func() { l.check(ifc.SetNameLocked("eth0.5")) })
	l.want("/proc/sys/net/ipv4/conf/eth0.5/rp_filter", "0\n")
	n, err := l.fs.Lookup("/proc/sys/net/ipv4/conf")
	l.check(err)
	if got := strings.Join(n.Entries(), " "); got != "all default eth0.5 lo" {
		t.Errorf("the directory has %s", got)
	}
}

// What is in a directory can be found, and no path leads through a file.
func TestEveryNameLeadsSomewhere(t *testing.T) {
	l := newLab(t)
	l.eth()
	files := 0
	var walk func(path string)
	walk = func(path string) {
		n, err := l.fs.Lookup(path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if n.Path != path {
			t.Errorf("%s has the path %s", path, n.Path)
		}
		switch n.Kind {
		case procfs.Directory:
			if _, err := n.Read(); err != syscall.EISDIR {
				t.Errorf("%s is read: %v", path, err)
			}
			for _, name := range n.Entries() {
				walk(path + "/" + name)
			}
			if _, err := l.fs.Lookup(path + "/nothing"); err != syscall.ENOENT {
				t.Errorf("%s/nothing: %v", path, err)
			}
		case procfs.File:
			files++
			if _, err := n.Read(); err != nil && err != syscall.EINVAL {
				t.Errorf("%s: %v", path, err)
			}
			if n.Writable() != (n.Mode&0o200 != 0) {
				t.Errorf("%s has mode %o", path, n.Mode)
			}
			if _, err := l.fs.Lookup(path + "/x"); err != syscall.ENOTDIR {
				t.Errorf("%s/x: %v", path, err)
			}
		}
	}
	for _, dir := range []string{"/proc/net", "/proc/sys/net", "/sys/class/net"} {
		walk(dir)
	}
	if files < 200 {
		t.Errorf("there are %d files", files)
	}
}

// An interface's directory, and what can be written there.
func TestInterfacesAreDirectories(t *testing.T) {
	l := newLab(t)
	eth := l.eth()
	l.want("/sys/class/net/eth0/mtu", "1500\n")
	l.want("/sys/class/net/eth0/operstate", "up\n")
	l.want("/sys/class/net/eth0/carrier", "1\n")
	l.want("/sys/class/net/eth0/address", eth.HWAddr().String()+"\n")
	l.want("/sys/class/net/eth0/type", "1\n")
	l.want("/sys/class/net/lo/type", "772\n")
	l.want("/sys/class/net/lo/flags", "0x9\n")
	l.want("/sys/class/net/lo/operstate", "unknown\n")
	l.want("/sys/class/net/eth0/uevent", fmt.Sprintf("INTERFACE=eth0\nIFINDEX=%d\n", eth.Index()))
	l.check(l.write("/sys/class/net/eth0/mtu", "1400\n"))
	if eth.MTU() != 1400 {
		t.Errorf("the MTU is %d", eth.MTU())
	}
	for value, want := range map[string]error{"20": syscall.EINVAL, "-1": syscall.EINVAL, "many": syscall.EINVAL} {
		if err := l.write("/sys/class/net/eth0/mtu", value); err != want {
			t.Errorf("an MTU of %s: %v, want %v", value, err, want)
		}
	}
	l.check(l.write("/sys/class/net/eth0/flags", "0x1002"))
	l.want("/sys/class/net/eth0/operstate", "down\n")
	n, err := l.fs.Lookup("/sys/class/net/eth0/carrier")
	l.check(err)
	if _, err := n.Read(); err != syscall.EINVAL {
		t.Errorf("the carrier of an interface that is down: %v", err)
	}
}

// A counter that moved is shown where Linux shows it.
func TestCountersMove(t *testing.T) {
	l := newLab(t)
	s := l.socket(core.AFInet, core.SockDgram, 0)
	l.check(s.Bind(at("127.0.0.1", 5000)))
	l.check(s.Connect(at("127.0.0.1", 5000)))
	_, err := s.Send(&core.Message{Data: []byte("hello")})
	l.check(err)
	l.Advance(0)
	lines := strings.Split(l.file("/proc/net/snmp"), "\n")
	found := false
	for _, x := range lines {
		found = found || x == "Udp: 1 0 0 1 0 0 0 0 0"
	}
	if !found {
		t.Errorf("no datagram in %q", lines)
	}
	if dev := l.file("/proc/net/dev"); !strings.Contains(dev, "    lo:      33       1    0    0") {
		t.Errorf("no packet in\n%s", dev)
	}
	if stat := l.file("/proc/net/sockstat"); !strings.Contains(stat, "sockets: used 1\n") || !strings.Contains(stat, "UDP: inuse 1 mem 1\n") {
		t.Errorf("no socket in\n%s", stat)
	}
}
