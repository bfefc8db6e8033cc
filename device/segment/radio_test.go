package segment_test

import (
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/segment"
)

func place(x float64) segment.PortConfig {
	return segment.PortConfig{Position: segment.At(segment.Point{X: x})}
}

func TestARadioReachesWhoIsInRange(t *testing.T) {
	r := segment.NewRadio(segment.RadioConfig{Name: "r", Range: 100, Speed: 1e6})
	l := newLAN(t, r.Port(place(0)), r.Port(place(50)), r.Port(place(100)), r.Port(place(101)))
	l.to(0, -1).Send(1, 100)
	l.h.RunFor(time.Second)
	l.wantAt(1, 50*us) // a metre takes 1 µs here
	l.wantAt(2, 100*us)
	l.want(0, 0, 0, 0)
	if !r.InRange(l.ports[3], l.ports[1], 0) || r.InRange(l.ports[3], l.ports[0], 0) {
		t.Error("InRange says otherwise")
	}
}

func TestAStationDrivesBy(t *testing.T) {
	r := segment.NewRadio(segment.RadioConfig{Name: "r", Range: 100})
	path := segment.Move(segment.Point{X: -200}, core.Time(time.Second), segment.Point{X: 200}, core.Time(5*time.Second))
	l := newLAN(t, r.Port(place(0)), r.Port(segment.PortConfig{Position: path}))
	for range 60 {
		l.to(0, -1).Send(1, 100)
		l.h.RunFor(100 * time.Millisecond)
	}
	got := l.stations[1].Numbers()
	if want := devicetest.Range(20, 41); !slices.Equal(got, want) { // from 2 s to 4 s after the start
		t.Errorf("frames %v were heard, want %v", got, want)
	}
}

func TestLossGrowsWithDistanceAndByPair(t *testing.T) {
	r := segment.NewRadio(segment.RadioConfig{Name: "r", Loss: []segment.LossPoint{{Distance: 10, Loss: 0}, {Distance: 110, Loss: 1}}})
	l := newLAN(t, r.Port(place(0)), r.Port(place(10)), r.Port(place(35)), r.Port(place(85)), r.Port(place(500)))
	count := func() []int {
		for range 20 {
			l.to(0, -1).Send(50, 100)
		}
		l.h.RunFor(time.Second)
		return l.heard()
	}
	between := func(n, least, most int) {
		t.Helper()
		if n < least || n > most {
			t.Errorf("%d of 1000 frames were heard, want %d to %d", n, least, most)
		}
	}
	n := count()
	between(n[1], 1000, 1000)
	between(n[2], 700, 800)
	between(n[3], 200, 300)
	between(n[4], 0, 0)
	if c := l.ports[3].Counters(); c.NotHeard != uint64(1000-n[3]) {
		t.Errorf("%+v, and %d frames were heard", c, n[3])
	}
	l.do(func() {
		if r.SetLoss(l.ports[0], l.ports[1], 1) != nil || r.SetLoss(l.ports[0], l.ports[4], 0.5) != nil {
			t.Error("refused")
		}
		if r.SetLoss(l.ports[0], l.ports[1], 1.5) == nil {
			t.Error("a loss of 1.5 passed")
		}
	})
	n = count()
	between(n[1], 0, 0)
	between(n[4], 440, 560)
	l.do(func() { _ = r.SetLoss(l.ports[0], l.ports[1], -1) })
	between(count()[1], 1000, 1000)
}

func TestWhoFindsTheChannelBusyWaitsSomeSlots(t *testing.T) {
	r := segment.NewRadio(segment.RadioConfig{Name: "r", Rate: rate, Slot: 10 * us})
	l := newLAN(t, ports(4, r.Port, segment.PortConfig{})...)
	for i := range 3 {
		l.to(i, 3).Send(20, size)
	}
	l.h.RunFor(time.Minute)
	times := at(l.stations[3])
	if len(times) != 60 || times[0] != ms {
		t.Fatalf("%d frames arrived, the first at %v", len(times), times[0])
	}
	waits := map[time.Duration]bool{}
	for i := 1; i < len(times); i++ {
		w := times[i] - times[i-1] - ms
		if w < 0 || w > 150*us || w%(10*us) != 0 {
			t.Errorf("frame %d begins %v after the one before", i, w)
		}
		waits[w] = true
	}
	if len(waits) < 8 {
		t.Errorf("only %d different waits", len(waits))
	}
}

func TestCollisionsTakeTimeAndSometimesFrames(t *testing.T) {
	run := func(retries, stations int) (heard int, c segment.Counters, last time.Duration) {
		r := segment.NewRadio(segment.RadioConfig{Name: "r", Rate: rate, Slot: -1, Collision: 0.5, Retries: retries})
		l := newLAN(t, ports(4, r.Port, segment.PortConfig{})...)
		for i := range stations {
			l.to(i, 3).Send(100, size)
		}
		l.h.RunFor(time.Minute)
		for _, p := range l.ports {
			x := p.Counters()
			c.Collisions, c.Lost = c.Collisions+x.Collisions, c.Lost+x.Lost
		}
		times := at(l.stations[3])
		return len(times), c, times[len(times)-1]
	}
	if n, c, last := run(0, 1); n != 100 || c.Collisions != 0 || last != 100*ms {
		t.Errorf("one station alone: %d frames until %v, %+v", n, last, c)
	}
	if n, c, _ := run(0, 2); n > 140 || n < 80 || int(c.Lost) != 200-n {
		t.Errorf("two stations without retries: %d of 200 frames, %+v", n, c)
	}
	if n, c, last := run(100, 2); n != 200 || c.Lost != 0 || last != 200*ms+time.Duration(c.Collisions)*ms {
		t.Errorf("two stations with retries: %d of 200 frames until %v, %+v", n, last, c)
	}
}
