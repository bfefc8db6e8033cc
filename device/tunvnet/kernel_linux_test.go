package tunvnet_test

import (
	"net"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/devicetest/kernel"
	"github.com/libos-go/libos/device/tunio"
	"github.com/libos-go/libos/device/tunvnet"
	"github.com/libos-go/libos/host"
)

func open(o tunio.Options) (kernel.Device, error) { return tunvnet.Open(o) }

func TestTheKernelPingsUs(t *testing.T) {
	t.Run("tun", func(t *testing.T) { kernel.Ping(t, host.NewRealTime(), false, open) })
	t.Run("tap", func(t *testing.T) { kernel.Ping(t, host.NewRealTime(), true, open) })
}

func TestChecksumsAreLeftToTheKernel(t *testing.T) {
	kernel.InNamespace(t, func(t *testing.T) {
		dev, err := tunvnet.Open(tunio.Options{})
		if err != nil {
			t.Skip(err)
		}
		if dev.Properties().Offloads&core.OffloadTxChecksum == 0 {
			t.Error("the device does not complete checksums")
		}
		s := devicetest.NewStation(t, host.NewRealTime(), nil, "stack", dev)
		s.Addr, s.To = wire.MustAddr("10.78.0.2"), wire.MustAddr("10.78.0.1")
		kernel.Configure(t, dev.KernelName(), "10.78.0.1/24")
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(10, 78, 0, 1), Port: 7})
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))

		// Out: the field holds the sum of the pseudo header, the kernel does the rest.
		const size = 500
		s.Instance.Domain().Do(func() {
			b := make([]byte, size)
			devicetest.Fill(b, s.Addr, s.To, 42)
			sum := wire.Fold(wire.PseudoHeader(s.Addr, s.To, 17, size-20))
			b[26], b[27] = byte(sum>>8), byte(sum)
			p := s.Instance.NewInput(core.Frame{Data: b, Meta: core.FrameMeta{Checksum: core.ChecksumPartial, ChecksumStart: 20, ChecksumField: 6}})
			s.Interface.TransmitTo(p, s.ToHW)
		})
		buf := make([]byte, 2000)
		n, from, err := conn.ReadFromUDP(buf)
		if err != nil || n != size-28 {
			t.Errorf("the kernel's socket got %d bytes, %v, want %d", n, err, size-28)
			return
		}

		// In: the kernel leaves the sum to us and says where it goes.
		if _, err := conn.WriteToUDP(make([]byte, 300), from); err != nil {
			t.Error(err)
			return
		}
		var r devicetest.Received
		for deadline := time.After(20 * time.Second); r.Data == nil; {
			for _, x := range s.Received() { // the kernel also multicasts of its own accord
				if len(x.Data) == 328 {
					r = x
				}
			}
			if r.Data != nil {
				break
			}
			select {
			case <-s.Notice():
			case <-deadline:
				t.Fatal("nothing came from the kernel's socket")
			}
		}
		if r.Meta.Checksum != core.ChecksumPartial || r.Meta.ChecksumField != 6 {
			t.Fatalf("received %d bytes with %+v, want a partial UDP checksum", len(r.Data), r.Meta)
		}
		sum := wire.Finish(wire.Sum(r.Data[20:], 0))
		r.Data[26], r.Data[27] = byte(sum>>8), byte(sum)
		if got := wire.Finish(wire.Sum(r.Data[20:], wire.PseudoHeader(s.To, s.Addr, 17, 308))); got != 0 {
			t.Errorf("the completed checksum is off by %#04x", got)
		}
		if c := dev.Counters(); c != (tunvnet.Counters{}) {
			t.Errorf("counters %+v", c)
		}
	})
}
