package pipe_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func TestTwoDomainsExchangeCopies(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  pipe.Config
		at   time.Duration
	}{
		{"ideal", pipe.Config{}, 0},
		{"offload", pipe.Config{Offload: true}, 0},
		{"wire", pipe.Config{Raw: true, Wire: pipe.Wire{Rate: 8e6, Delay: time.Second}}, time.Second + time.Millisecond},
		{"long frames", pipe.Config{MTU: 65535}, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := host.NewVirtual(1)
			ea, eb := pipe.New(tt.cfg)
			a, b := devicetest.NewStation(t, h, nil, "a", ea), devicetest.NewStation(t, h, nil, "b", eb)
			size := 1000
			if tt.cfg.MTU != 0 {
				size = tt.cfg.MTU
			}
			a.Send(5, size)
			h.RunFor(time.Minute)
			r := b.Received()
			if len(r) != 5 {
				t.Fatalf("%d frames arrived, want 5", len(r))
			}
			if got := time.Duration(r[0].At); got != tt.at {
				t.Errorf("the first frame arrived at %v, want %v", got, tt.at)
			}
			for i := range r {
				if n, err := devicetest.Number(r[i].Data); err != nil || n != uint32(i) {
					t.Errorf("frame %d is %d, %v", i, n, err)
				}
			}
			b.Send(1, 100)
			h.RunFor(time.Minute)
			wantNumbers(t, a, devicetest.Range(0, 1))
		})
	}
}

// Both Domains are busy on real time and the outboxes fill: nothing is lost as
// long as the interfaces' queues hold what the boxes refuse.
func TestBusyDomainsPressBack(t *testing.T) {
	h := host.NewRealTime()
	ea, eb := pipe.New(pipe.Config{Name: "busy"})
	a, b := devicetest.NewStation(t, h, nil, "a", ea), devicetest.NewStation(t, h, nil, "b", eb)
	const bursts, burst = 40, 900
	send := func(s, far *devicetest.Station, done chan<- []uint32) {
		var got []uint32
		for i := range bursts {
			s.Send(burst, 1200)
			for len(got) < (i+1)*burst {
				select {
				case <-far.Notice():
					got = append(got, far.Numbers()...)
				case <-time.After(10 * time.Second):
					done <- got
					return
				}
			}
		}
		done <- got
	}
	ca, cb := make(chan []uint32, 1), make(chan []uint32, 1)
	go send(a, b, ca)
	go send(b, a, cb)
	for name, c := range map[string]chan []uint32{"a": ca, "b": cb} {
		if got := <-c; !slices.Equal(got, devicetest.Range(0, bursts*burst)) {
			t.Errorf("from station %s came %d frames of %d, in order: %v", name, len(got), bursts*burst, slices.IsSorted(got))
		}
	}
}

// A sender with much to send does not fill the receiver's memory: what the
// receiver cannot carry in one entry stays with the sender.
func TestAFloodDoesNotGrowTheReceiver(t *testing.T) {
	h := host.NewVirtual(1)
	ea, eb := pipe.New(pipe.Config{})
	ra, rb := coretest.New(t, h, coretest.Release()), coretest.New(t, h, coretest.Release())
	a, b := devicetest.NewStation(t, h, ra, "a", ea), devicetest.NewStation(t, h, rb, "b", eb)
	for range 20 {
		a.Blast(1, 1000, 1400)
		h.RunFor(0)
	}
	if peak := b.Peak(); peak > 256<<10 {
		t.Errorf("the receiver held %d bytes of a sender's that had %d waiting", peak, 1000*1400)
	}
	if st := b.Stats(); st.RxPackets != 20_000 {
		t.Errorf("%d of 20000 packets arrived", st.RxPackets)
	}
}

func TestClosingDuringTraffic(t *testing.T) {
	h := host.NewRealTime()
	for range 20 {
		ea, eb := pipe.New(pipe.Config{Wire: pipe.Wire{Jitter: 100 * time.Microsecond}})
		a, b := devicetest.NewStation(t, h, nil, "a", ea), devicetest.NewStation(t, h, nil, "b", eb)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					a.Send(10, 500)
				}
			}
		}()
		<-b.Notice()
		b.Close()
		close(stop)
		<-stopped
		a.Close()
	}
}

func bench(b *testing.B, cfg pipe.Config, domains int, step time.Duration) {
	h := host.NewVirtual(1)
	r := coretest.New(b, h, coretest.Release())
	ea, eb := pipe.New(cfg)
	x := devicetest.NewStation(b, h, r, "a", ea)
	if domains == 2 {
		r = coretest.New(b, h, coretest.Release())
	}
	y := devicetest.NewStation(b, h, r, "b", eb)
	x.Blast(1, 64, 1400)
	h.RunFor(time.Second)
	base := y.Stats().RxPackets
	b.ReportAllocs()
	for b.Loop() {
		x.Blast(1, 64, 1400)
		h.RunFor(step)
	}
	b.StopTimer()
	h.RunFor(time.Second)
	n := y.Stats().RxPackets - base
	if n != uint64(b.N*64) {
		b.Fatalf("%d of %d packets arrived", n, b.N*64)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/packet")
}

func BenchmarkIdeal(b *testing.B) { bench(b, pipe.Config{}, 1, 0) }
func BenchmarkWire(b *testing.B) {
	bench(b, pipe.Config{Wire: pipe.Wire{Rate: 10e9, Delay: time.Millisecond}}, 1, 100*time.Microsecond)
}
func BenchmarkPaced(b *testing.B) {
	for _, n := range []int{1, 8} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			bench(b, pipe.Config{Wire: pipe.Wire{Rate: 10e9, Delay: time.Millisecond, Pace: n}}, 1, 100*time.Microsecond)
		})
	}
}
func BenchmarkJitter(b *testing.B) {
	bench(b, pipe.Config{Wire: pipe.Wire{Rate: 10e9, Delay: time.Millisecond, Jitter: 100 * time.Microsecond}}, 1, 100*time.Microsecond)
}
func BenchmarkTwoDomains(b *testing.B) { bench(b, pipe.Config{}, 2, 0) }

func TestPacketsCrossWithoutAllocation(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	for _, tt := range []struct {
		name string
		cfg  pipe.Config
		step time.Duration
	}{
		{"ideal", pipe.Config{}, 0},
		{"wire", pipe.Config{Wire: pipe.Wire{Rate: 1e9}}, time.Second},
	} {
		h := host.NewVirtual(1)
		r := coretest.New(t, h, coretest.Release())
		ea, eb := pipe.New(tt.cfg)
		a := devicetest.NewStation(t, h, r, "a", ea)
		devicetest.NewStation(t, h, r, "b", eb)
		idle := testing.AllocsPerRun(50, func() { h.RunFor(tt.step) })
		burst := func() {
			a.Blast(1, 64, 1000)
			h.RunFor(tt.step)
		}
		burst()
		if n := testing.AllocsPerRun(50, burst) - idle; n > 1 { // the burst's own closure
			t.Errorf("%s: %v allocations for 64 packets", tt.name, n)
		}
	}
}
