package qemu

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/host"
)

// open makes a device and waits for nobody.
func open(t *testing.T, parameters map[string]string) *Device {
	t.Helper()
	d, err := Kind().Open(parameters)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*Device)
}

// meet waits until somebody is at the other end of each device.
func meet(t *testing.T, devices ...*Device) {
	t.Helper()
	for _, d := range devices {
		for deadline := time.Now().Add(20 * time.Second); !d.Connected(); time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("nobody came to %s", d.Address())
			}
		}
	}
}

// socket is a path that is short enough for a socket.
func socket(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "q")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "s")
}

func TestTheDeviceKeepsTheContract(t *testing.T) {
	for _, by := range []string{"path", "address"} {
		t.Run(by, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				at := "127.0.0.1:0"
				if by == "path" {
					at = socket(t)
				}
				a := open(t, map[string]string{by: at, "role": Listen})
				b := open(t, map[string]string{by: a.Address()})
				meet(t, a, b)
				return devicetest.Link{Host: host.NewRealTime(), A: a, B: b, Pass: devicetest.RealTime}
			})
		})
	}
}

// QEMU itself, without a guest, is a hub between two of our devices: it is the
// server of one and the client of the other.
func TestFramesGoThroughQEMU(t *testing.T) {
	program, err := exec.LookPath("qemu-system-x86_64")
	if err != nil {
		t.Skip("there is no qemu-system-x86_64: install qemu-system-x86")
	}
	ours, theirs := socket(t), socket(t)
	a := open(t, map[string]string{"path": ours, "role": Listen})
	cmd := exec.Command(program, "-machine", "none", "-display", "none", "-nodefaults", "-monitor", "none",
		"-netdev", "stream,id=a,server=off,addr.type=unix,addr.path="+ours,
		"-netdev", "stream,id=b,server=on,addr.type=unix,addr.path="+theirs,
		"-netdev", "hubport,id=ha,hubid=0,netdev=a", "-netdev", "hubport,id=hb,hubid=0,netdev=b")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	}()
	b := open(t, map[string]string{"path": theirs})
	meet(t, a, b)
	sa := devicetest.NewStation(t, host.NewRealTime(), nil, "a", a)
	sb := devicetest.NewStation(t, host.NewRealTime(), nil, "b", b)
	const n = 50
	for range n {
		sa.Send(1, 60)
		sb.Send(1, 1500)
	}
	for sa.Count() < n || sb.Count() < n {
		if !devicetest.RealTime(sa.Notice(), sb.Notice()) {
			t.Fatalf("%d and %d packets of %d came", sa.Count(), sb.Count(), n)
		}
	}
	if !slices.Equal(sa.Numbers(), devicetest.Range(0, n)) || !slices.Equal(sb.Numbers(), devicetest.Range(0, n)) {
		t.Errorf("%v and %v came", sa.Numbers(), sb.Numbers())
	}
}

// A peer that ends is waited for again, and the interface has no carrier meanwhile.
func TestAPeerMayGoAndComeBack(t *testing.T) {
	path := socket(t)
	a := open(t, map[string]string{"path": path, "role": Listen})
	s := devicetest.NewStation(t, host.NewRealTime(), nil, "a", a)
	for round := range 3 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		meet(t, a)
		frame := ethernet(s.Interface.HWAddr(), uint32(round))
		if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...)); err != nil {
			t.Fatal(err)
		}
		for s.Count() <= round {
			if !devicetest.RealTime(s.Notice(), nil) {
				t.Fatalf("round %d: nothing came", round)
			}
		}
		c.Close()
		for deadline := time.Now().Add(20 * time.Second); a.Connected() && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
	}
	want := []bool{true, false, true, false, true, false}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		got := s.Running()
		if n := len(got) - len(want); n > 0 && slices.Equal(got[n:], want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the carrier went %v, want %v at the end", got, want)
		}
	}
}

// ethernet is a frame with packet n of a station in it.
func ethernet(to wire.HWAddr, n uint32) []byte {
	b := make([]byte, 14+devicetest.MinSize)
	copy(b, to[:])
	b[6], b[12] = 2, 8
	devicetest.Fill(b[14:], wire.FromV4(0x0a000002), wire.FromV4(0x0a000001), n)
	return b
}

// A length that no frame has ends the connection and is counted.
func TestAnImpossibleLengthEndsTheConnection(t *testing.T) {
	path := socket(t)
	a := open(t, map[string]string{"path": path, "role": Listen})
	s := devicetest.NewStation(t, host.NewRealTime(), nil, "a", a)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte{0xff, 0xff, 0xff, 0xff, 1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("reading: %v, want EOF", err)
	}
	if st := s.Stats(); st.RxErrors != 1 {
		t.Errorf("counted: %+v", st)
	}
}

func TestAWrongParameterIsNamed(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		given map[string]string
		want  string
	}{
		{nil, "which socket"},
		{map[string]string{"path": "a", "address": "b:1"}, "path and address"},
		{map[string]string{"path": "a", "role": "guest"}, `role = "guest"`},
		{map[string]string{"path": "a", "mtu": "67"}, "mtu = 67"},
		{map[string]string{"path": "a", "mtu": "many"}, `mtu = "many"`},
		{map[string]string{"path": "a", "hwaddr": "02:00"}, `hwaddr = "02:00"`},
		{map[string]string{"path": file, "role": "listen"}, "no socket"},
		{map[string]string{"address": "127.0.0.1:http:x", "role": "listen"}, "too many colons"},
	} {
		if _, err := Kind().Open(c.given); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.given, err, c.want)
		}
	}
}

// Whatever a stream brings, what is cut out of it are its frames.
func FuzzCut(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 'x', 0, 0, 0, 0, 0, 0, 0, 2, 'y'})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		frames, used, err := cut(b, nil)
		if used > len(b) {
			t.Fatalf("%d of %d bytes", used, len(b))
		}
		var again []byte
		for _, x := range frames {
			again = append(binary.BigEndian.AppendUint32(again, uint32(len(x.Data))), x.Data...)
		}
		var want []byte // without empty frames
		for rest := b[:used]; len(rest) > 0; {
			n := binary.BigEndian.Uint32(rest)
			if n > 0 {
				want = append(want, rest[:4+n]...)
			}
			rest = rest[4+n:]
		}
		if string(again) != string(want) {
			t.Fatalf("% x became % x, %v", b, again, err)
		}
	})
}

var _ core.Device = (*Device)(nil)
