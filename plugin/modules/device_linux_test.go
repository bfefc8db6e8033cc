package modules_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/replay"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/modules"
)

// kinds are what the module serves of devices: those need files.
func kinds() []core.DeviceKind {
	if _, err := os.Stat(os.Args[0] + ".devices"); err != nil {
		return nil
	}
	return []core.DeviceKind{replay.Kind()}
}

// buildDevices is build for a module that serves devices, too.
func buildDevices(t testing.TB) string {
	t.Helper()
	dir := build(t)
	if err := os.WriteFile(filepath.Join(dir, "udp.devices"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := modules.WriteManifest(dir, "udp", "UDP", []string{"IPV4"}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// recording is a file of n packets, a millisecond apart.
func recording(t testing.TB, n int) string {
	t.Helper()
	var b bytes.Buffer
	w := pcapgo.NewWriterNanos(&b)
	if err := w.WriteFileHeader(0, layers.LinkTypeRaw); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		p := make([]byte, 60)
		devicetest.Fill(p, wire.MustAddr("10.0.0.1"), wire.MustAddr("10.0.0.2"), uint32(i))
		if err := w.WritePacket(gopacket.CaptureInfo{Timestamp: time.Unix(1, int64(i)*1e6), CaptureLength: 60, Length: 60}, p); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(t.TempDir(), "x.pcap")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestADeviceOfAModuleIsMadeByNameAndKeepsItsModuleLoaded(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{buildDevices(t)}})
	rig := coretest.New(t, host.NewVirtual(1))
	a, b := rig.Instance("a", networks()), rig.Instance("b", networks())
	parameters := map[string]string{"file": recording(t, 10)}
	var interfaces [2]*core.Interface
	for i, in := range []*core.Instance{a, b} {
		dev, err := m.Device(in, "replay", parameters)
		if err != nil {
			t.Fatal(err)
		}
		interfaces[i] = rig.Attach(in, dev, "", "10.0.0.2/24")
		if name := interfaces[i].Name(); name != "replay0" {
			t.Errorf("its name is %s", name)
		}
	}
	rig.Advance(time.Second)
	for _, ifc := range interfaces {
		rig.Domain.Do(func() {
			if st := ifc.Stats(); st.RxPackets != 10 {
				t.Errorf("%+v", *st)
			}
		})
	}
	if st := m.List(); len(st) != 1 || st[0].Devices != 2 || st[0].Users != 2 || st[0].Traffic.Frames != 20 || st[0].PID == os.Getpid() {
		t.Errorf("%+v", st)
	}
	if err := m.Unload("udp"); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "2 devices (replay replay) of a b") {
		t.Errorf("unloaded with devices: %v", err)
	}
	for _, ifc := range interfaces {
		if err := ifc.Instance().RemoveDevice(ifc); err != nil {
			t.Error(err)
		}
	}
	if err := m.Unload("udp"); err != nil {
		t.Error(err)
	}
}

// One session carries both, so that neither may disturb what the other is
// writing.
func TestAProtocolAndADeviceOfOneModuleWorkAtOnce(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{buildDevices(t)}})
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("a", networks())
	dev, err := m.Device(in, "replay", map[string]string{"file": recording(t, 64), "speed": "max", "loop": "500"})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Attach(in, "udp"); err != nil {
		t.Fatal(err)
	}
	ifc := rig.Attach(in, dev, "", "10.0.0.2/24")
	for range 200 {
		echo(t, in)
	}
	played := func() (n uint64) {
		rig.Domain.Do(func() { n = ifc.Stats().RxPackets + ifc.Stats().RxDropped })
		return n
	}
	for end := time.Now().Add(20 * time.Second); played() < 64*500 && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	if n := played(); n != 64*500 {
		t.Errorf("%d frames came", n)
	}
	if st := m.List()[0]; st.Traffic.Faults != 0 || st.Restarts != 0 {
		t.Errorf("%+v", st)
	}
}

func TestADeviceIsBackWithItsModuleAfterItWasKilled(t *testing.T) {
	for _, stream := range []bool{false, true} {
		m := manager(t, modules.Options{Dirs: []string{buildDevices(t)}, Stream: stream})
		rig := coretest.New(t, host.NewRealTime())
		in := rig.Instance("a", networks())
		dev, err := m.Device(in, "replay", map[string]string{"file": recording(t, 3)})
		if err != nil {
			t.Fatal(err)
		}
		ifc := rig.Attach(in, dev, "", "10.0.0.2/24")
		until := func(what string, ok func() bool) {
			t.Helper()
			for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
				done := false
				rig.Domain.Do(func() { done = ok() })
				if done {
					return
				}
				if time.Now().After(end) {
					t.Fatalf("stream %v: not so: %s", stream, what)
				}
			}
		}
		until("three packets came", func() bool { return ifc.Stats().RxPackets == 3 })
		if err := syscall.Kill(m.List()[0].PID, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		until("it is played again", func() bool { return ifc.Stats().RxPackets == 6 && ifc.Flags()&core.FlagRunning != 0 })
		if st := m.List()[0]; st.Restarts != 1 || st.Devices != 1 {
			t.Errorf("stream %v: %+v", stream, st)
		}
	}
}

func TestADeviceThatCannotBeMadeSaysWhy(t *testing.T) {
	dir := buildDevices(t)
	m := manager(t, modules.Options{Dirs: []string{dir}, Blacklist: []string{"udp"}})
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Instance("a", networks())
	open := func(kind string, parameters map[string]string) string {
		t.Helper()
		_, err := m.Device(in, kind, parameters)
		if err == nil {
			t.Fatalf("a %s was made", kind)
		}
		return err.Error()
	}
	if got := open("replay", nil); !strings.Contains(got, "blacklist: load it by name first (libos modprobe udp)") {
		t.Error(got)
	}
	if _, err := m.Load("udp", nil); err != nil {
		t.Fatal(err)
	}
	if got := open("replay", nil); got != "file is missing: name a pcap or pcapng file" {
		t.Error(got)
	}
	if got := open("replay", map[string]string{"file": "/nowhere"}); got != "replay: open /nowhere: no such file or directory" {
		t.Error(got)
	}
	if _, err := m.Device(in, "warp", nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "kinds: replay") {
		t.Error(err)
	}
	k, err := m.DeviceKind(in, "replay")
	if err != nil || k.Parameters["file"] == "" {
		t.Errorf("%+v, %v", k, err)
	}
	if err := m.Unload("udp"); err != nil {
		t.Error(err)
	}
}

func TestADeviceGoesOnInTheProcessThatReplacesItsModule(t *testing.T) {
	m := manager(t, modules.Options{Dirs: []string{buildDevices(t)}})
	rig := coretest.New(t, host.NewVirtual(1))
	in := rig.Instance("a", networks())
	dev, err := m.Device(in, "replay", map[string]string{"file": recording(t, 4)})
	if err != nil {
		t.Fatal(err)
	}
	ifc := rig.Attach(in, dev, "", "10.0.0.2/24")
	rig.Advance(time.Second)
	before := m.List()[0].PID
	if lost, err := m.Replace("udp", modules.ReplaceOptions{}); err != nil || lost != 0 {
		t.Fatal(lost, err)
	}
	rig.Advance(time.Second)
	rig.Domain.Do(func() {
		if st := ifc.Stats(); st.RxPackets != 8 || ifc.Flags()&core.FlagRunning == 0 {
			t.Errorf("%+v, flags %#x: the other process plays the file again", *st, ifc.Flags())
		}
	})
	if st := m.List()[0]; st.PID == before || st.Replaced != 1 || st.Devices != 1 || st.Traffic.Lost != 0 {
		t.Errorf("%+v, before it was process %d", st, before)
	}
}
