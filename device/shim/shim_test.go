package shim

import (
	"bytes"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/loopback"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func wrap(t testing.TB, d core.Device) core.Device {
	t.Helper()
	w, err := Wrap(d)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  pipe.Config
	}{
		{"ideal pipe", pipe.Config{}},
		{"raw pipe", pipe.Config{Raw: true, MTU: 65535}},
		{"offload", pipe.Config{Offload: true}},
		{"wire", pipe.Config{Wire: pipe.Wire{Rate: 1e9, Delay: time.Millisecond}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			devicetest.Run(t, func(t *testing.T) devicetest.Link {
				h := host.NewVirtual(1)
				a, b := pipe.New(tt.cfg)
				return devicetest.Link{Host: h, A: wrap(t, a), B: wrap(t, b), OneDomain: true, Pass: devicetest.Virtual(h.RunFor)}
			})
		})
	}
	t.Run("pipe in real time", func(t *testing.T) {
		devicetest.Run(t, func(t *testing.T) devicetest.Link {
			a, b := pipe.New(pipe.Config{})
			return devicetest.Link{Host: host.NewRealTime(), A: wrap(t, a), B: wrap(t, b), Pass: devicetest.RealTime}
		})
	})
	t.Run("loopback", func(t *testing.T) {
		devicetest.Run(t, func(t *testing.T) devicetest.Link {
			h := host.NewVirtual(1)
			return devicetest.Link{Host: h, A: wrap(t, loopback.Device()), Pass: devicetest.Virtual(h.RunFor)}
		})
	})
}

func TestTheCarrierCrosses(t *testing.T) {
	h := host.NewVirtual(1)
	ea, eb := pipe.New(pipe.Config{})
	a, b := devicetest.NewStation(t, h, nil, "a", wrap(t, ea)), devicetest.NewStation(t, h, nil, "b", wrap(t, eb))
	h.RunFor(time.Second)
	if r := b.Running(); !r[len(r)-1] {
		t.Fatalf("no carrier at the start: %v", r)
	}
	a.Close()
	h.RunFor(time.Second)
	if r := b.Running(); r[len(r)-1] {
		t.Errorf("the carrier is still there: %v", r)
	}
}

func TestPropertiesSurviveEncoding(t *testing.T) {
	p := core.Properties{Kind: "tun", Name: "eth7", Link: core.LinkEthernet, MTU: 9000, MaxMTU: 65535, HWAddr: wire.HWAddr{2, 3, 4, 5, 6, 7},
		Flags: core.FlagBroadcast | core.FlagMulticast, Offloads: core.OffloadScatter, QueueLen: 77}
	if got, err := decodeProperties(encodeProperties(p)); err != nil || got != p {
		t.Errorf("%+v, %v", got, err)
	}
	b := encodeProperties(p)
	for i := range b {
		if _, err := decodeProperties(b[:i]); err == nil {
			t.Errorf("the first %d of %d bytes decode", i, len(b))
		}
	}
}

// A message that decodes is made of its own bytes and of nothing else.
func FuzzDecode(f *testing.F) {
	f.Add(header(msgDone, 7))
	f.Add(header(msgCarrier, 1))
	f.Add(append(header(msgFrames, 1), 2, 4, 2, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8))
	f.Add([]byte{msgFrames, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, msg []byte) {
		kind, n, frames, err := decode(msg)
		if err != nil {
			return
		}
		if kind == msgFrames && len(frames) != n {
			t.Errorf("%d frames of %d", len(frames), n)
		}
		for _, fr := range frames {
			if !bytes.Contains(msg, fr.Data) {
				t.Errorf("frame % x is not part of the message", fr.Data)
			}
			if m := fr.Meta; m.Checksum == core.ChecksumPartial && int(m.ChecksumStart)+int(m.ChecksumField)+2 > len(fr.Data) {
				t.Errorf("a checksum outside of the frame: %+v", m)
			}
		}
	})
}
