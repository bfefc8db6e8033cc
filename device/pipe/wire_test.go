package pipe_test

import (
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func at(s *devicetest.Station) (times []time.Duration) {
	for _, r := range s.Received() {
		times = append(times, time.Duration(r.At))
	}
	return times
}

func TestARateSpacesFramesAndADelayShiftsThem(t *testing.T) {
	h := host.NewVirtual(1)
	// 1,000 bytes on a raw link at 8 Mbit/s take 1 ms.
	a, b := join(t, h, pipe.Config{Raw: true, Wire: pipe.Wire{Rate: 8e6, Delay: 10 * time.Millisecond}})
	a.Send(3, 1000)
	if b.Count() != 0 {
		t.Fatal("frames arrived before their delay")
	}
	h.RunFor(5 * time.Second)
	want := []time.Duration{11 * time.Millisecond, 12 * time.Millisecond, 13 * time.Millisecond}
	if got := at(b); !slices.Equal(got, want) {
		t.Errorf("frames arrived at %v, want %v", got, want)
	}
	a.Send(1, 1000) // the wire was idle: no credit, no debt
	sent := time.Duration(h.Now())
	h.RunFor(time.Second)
	if got := at(b); len(got) != 1 || got[0] != sent+11*time.Millisecond {
		t.Errorf("a frame sent at %v arrived at %v", sent, got)
	}
}

func TestDirectionsMayDiffer(t *testing.T) {
	h := host.NewVirtual(1)
	a, b := join(t, h, pipe.Config{Wire: pipe.Wire{Delay: time.Second}, BToA: &pipe.Wire{Delay: time.Minute}})
	a.Send(1, 100)
	b.Send(1, 100)
	h.RunFor(time.Hour)
	if got := at(b); len(got) != 1 || got[0] != time.Second {
		t.Errorf("a to b took %v, want 1s", got)
	}
	if got := at(a); len(got) != 1 || got[0] != time.Minute {
		t.Errorf("b to a took %v, want 1m", got)
	}
}

func TestAFullQueueDropsAndCounts(t *testing.T) {
	h := host.NewVirtual(1)
	cfg := pipe.Config{Name: "q", Raw: true, Wire: pipe.Wire{Rate: 8e6, QueueLen: 4}}
	ea, eb := pipe.New(cfg)
	r := coretest.New(t, h, coretest.Release())
	a, b := devicetest.NewStation(t, h, r, "a", ea), devicetest.NewStation(t, h, r, "b", eb)
	a.Send(20, 1000)
	h.RunFor(time.Second)
	wantNumbers(t, b, devicetest.Range(0, 5)) // one on the wire, four in the queue
	if c := ea.(*pipe.End).Counters(); c.Sent != 20 || c.QueueDrops != 15 {
		t.Errorf("counters %+v, want 20 sent and 15 dropped", c)
	}
	if st := a.Stats(); st.TxDropped != 15 {
		t.Errorf("the interface counted %d drops, want 15", st.TxDropped)
	}
}

func TestDamageComesFromTheSeed(t *testing.T) {
	run := func(seed uint64, w pipe.Wire) (numbers []uint32, bad int, c pipe.Counters) {
		h := host.NewVirtual(seed)
		ea, eb := pipe.New(pipe.Config{Name: "p", Wire: w})
		r := coretest.New(t, h, coretest.Release())
		a, b := devicetest.NewStation(t, h, r, "a", ea), devicetest.NewStation(t, h, r, "b", eb)
		for range 100 {
			a.Send(10, 200)
			h.RunFor(100 * time.Microsecond)
		}
		h.RunFor(time.Minute)
		for _, r := range b.Received() {
			n, err := devicetest.Number(r.Data)
			if err != nil {
				bad++
				continue
			}
			numbers = append(numbers, n)
		}
		// Damage to the link header is a frame that the interface refused.
		bad += int(ea.(*pipe.End).Counters().Sent - uint64(len(numbers)+bad))
		return numbers, bad, ea.(*pipe.End).Counters()
	}
	for _, tt := range []struct {
		name  string
		wire  pipe.Wire
		count func(c pipe.Counters) uint64
		check func(t *testing.T, numbers []uint32, bad int, count uint64)
	}{
		{"loss", pipe.Wire{Loss: 0.1}, func(c pipe.Counters) uint64 { return c.Lost },
			func(t *testing.T, ns []uint32, _ int, count uint64) {
				if len(ns) != 1000-int(count) || !slices.IsSorted(ns) {
					t.Errorf("%d arrived and %d were lost of 1000", len(ns), count)
				}
			}},
		{"duplicate", pipe.Wire{Duplicate: 0.1}, func(c pipe.Counters) uint64 { return c.Duplicated },
			func(t *testing.T, ns []uint32, _ int, count uint64) {
				if len(ns) != 1000+int(count) || len(slices.Compact(slices.Clone(ns))) != 1000 {
					t.Errorf("%d arrived, %d of them twice", len(ns), count)
				}
			}},
		{"corrupt", pipe.Wire{Corrupt: 0.1}, func(c pipe.Counters) uint64 { return c.Corrupted },
			func(t *testing.T, ns []uint32, bad int, count uint64) {
				// A flipped bit of the source address or of fields that no sum covers
				// may pass; most do not.
				if bad > int(count) || bad < int(count)/2 {
					t.Errorf("%d frames were damaged and %d found bad", count, bad)
				}
			}},
		{"reorder", pipe.Wire{Reorder: 0.1, ReorderDelay: 250 * time.Microsecond}, func(c pipe.Counters) uint64 { return c.Reordered },
			func(t *testing.T, ns []uint32, _ int, count uint64) {
				if slices.IsSorted(ns) {
					t.Error("nothing was overtaken")
				}
				slices.Sort(ns)
				if !slices.Equal(ns, devicetest.Range(0, 1000)) {
					t.Errorf("%d of 1000 arrived", len(ns))
				}
			}},
		{"jitter", pipe.Wire{Jitter: time.Millisecond, Duplicate: 1}, func(c pipe.Counters) uint64 { return c.Duplicated / 10 },
			func(t *testing.T, ns []uint32, _ int, count uint64) {
				if slices.IsSorted(ns) {
					t.Error("nothing was overtaken")
				}
				for i := 0; i < len(ns); i += 2 {
					if ns[i] != ns[i+1] {
						t.Fatalf("the copies of a frame arrived apart: %v", ns[i:i+2])
					}
				}
			}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ns, bad, c := run(1, tt.wire)
			if n := tt.count(c); n < 60 || n > 150 {
				t.Errorf("%d frames of 1000 with probability 0.1: %+v", n, c)
			}
			tt.check(t, slices.Clone(ns), bad, tt.count(c))
			again, _, _ := run(1, tt.wire)
			if !slices.Equal(again, ns) {
				t.Error("the same seed gave different frames")
			}
			if tt.name != "duplicate" && tt.name != "corrupt" {
				if other, _, _ := run(2, tt.wire); slices.Equal(other, ns) {
					t.Error("another seed gave the same frames")
				}
			}
		})
	}
}

func TestUnpluggingTakesTheCarrier(t *testing.T) {
	for _, domains := range []int{1, 2} {
		h := host.NewVirtual(1)
		ea, eb := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: time.Second}})
		a := devicetest.NewStation(t, h, nil, "a", ea)
		r := a.Rig
		if domains == 2 {
			r = nil
		}
		b := devicetest.NewStation(t, h, r, "b", eb)
		a.Send(2, 100)
		b.Send(2, 100)
		h.RunFor(time.Millisecond)
		if err := a.Instance.RemoveDevice(a.Interface); err != nil {
			t.Fatal(err)
		}
		if r := b.Running(); len(r) == 0 || r[len(r)-1] {
			t.Errorf("%d Domains: the interface still runs: %v", domains, r)
		}
		h.RunFor(time.Minute)
		wantNumbers(t, b, devicetest.Range(0, 2)) // were on their way
		b.Send(3, 100)
		if c := eb.(*pipe.End).Counters(); c.Unplugged != 3 {
			t.Errorf("%d Domains: %+v, want 3 frames sent into the unplugged cable", domains, c)
		}
		if b.Count() != 0 {
			t.Errorf("%d Domains: frames came from nowhere", domains)
		}
	}
}

func TestConfigurationsThatCannotBe(t *testing.T) {
	for _, tt := range []struct {
		cfg  pipe.Config
		want string
	}{
		{pipe.Config{Name: "p", MTU: 60}, `pipe "p": MTU 60 is not in 68..65535`},
		{pipe.Config{Name: "p", Wire: pipe.Wire{Loss: 1.5}}, `pipe "p": loss is a probability between 0 and 1, not 1.5`},
		{pipe.Config{Name: "p", BToA: &pipe.Wire{Delay: -1}}, `pipe "p": b to a: delay -1ns is negative`},
		{pipe.Config{Name: "p", Wire: pipe.Wire{Rate: -8}}, `pipe "p": rate -8 is negative; 0 is no limit`},
		{pipe.Config{Name: "p", Offload: true, Wire: pipe.Wire{Rate: 8}},
			`pipe "p": offload needs an ideal pipe: remove it, or rate, delay, jitter, loss, duplicate, corrupt and reorder`},
	} {
		if err := tt.cfg.Check(); err == nil || err.Error() != tt.want {
			t.Errorf("%+v:\n got %v\nwant %s", tt.cfg, err, tt.want)
		}
	}
	c := pipe.Config{Offload: true}
	if err := c.Check(); err != nil {
		t.Error(err)
	}
}

func TestAddressesComeFromTheName(t *testing.T) {
	a1, b1 := pipe.New(pipe.Config{Name: "x"})
	a2, _ := pipe.New(pipe.Config{Name: "x"})
	a3, _ := pipe.New(pipe.Config{Name: "y"})
	a, b := a1.Properties().HWAddr, b1.Properties().HWAddr
	if a != a2.Properties().HWAddr || a == b || a == a3.Properties().HWAddr || a.IsMulticast() || a[0]&2 == 0 {
		t.Errorf("addresses %v %v %v %v", a, b, a2.Properties().HWAddr, a3.Properties().HWAddr)
	}
}

// Frames that were all sent at once arrive each at an instant of its own, however
// they overtake each other.
func TestAnOvertakingFrameIsNotLate(t *testing.T) {
	h := host.NewVirtual(1)
	r := coretest.New(t, h)
	ea, eb := pipe.New(pipe.Config{Wire: pipe.Wire{Delay: time.Millisecond, Jitter: time.Second}})
	a, b := devicetest.NewStation(t, h, r, "a", ea), devicetest.NewStation(t, h, r, "b", eb)
	a.Send(100, 100)
	h.RunFor(time.Minute)
	at := map[any]bool{}
	for _, f := range b.Received() {
		at[f.At] = true
	}
	if len(at) != 100 {
		t.Errorf("100 frames arrived at %d instants", len(at))
	}
}
