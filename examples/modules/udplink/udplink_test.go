package udplink

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/host"
)

// addresses are two that are free: of UDP, or paths that are short enough.
func addresses(t *testing.T, unix bool) (a, b string) {
	t.Helper()
	if unix {
		dir, err := os.MkdirTemp("", "u")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		return filepath.Join(dir, "a"), filepath.Join(dir, "b")
	}
	var at [2]string
	for i := range at {
		c, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at[i] = c.LocalAddr().String()
		defer c.Close()
	}
	return at[0], at[1]
}

func open(t *testing.T, local, remote string) core.Device {
	t.Helper()
	d, err := Kind().Open(map[string]string{"local": local, "remote": remote})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A link over sockets loses what their buffers do not hold, so of the suite what
// does not fill them is asked here; a Unix socket makes its sender wait.
func TestTheDeviceKeepsTheContract(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) devicetest.Link {
		la, lb := addresses(t, true)
		return devicetest.Link{Host: host.NewRealTime(), A: open(t, la, lb), B: open(t, lb, la), Pass: devicetest.RealTime}
	})
}

func TestFramesCrossOverUDP(t *testing.T) {
	la, lb := addresses(t, false)
	a := devicetest.NewStation(t, host.NewRealTime(), nil, "a", open(t, la, lb))
	b := devicetest.NewStation(t, host.NewRealTime(), nil, "b", open(t, lb, la))
	for i, size := range []int{devicetest.MinSize, 100, 1450} {
		a.Send(1, size)
		b.Send(1, size)
		for a.Count() <= i || b.Count() <= i {
			if !devicetest.RealTime(a.Notice(), b.Notice()) {
				t.Fatalf("%d bytes: %d and %d came", size, a.Count(), b.Count())
			}
		}
	}
}

// Only the remote end is heard.
func TestAStrangerIsNotHeard(t *testing.T) {
	la, lb := addresses(t, false)
	a := devicetest.NewStation(t, host.NewRealTime(), nil, "a", open(t, la, lb))
	stranger, err := net.Dial("udp", la)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	frame := make([]byte, 14+devicetest.MinSize)
	hw := a.Interface.HWAddr()
	copy(frame, hw[:])
	frame[12] = 8
	devicetest.Fill(frame[14:], wire.FromV4(0x0a000002), wire.FromV4(0x0a000001), 0)
	if _, err := stranger.Write(frame); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); a.Stats().RxErrors == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the datagram was not counted")
		}
	}
	if a.Count() != 0 {
		t.Error("a stranger's frame came to the stack")
	}
}

// Nobody at the other end is no reason to end.
func TestTheOtherEndMayComeLater(t *testing.T) {
	la, lb := addresses(t, true)
	a := devicetest.NewStation(t, host.NewRealTime(), nil, "a", open(t, la, lb))
	a.Send(3, 100)
	for deadline := time.Now().Add(20 * time.Second); a.Stats().TxErrors != 3; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("counted: %+v", a.Stats())
		}
	}
	b := devicetest.NewStation(t, host.NewRealTime(), nil, "b", open(t, lb, la))
	a.Send(1, 100)
	for b.Count() == 0 {
		if !devicetest.RealTime(b.Notice(), nil) {
			t.Fatal("nothing came to the end that came late")
		}
	}
	if got := b.Numbers(); got[0] != 3 {
		t.Errorf("packet %d came", got[0])
	}
}

func TestAWrongParameterIsNamed(t *testing.T) {
	for _, c := range []struct {
		given map[string]string
		want  string
	}{
		{nil, "Give local and remote"},
		{map[string]string{"local": "/a", "remote": "127.0.0.1:1"}, "two paths or two HOST:PORT"},
		{map[string]string{"local": "127.0.0.1:0", "remote": "127.0.0.1:x"}, `remote = "127.0.0.1:x"`},
		{map[string]string{"local": "127.0.0.1:x", "remote": "127.0.0.1:1"}, `local = "127.0.0.1:x"`},
		{map[string]string{"local": "/a", "remote": "/b", "mtu": "67"}, "mtu = 67"},
		{map[string]string{"local": "/a", "remote": "/b", "mtu": fmt.Sprint(maxMTU + 1)}, "mtu ="},
		{map[string]string{"local": "/a", "remote": "/b", "hwaddr": "x"}, `hwaddr = "x"`},
	} {
		if _, err := Kind().Open(c.given); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.given, err, c.want)
		}
	}
}
