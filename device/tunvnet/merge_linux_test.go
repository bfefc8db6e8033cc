package tunvnet_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/device/tunvnet"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/reno"
)

// A stream arrives whole at the kernel, in much fewer frames than it has segments.
func TestSegmentsInARowAreOneFrame(t *testing.T) {
	for _, tap := range []bool{false, true} {
		for _, address := range []string{"10.78.0.1", "fd78::1"} {
			t.Run(map[bool]string{false: "tun ", true: "tap "}[tap]+address, func(t *testing.T) {
				kernel.InNamespace(t, func(t *testing.T) { streamTo(t, tap, address) })
			})
		}
	}
}

func streamTo(t *testing.T, tap bool, address string) {
	dev, err := tunvnet.Open(tunio.Options{TAP: tap, MTU: 1500})
	if err != nil {
		t.Skip(err)
	}
	w := kernel.Wiring()
	w.Protocols = []core.ProtocolEntry{{Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()}}
	w.Sysctls = []*sysctl.Table{sysctl.Of[core.PortSysctls]()}
	rig := coretest.New(t, host.NewRealTime())
	in := rig.Instance("stack", w)
	if err := in.SetSysctl("net.ipv6.conf.default.accept_dad", "0"); err != nil {
		t.Error(err)
	}
	kernel.Configure(t, dev.KernelName(), "10.78.0.1/24", "fd78::1/64")
	ifc := rig.Attach(in, dev, "")
	for _, a := range []string{"10.78.0.2/24", "fd78::2/64"} {
		if err := ifc.AddAddress(wire.MustPrefix(a)); err != nil {
			t.Error(err)
			return
		}
	}
	l, err := net.Listen("tcp", net.JoinHostPort(address, "7"))
	if err != nil {
		t.Error(err)
		return
	}
	defer l.Close()
	sent := make([]byte, 4<<20)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(sent)
	got := make(chan []byte, 1)
	go func() {
		var b []byte
		if c, err := l.Accept(); err == nil {
			_ = c.SetDeadline(time.Now().Add(30 * time.Second))
			b, _ = io.ReadAll(c)
			_ = c.Close()
		}
		got <- b
	}()
	c, err := in.Dial("tcp", net.JoinHostPort(address, "7"))
	if err != nil {
		t.Error(err)
		return
	}
	if _, err := c.Write(sent); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if b := <-got; !bytes.Equal(b, sent) {
		t.Errorf("%d bytes arrived, of %d, or others", len(b), len(sent))
	}
	text, err := os.ReadFile("/sys/class/net/" + dev.KernelName() + "/statistics/rx_packets")
	if err != nil { // a namespace has its own view of /sys only where it is mounted again
		text = []byte(counter(kernel.MustCommand(t, "ip", "-s", "link", "show", dev.KernelName())))
	}
	frames, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if most := len(sent) / 1448 / 3; err != nil || frames > most {
		t.Errorf("%d frames, %v, want at most %d", frames, err, most)
	}
	if c := dev.Counters(); c != (tunvnet.Counters{}) {
		t.Errorf("counters %+v", c)
	}
}

// counter is the number of received packets that ip -s link shows.
func counter(shown string) string {
	_, rest, _ := strings.Cut(shown, "RX:")
	lines := strings.Split(rest, "\n")
	if len(lines) < 2 {
		return ""
	}
	if w := strings.Fields(lines[1]); len(w) > 1 {
		return w[1]
	}
	return ""
}
