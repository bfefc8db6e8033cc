package rawnic_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/device/rawnic"
	"github.com/libos-go/libos/device/shim"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/plugintest"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/reno"
)

// veth makes a pair of Ethernet interfaces, up and silent: the kernel speaks on
// them only where a test gives it an address.
func veth(t *testing.T, a, b string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0o644); err != nil && !os.IsNotExist(err) {
		t.Skipf("IPv6 of the kernel cannot be silenced: %v", err)
	}
	if out, ok := kernel.Command(t, "ip", "link", "add", a, "type", "veth", "peer", "name", b); !ok {
		t.Skipf("a veth pair cannot be made: %s", out)
	}
	kernel.MustCommand(t, "ip", "link", "set", a, "up")
	kernel.MustCommand(t, "ip", "link", "set", b, "up")
	for _, name := range []string{a, b} { // before that the kernel drops what it is given
		until(t, name+" is up", func() bool {
			return strings.Contains(kernel.MustCommand(t, "ip", "-o", "link", "show", "dev", name), " state UP ")
		})
	}
}

func open(t *testing.T, o rawnic.Options) *rawnic.Device {
	t.Helper()
	d, err := rawnic.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Ways to a device: linked in, behind the wall of messages, in a process of its own.
const (
	direct  = "direct"
	shimmed = "through the shim"
	module  = "in a module"
)

func TestMain(m *testing.M) { plugintest.Main(m, rawnic.Kind()) }

// openBy opens a device for the Domain of rig. A module is started where the test
// is: in its namespace.
func openBy(t *testing.T, way string, rig *coretest.Rig, o rawnic.Options) core.Device {
	t.Helper()
	if way == module {
		d, err := started(t).Open(rig, "packet", map[string]string{"interface": o.Interface})
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	var dev core.Device = open(t, o)
	if way == shimmed {
		var err error
		if dev, err = shim.Wrap(dev); err != nil {
			t.Fatal(err)
		}
	}
	return dev
}

// started starts the module, over which frames must then go, but where the suite
// sends none.
func started(t *testing.T) *plugintest.Process {
	t.Helper()
	var p *plugintest.Process
	t.Cleanup(func() { // after the check
		if to, from := p.Carried(); !t.Skipped() && !strings.HasSuffix(t.Name(), "properties_are_those_of_a_link") && to+from == 0 {
			t.Error("no frame went to the module or came from it")
		}
	})
	p = plugintest.Start(t)
	return p
}

func TestContract(t *testing.T) {
	for _, way := range []string{direct, shimmed, module} {
		t.Run(way, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				h := host.NewRealTime()
				l := devicetest.Link{Host: h, Pass: devicetest.RealTime, RigA: coretest.New(t, h)}
				kernel.InNamespace(t, func(t *testing.T) {
					veth(t, "left", "right")
					l.A, l.B = openBy(t, way, l.RigA, rawnic.Options{Interface: "left"}), open(t, rawnic.Options{Interface: "right"})
				})
				return l
			})
		})
	}
}

// behind is a stack on the interface "stack", whose other end "kernel" has
// addresses of the kernel.
func behind(t *testing.T, way string) (*coretest.Rig, *core.Instance, *core.Interface) {
	t.Helper()
	veth(t, "kernel", "stack")
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/kernel/disable_ipv6", []byte("0"), 0o644); err != nil {
		t.Skipf("IPv6 of the kernel cannot be woken: %v", err)
	}
	kernel.Configure(t, "kernel", "10.77.0.1/24", "fd77::1/64")
	rig := coretest.New(t, host.NewRealTime())
	dev := openBy(t, way, rig, rawnic.Options{Interface: "stack"})
	w := kernel.Wiring()
	w.Protocols = append(w.Protocols, core.ProtocolEntry{Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()})
	in := rig.Instance("stack", w)
	ifc := rig.Attach(in, dev, "eth0", "10.77.0.2/24", "fd77::2/64")
	kernel.Ready(t, "kernel")
	return rig, in, ifc
}

func TestTheKernelPingsUs(t *testing.T) {
	for _, way := range []string{direct, shimmed, module} {
		t.Run(way, func(t *testing.T) {
			kernel.InNamespace(t, func(t *testing.T) {
				rig, in, ifc := behind(t, way)
				if ifc.MTU() != 1500 {
					t.Errorf("MTU %d, want the host's 1500", ifc.MTU())
				}
				var down uint64 // what the kernel sent of itself before our interface was up
				rig.Domain.Do(func() { down = ifc.Stats().RxDropped })
				for _, dst := range []string{"10.77.0.2", "fd77::2"} {
					for _, size := range []string{"0", "56", "1400", "1472", "9000", "60000"} {
						kernel.PingFive(t, rig, in, dst, "0.02", size)
					}
				}
				rig.Domain.Do(func() {
					if st := ifc.Stats(); st.RxErrors != 0 || st.RxDropped != down || st.TxDropped != 0 || st.TxErrors != 0 {
						t.Errorf("counters %+v, want %d dropped", *st, down)
					}
				})
			})
		})
	}
}

func TestWeFetchFromTheKernelAndItFromUs(t *testing.T) {
	content := make([]byte, 4<<20)
	for i := range content {
		content[i] = byte(i ^ i>>8 ^ i>>16)
	}
	want := sha256.Sum256(content)
	for _, way := range []string{direct, shimmed, module} {
		t.Run(way, func(t *testing.T) {
			kernel.InNamespace(t, func(t *testing.T) {
				rig, in, ifc := behind(t, way)
				for _, at := range [][2]string{{"10.77.0.1", "10.77.0.2"}, {"fd77::1", "fd77::2"}} {
					theirs, err := net.Listen("tcp", net.JoinHostPort(at[0], "0"))
					if err != nil {
						t.Fatal(err)
					}
					c, err := in.DialContext(context.Background(), "tcp", theirs.Addr().String())
					if err != nil {
						t.Fatalf("dialling the kernel at %s: %v", at[0], err)
					}
					s, err := theirs.Accept()
					if err != nil {
						t.Fatal(err)
					}
					_ = theirs.Close()
					exchange(t, "with the kernel's server at "+at[0], c, s, content, want)

					ours, err := in.Listen("tcp", net.JoinHostPort(at[1], "8080"))
					if err != nil {
						t.Fatal(err)
					}
					if c, err = net.DialTimeout("tcp", net.JoinHostPort(at[1], "8080"), 20*time.Second); err != nil {
						t.Fatalf("dialling the stack at %s: %v", at[1], err)
					}
					if s, err = ours.Accept(); err != nil {
						t.Fatal(err)
					}
					_ = ours.Close()
					exchange(t, "with our server at "+at[1], c, s, content, want)
				}
				rig.Domain.Do(func() {
					if st := ifc.Stats(); st.RxErrors != 0 || st.TxErrors != 0 {
						t.Errorf("counters %+v", *st)
					}
				})
			})
		})
	}
}

// exchange sends content both ways at once and ends the connection.
func exchange(t *testing.T, what string, a, b net.Conn, content []byte, want [32]byte) {
	t.Helper()
	sent := make(chan error, 2)
	for _, c := range []net.Conn{a, b} {
		_ = c.SetDeadline(time.Now().Add(60 * time.Second))
		go func() {
			_, err := io.Copy(c, bytes.NewReader(content))
			sent <- err
		}()
	}
	got := make(chan [32]byte, 2)
	for _, c := range []net.Conn{a, b} {
		go func() {
			h := sha256.New()
			_, _ = io.CopyN(h, c, int64(len(content)))
			got <- [32]byte(h.Sum(nil))
		}()
	}
	for range 2 {
		if err := <-sent; err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if <-got != want {
			t.Errorf("%s: the bytes differ", what)
		}
	}
	_ = a.Close()
	_ = b.Close()
}

// until waits for what a goroutine of the device brings about.
func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !f(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func TestTheCarrierAndMTUFollowTheHostsInterface(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		veth(t, "near", "far")
		rig := coretest.New(t, host.NewRealTime())
		in := rig.Instance("a", kernel.Wiring())
		dev := open(t, rawnic.Options{Interface: "near"})
		ifc := rig.Attach(in, dev, "", "10.0.0.1/24")
		running := func() (on bool) {
			rig.Domain.Do(func() { on = ifc.Flags()&core.FlagRunning != 0 })
			return on
		}
		mtu := func() (n int) {
			rig.Domain.Do(func() { n = ifc.MTU() })
			return n
		}
		dropped := func() (n uint64) {
			rig.Domain.Do(func() { n = ifc.Stats().TxDropped })
			return n
		}
		if !running() {
			t.Error("no carrier at first")
		}
		for range 2 {
			kernel.MustCommand(t, "ip", "link", "set", "far", "down")
			until(t, "no carrier when the other end is down", func() bool { return !running() })
			kernel.MustCommand(t, "ip", "link", "set", "far", "up")
			until(t, "a carrier again", running)
			kernel.MustCommand(t, "ip", "link", "set", "near", "down")
			until(t, "no carrier when the host's interface is down", func() bool { return !running() })
			before := dropped()
			rig.Domain.Do(func() {
				p := in.NewPacket(core.Headroom, 100)
				p.Put(60)[0] = 0x45
				p.EtherType = wire.EtherTypeIPv4
				ifc.TransmitTo(p, wire.HWBroadcast())
			})
			if dropped() == before {
				t.Error("a frame sent while the host's interface is down is not counted as dropped")
			}
			kernel.MustCommand(t, "ip", "link", "set", "near", "up")
			until(t, "a carrier again", running)
		}
		kernel.MustCommand(t, "ip", "link", "set", "near", "mtu", "1300")
		until(t, "the smaller MTU", func() bool { return mtu() == 1300 })
		kernel.MustCommand(t, "ip", "link", "del", "near")
		until(t, "no carrier when the interface is gone", func() bool { return !running() })
	})
}

func TestFramesOfOthersAreNotOurs(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		veth(t, "left", "right")
		h := host.NewRealTime()
		a := devicetest.NewStation(t, h, nil, "a", open(t, rawnic.Options{Interface: "left"}))
		b := devicetest.NewStation(t, h, nil, "b", open(t, rawnic.Options{Interface: "right"}))
		a.ToHW = wire.HWAddr{2, 9, 9, 9, 9, 9}
		a.Send(3, 100) // to nobody
		a.ToHW = b.Interface.HWAddr()
		a.Send(1, 200)
		until(t, "the frame to us", func() bool { return b.Count() > 0 })
		if got := b.Numbers(); len(got) != 1 || got[0] != 3 {
			t.Errorf("received %v, want number 3 alone", got)
		}
		if st := b.Stats(); st.RxPackets != 1 {
			t.Errorf("the host passed on frames for others: %+v", st)
		}
	})
}

func TestAPromiscuousDeviceSeesFramesOfOthers(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		veth(t, "left", "right")
		h := host.NewRealTime()
		a := devicetest.NewStation(t, h, nil, "a", open(t, rawnic.Options{Interface: "left"}))
		b := devicetest.NewStation(t, h, nil, "b", open(t, rawnic.Options{Interface: "right", Promiscuous: true}))
		a.ToHW = wire.HWAddr{2, 9, 9, 9, 9, 9}
		a.Send(3, 100)
		a.ToHW = wire.HWBroadcast()
		a.Send(1, 200)
		until(t, "the frame to all", func() bool { return b.Count() > 0 })
		if st := b.Stats(); st.RxPackets != 4 {
			t.Errorf("%d frames seen, want 4", st.RxPackets)
		}
	})
}

func TestFramesOfAVirtualLANAreNotOurs(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		veth(t, "left", "right")
		h := host.NewRealTime()
		a := devicetest.NewStation(t, h, nil, "a", open(t, rawnic.Options{Interface: "left"}))
		b := devicetest.NewStation(t, h, nil, "b", open(t, rawnic.Options{Interface: "right"}))
		// By hand: two frames to everybody that differ in the tag and in length.
		header := []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9}
		tagged := append(append([]byte(nil), header...), 0x81, 0, 0, 5, 0x88, 0xb5) // VLAN 5, for experiments
		plain := append(append([]byte(nil), header...), 0x88, 0xb5)
		inject(t, "left", append(tagged, make([]byte, 100)...))
		inject(t, "left", append(plain, make([]byte, 136)...))
		a.Send(1, 200)
		until(t, "the untagged frames", func() bool { return b.Count() == 1 && b.Stats().RxPackets >= 2 })
		if n := b.Stats().RxPackets; n != 2 { // the tagged one went first
			t.Errorf("%d frames came, one of them by a virtual LAN", n)
		}
	})
}

// inject sends one frame on an interface of the namespace.
func inject(t *testing.T, name string, frame []byte) {
	t.Helper()
	link, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	if err := syscall.Sendto(fd, frame, 0, &syscall.SockaddrLinklayer{Ifindex: link.Index}); err != nil {
		t.Fatal(err)
	}
}

func TestWhatTheHostDroppedIsCounted(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		veth(t, "left", "right")
		h := host.NewRealTime()
		a := devicetest.NewStation(t, h, nil, "a", open(t, rawnic.Options{Interface: "left"}))
		// The right side is open and nobody reads yet: its buffer overflows.
		dev := open(t, rawnic.Options{Interface: "right"})
		const n = 12_000
		for range n / 500 {
			a.Send(500, 1400)
			until(t, "the host took them", func() bool { return a.Stats().TxPackets%500 == 0 })
		}
		b := devicetest.NewStation(t, h, nil, "b", dev)
		until(t, "every frame is received or counted", func() bool {
			st := b.Stats()
			return st.RxPackets+st.RxDropped >= n
		})
		if st := b.Stats(); st.RxDropped == 0 || st.RxPackets == 0 || st.RxPackets+st.RxDropped != n {
			t.Errorf("%d frames were sent: %+v", n, st)
		}
	})
}

func TestErrorsNameTheCure(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		veth(t, "left", "right")
		for _, tt := range [][2]string{
			{"nowhere", "packet: interface nowhere: no such network interface (interfaces: lo "},
			{"lo", "packet: interface lo: it is no Ethernet: choose a network card"},
		} {
			if d, err := rawnic.Open(rawnic.Options{Interface: tt[0]}); err == nil {
				t.Errorf("%s could be opened", tt[0])
				_ = d.Close()
			} else if !strings.HasPrefix(err.Error(), tt[1]) {
				t.Errorf("got  %v\nwant %s…", err, tt[1])
			}
		}
		if _, err := rawnic.Kind().Open(map[string]string{"interface": ""}); err == nil {
			t.Error("a device without interface could be opened")
		}
		d, err := rawnic.Kind().Open(map[string]string{"interface": "left", "hwaddr": "02:00:00:00:00:07"})
		if err != nil {
			t.Fatal(err)
		}
		if p := d.Properties(); p.HWAddr != (wire.HWAddr{2, 0, 0, 0, 0, 7}) || p.Kind != "packet" {
			t.Errorf("properties %+v", p)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
}
