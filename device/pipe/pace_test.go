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

// paced is a raw link on which 1,000 bytes take 1 ms.
func paced(n int) pipe.Config {
	return pipe.Config{Name: "p", Raw: true, Wire: pipe.Wire{Rate: 8e6, Delay: 10 * time.Millisecond, Pace: n}}
}

func TestPacingMovesTheQueueAndNoArrival(t *testing.T) {
	want := []time.Duration{11 * time.Millisecond, 12 * time.Millisecond, 13 * time.Millisecond, 14 * time.Millisecond, 15 * time.Millisecond}
	for _, domains := range []int{1, 2} {
		for _, pace := range []int{0, 1, 2, 64} {
			h := host.NewVirtual(1)
			ea, eb := pipe.New(paced(pace))
			a := devicetest.NewStation(t, h, nil, "a", ea)
			r := a.Rig
			if domains == 2 {
				r = nil
			}
			b := devicetest.NewStation(t, h, r, "b", eb)
			a.Send(5, 1000)
			h.RunFor(time.Second)
			if got := at(b); !slices.Equal(got, want) {
				t.Errorf("%d Domains, pace %d: frames arrived at %v, want %v", domains, pace, got, want)
			}
			a.Send(1, 1000) // the wire was idle: no credit, no debt
			sent := time.Duration(h.Now())
			h.RunFor(time.Second)
			if got := at(b); len(got) != 1 || got[0] != sent+11*time.Millisecond {
				t.Errorf("%d Domains, pace %d: a frame sent at %v arrived at %v", domains, pace, sent, got)
			}
			if c := ea.(*pipe.End).Counters(); c.Sent != 6 || c.QueueDrops != 0 {
				t.Errorf("%d Domains, pace %d: counters %+v", domains, pace, c)
			}
		}
	}
}

// What the transmitter has not begun is still the interface's: it goes with it.
func TestFramesWaitInTheInterface(t *testing.T) {
	for _, tt := range []struct {
		pace int
		want uint32 // frames that were taken in the first 2.5 ms, of 10
	}{{0, 10}, {1, 3}, {2, 4}, {4, 4}} {
		h := host.NewVirtual(1)
		a, b := join(t, h, paced(tt.pace))
		a.Send(10, 1000)
		h.RunFor(2500 * time.Microsecond)
		if err := a.Interface.SetUp(false); err != nil {
			t.Fatal(err)
		}
		h.RunFor(time.Second)
		wantNumbers(t, b, devicetest.Range(0, tt.want))
		if err := a.Interface.SetUp(true); err != nil {
			t.Fatal(err)
		}
		a.Send(1, 1000)
		h.RunFor(time.Second)
		wantNumbers(t, b, []uint32{10})
	}
}

func TestTheQueueOfAPacedWireIsTheInterfaces(t *testing.T) {
	h := host.NewVirtual(1)
	cfg := paced(1)
	cfg.QueueLen = 4
	ea, eb := pipe.New(cfg)
	r := coretest.New(t, h)
	a, b := devicetest.NewStation(t, h, r, "a", ea), devicetest.NewStation(t, h, r, "b", eb)
	a.Send(20, 1000)
	h.RunFor(time.Second)
	wantNumbers(t, b, devicetest.Range(0, 4))
	if c, st := ea.(*pipe.End).Counters(), a.Stats(); c.Sent != 4 || c.QueueDrops != 0 || st.TxDropped != 16 {
		t.Errorf("counters %+v and %+v, want 4 sent and 16 dropped by the interface", c, st)
	}
}

func TestDiceFallTheSameWithAndWithoutPacing(t *testing.T) {
	run := func(pace, domains int) []uint32 {
		h := host.NewVirtual(7)
		cfg := paced(pace)
		cfg.Loss, cfg.Jitter = 0.2, 3*time.Millisecond
		ea, eb := pipe.New(cfg)
		a := devicetest.NewStation(t, h, nil, "a", ea)
		r := a.Rig
		if domains == 2 {
			r = nil
		}
		b := devicetest.NewStation(t, h, r, "b", eb)
		a.Send(200, 500)
		h.RunFor(time.Second)
		return b.Numbers()
	}
	want := run(0, 1)
	if n := len(want); n < 120 || n > 190 {
		t.Fatalf("%d of 200 frames arrived with a loss of 0.2", n)
	}
	for _, pace := range []int{1, 3} {
		for _, domains := range []int{1, 2} {
			if got := run(pace, domains); !slices.Equal(got, want) {
				t.Errorf("pace %d, %d Domains: other frames arrived", pace, domains)
			}
		}
	}
}
