package replay_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/capture"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/replay"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/plugintest"
)

func TestMain(m *testing.M) { plugintest.Main(m, replay.Kind()) }

// either has run play files by devices that are linked in, and by devices of one
// module.
func either(t *testing.T, run func(t *testing.T, open func(rig *coretest.Rig, parameters map[string]string) core.Device)) {
	t.Run("linked in", func(t *testing.T) {
		run(t, func(_ *coretest.Rig, parameters map[string]string) core.Device {
			d, err := replay.Kind().Open(parameters)
			if err != nil {
				t.Fatal(err)
			}
			return d
		})
	})
	t.Run("in a module", func(t *testing.T) {
		p := plugintest.Start(t)
		run(t, func(rig *coretest.Rig, parameters map[string]string) core.Device {
			d, err := p.Open(rig, "replay", parameters)
			if err != nil {
				t.Fatal(err)
			}
			return d
		})
	})
}

func TestAModuleKeepsRecordedDistancesToTheNanosecond(t *testing.T) {
	ms := time.Millisecond
	recorded := []time.Duration{0, 7, 1 * ms, 1*ms + 1, 3600 * time.Second}
	path := file(t, pcap(t, recorded...))
	for _, tt := range []struct {
		parameters map[string]string
		want       []time.Duration
	}{
		{nil, recorded},
		{map[string]string{"speed": "2"}, []time.Duration{0, 3, ms / 2, ms / 2, 1800 * time.Second}},
		{map[string]string{"speed": "max"}, []time.Duration{0, 0, 0, 0, 0}},
		{map[string]string{"loop": "2"}, append(recorded[:5:5], 4500*time.Second, 4500*time.Second+7, 4500*time.Second+ms, 4500*time.Second+ms+1, 8100*time.Second)},
	} {
		either(t, func(t *testing.T, open func(*coretest.Rig, map[string]string) core.Device) {
			h := host.NewVirtual(1)
			rig := coretest.New(t, h)
			given := map[string]string{"file": path}
			for k, v := range tt.parameters {
				given[k] = v
			}
			s := devicetest.NewStation(t, h, rig, "a", open(rig, given))
			h.RunFor(24 * time.Hour)
			at, numbers := instants(t, s)
			if len(at) != len(tt.want) {
				t.Fatalf("%v: %d packets came, want %d: %v", tt.parameters, len(at), len(tt.want), at)
			}
			for i := range at {
				if at[i] != tt.want[i] || numbers[i] != uint32(i%len(recorded)) {
					t.Errorf("%v: packet %d is number %d at %v, want %v", tt.parameters, i, numbers[i], at[i], tt.want[i])
				}
			}
		})
	}
}

// A run in virtual time looks the same on the link, and in what the device itself
// records, whether the device is linked in or in another process.
func TestTheCaptureIsThatOfTheDeviceLinkedIn(t *testing.T) {
	path, _ := pinged(t)
	var captures, recorded [][]byte
	either(t, func(t *testing.T, open func(*coretest.Rig, map[string]string) core.Device) {
		h := host.NewVirtual(99, host.WithWallClock(epoch))
		rig := coretest.New(t, h)
		in := rig.Instance("again", wiring())
		out := filepath.Join(t.TempDir(), "out.pcapng")
		dev := open(rig, map[string]string{"file": path, "direction": "in", "source": "a/eth0", "rewrite": "on", "out": out})
		seen := filepath.Join(t.TempDir(), "seen.pcapng")
		f, err := capture.Create(seen, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		ifc := rig.Attach(in, dev, "eth0", "10.0.0.1/24")
		f.Add(ifc)
		h.RunFor(time.Minute)
		if err := in.RemoveDevice(ifc); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			file string
			to   *[][]byte
		}{{seen, &captures}, {out, &recorded}} {
			r, err := os.Open(x.file)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if e := r.Close(); err != nil || e != nil {
				t.Fatal(err, e)
			}
			*x.to = append(*x.to, b)
		}
		if got, _ := replies(t, out, "again/eth0"); len(got) != 3 {
			t.Errorf("%d of 3 pings were answered", len(got))
		}
	})
	if len(captures) != 2 || len(captures[0]) < 500 || !bytes.Equal(captures[0], captures[1]) {
		t.Error("the captures differ")
	}
	if len(recorded) != 2 || len(recorded[0]) < 300 || !bytes.Equal(recorded[0], recorded[1]) {
		t.Error("what the device recorded differs")
	}
}
