package fault_test

import (
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/fault"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// send sends 1,000 packets through a device with faults over an ideal link.
func send(t *testing.T, seed uint64, c fault.Config) (good []uint32, bad int, count fault.Counters) {
	t.Helper()
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	h := host.NewVirtual(seed)
	ea, eb := pipe.New(pipe.Config{Raw: true})
	d := fault.Wrap(ea, c)
	a := devicetest.NewStation(t, h, nil, "a", d)
	b := devicetest.NewStation(t, h, a.Rig, "b", eb)
	for range 100 {
		a.Send(10, 100)
	}
	h.RunFor(time.Second)
	for _, r := range b.Received() {
		if n, err := devicetest.Number(r.Data); err == nil {
			good = append(good, n)
		} else {
			bad++
		}
	}
	return good, bad, d.Counters()
}

func TestContractWithoutFaults(t *testing.T) {
	devicetest.Run(t, func(t *testing.T) devicetest.Link {
		h := host.NewVirtual(1)
		a, b := pipe.New(pipe.Config{})
		return devicetest.Link{Host: h, A: fault.Wrap(a, fault.Config{}), B: fault.Wrap(b, fault.Config{}), Pass: devicetest.Virtual(h.RunFor)}
	})
}

func TestFaultsAreCountedAndComeFromTheSeed(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  fault.Config
		sum  func(c fault.Counters) uint64
		want func(good []uint32, bad int, n int) bool
	}{
		{"drop", fault.Config{Drop: 0.1}, func(c fault.Counters) uint64 { return c.Dropped },
			func(good []uint32, bad, n int) bool {
				return len(good) == 1000-n && bad == 0 && slices.IsSorted(good)
			}},
		{"corrupt", fault.Config{Corrupt: 0.1}, func(c fault.Counters) uint64 { return c.Corrupted },
			func(good []uint32, bad, n int) bool { return bad <= n && bad > n/2 && slices.IsSorted(good) }},
		{"duplicate", fault.Config{Duplicate: 0.1}, func(c fault.Counters) uint64 { return c.Duplicated },
			func(good []uint32, bad, n int) bool {
				return len(good) == 1000+n && len(slices.Compact(slices.Clone(good))) == 1000
			}},
		{"reorder", fault.Config{Reorder: 0.1}, func(c fault.Counters) uint64 { return c.Reordered },
			func(good []uint32, bad, n int) bool {
				swaps := 0
				for i := 1; i < len(good); i++ {
					if good[i] < good[i-1] {
						swaps++
					}
				}
				// The last frame may have been held with none to overtake it.
				return len(good) == 1000 && swaps >= n-1 && swaps <= n
			}},
	} {
		good, bad, c := send(t, 1, tt.cfg)
		n := int(tt.sum(c))
		if n < 60 || n > 150 {
			t.Errorf("%s: %d of 1000 frames with probability 0.1", tt.name, n)
		}
		if !tt.want(good, bad, n) {
			t.Errorf("%s of %d frames: %d good and %d bad arrived: %v", tt.name, n, len(good), bad, good)
		}
		if again, _, _ := send(t, 1, tt.cfg); !slices.Equal(good, again) {
			t.Errorf("%s: the same seed gave different frames", tt.name)
		}
	}
}

func TestAHeldFrameIsSentWhenNoneFollows(t *testing.T) {
	h := host.NewVirtual(1)
	ea, eb := pipe.New(pipe.Config{Raw: true})
	a := devicetest.NewStation(t, h, nil, "a", fault.Wrap(ea, fault.Config{Reorder: 1, Hold: 3 * time.Millisecond}))
	b := devicetest.NewStation(t, h, a.Rig, "b", eb)
	a.Send(1, 100)
	h.RunFor(time.Second)
	if r := b.Received(); len(r) != 1 || time.Duration(r[0].At) != 3*time.Millisecond {
		t.Errorf("received %+v, want one packet after 3ms", r)
	}
	a.Send(1, 100) // still held when the instance is closed
}

func TestProbabilitiesOutOfRange(t *testing.T) {
	c := fault.Config{Duplicate: -0.5}
	if err := c.Check(); err == nil || err.Error() != "fault: duplicate is a probability between 0 and 1, not -0.5" {
		t.Error(err)
	}
}
