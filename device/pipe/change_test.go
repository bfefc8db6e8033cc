package pipe_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core/impair"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// pair are the stations at the ends of a pipe, in one Domain or two.
func pair(t *testing.T, h *host.Virtual, cfg pipe.Config, domains int) (a, b *devicetest.Station, ea, eb *pipe.End) {
	t.Helper()
	da, db := pipe.New(cfg)
	a = devicetest.NewStation(t, h, nil, "a", da)
	r := a.Rig
	if domains == 2 {
		r = nil
	}
	return a, devicetest.NewStation(t, h, r, "b", db), da.(*pipe.End), db.(*pipe.End)
}

func set(t *testing.T, s *devicetest.Station, e *pipe.End, w pipe.Wire) {
	t.Helper()
	s.Instance.Domain().Do(func() {
		if err := e.SetWire(w); err != nil {
			t.Error(err)
		}
	})
}

func TestFramesUnderWayKeepTheirArrival(t *testing.T) {
	for _, domains := range []int{1, 2} {
		h := host.NewVirtual(1)
		a, b, ea, _ := pair(t, h, pipe.Config{Raw: true, Wire: pipe.Wire{Rate: 8e6, Delay: 50 * ms}}, domains)
		a.Send(2, 1000)
		h.RunFor(ms)
		set(t, a, ea, pipe.Wire{Rate: 8e6, Delay: 10 * ms}) // 1 ms more of the first two
		a.Send(1, 1000)
		h.RunFor(time.Second)
		if got, want := at(b), []time.Duration{13 * ms, 51 * ms, 52 * ms}; !slices.Equal(got, want) {
			t.Errorf("%d Domains: frames arrived at %v, want %v", domains, got, want)
		}
		if ea.Wire().Delay != 10*ms {
			t.Errorf("the wire is %+v", ea.Wire())
		}
	}
}

func TestAWireMayBecomePacedLossyAndIdealAgain(t *testing.T) {
	h := host.NewVirtual(1)
	a, b, ea, _ := pair(t, h, pipe.Config{Raw: true}, 1)
	set(t, a, ea, pipe.Wire{Rate: 8e6, Pace: 1})
	a.Send(4, 1000)
	h.RunFor(1500 * time.Microsecond)
	wantNumbers(t, b, devicetest.Range(0, 1))
	set(t, a, ea, pipe.Wire{Loss: 1}) // the two that wait are not held back any more
	h.RunFor(time.Second)
	wantNumbers(t, b, devicetest.Range(1, 2))
	if c := ea.Counters(); c.Lost != 2 || c.Sent != 4 {
		t.Errorf("counters %+v, want 2 of 4 lost", c)
	}
	set(t, a, ea, pipe.Wire{})
	a.Send(2, 1000)
	wantNumbers(t, b, devicetest.Range(4, 6))
	b.Send(1, 1000) // the other direction was never touched
	wantNumbers(t, a, devicetest.Range(0, 1))
}

func TestChangesThatCannotBe(t *testing.T) {
	h := host.NewVirtual(1)
	_, _, ea, _ := pair(t, h, pipe.Config{Name: "p", Offload: true}, 1)
	for _, tt := range []struct {
		w    pipe.Wire
		want string
	}{
		{pipe.Wire{Delay: 1}, `pipe "p": offload needs an ideal pipe`},
		{pipe.Wire{Delay: -1}, `pipe "p": delay -1ns is negative`},
		{pipe.Wire{LossModel: impair.GilbertElliott{P: 2}}, `pipe "p": loss gemodel p is a probability`},
		{pipe.Wire{Jitter: ms, JitterCorrelation: 3}, `pipe "p": delay correlation is a probability`},
	} {
		if err := ea.SetWire(tt.w); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %s", tt.w, err, tt.want)
		}
	}
}

func TestACutCableLosesItsCarrierAndIsMended(t *testing.T) {
	for _, domains := range []int{1, 2} {
		h := host.NewVirtual(1)
		a, b, ea, eb := pair(t, h, pipe.Config{Wire: pipe.Wire{Rate: 8e6, Delay: time.Second, Pace: 1}}, domains)
		up := func(up bool) {
			a.Instance.Domain().Do(func() { ea.SetLinkUp(up) })
			b.Instance.Domain().Do(func() { eb.SetLinkUp(up) })
		}
		carrier := func(want bool) {
			t.Helper()
			for _, s := range []*devicetest.Station{a, b} {
				if r := s.Running(); r[len(r)-1] != want {
					t.Errorf("%d Domains: station %s has a carrier: %v", domains, s.Instance.Name(), !want)
				}
			}
		}
		a.Send(3, 986)
		h.RunFor(1500 * time.Microsecond)
		up(false)
		carrier(false)
		a.Send(2, 986)
		h.RunFor(time.Minute)
		wantNumbers(t, b, devicetest.Range(0, 2)) // one had left, one was leaving
		if c := ea.Counters(); c.Unplugged != 3 {
			t.Errorf("%d Domains: %+v, want 3 sent into the cut cable", domains, c)
		}
		up(true)
		carrier(true)
		a.Send(2, 986)
		b.Send(1, 986)
		h.RunFor(time.Minute)
		wantNumbers(t, b, devicetest.Range(5, 7))
		wantNumbers(t, a, devicetest.Range(0, 1))
	}
}

func TestAMendedEndWithoutTheOtherHasNoCarrier(t *testing.T) {
	h := host.NewVirtual(1)
	a, b, ea, _ := pair(t, h, pipe.Config{}, 1)
	b.Close()
	a.Instance.Domain().Do(func() {
		ea.SetLinkUp(false)
		ea.SetLinkUp(true)
	})
	if r := a.Running(); r[len(r)-1] {
		t.Error("an end has a carrier from nobody")
	}
}

func TestLossesComeInBursts(t *testing.T) {
	h := host.NewVirtual(5)
	a, b, _, _ := pair(t, h, pipe.Config{Wire: pipe.Wire{LossModel: impair.GilbertElliott{P: 0.01, R: 0.2, BadLoss: 1}}}, 1)
	for range 50 {
		a.Send(100, 100)
	}
	ns := b.Numbers()
	bursts := 0
	for i := 1; i < len(ns); i++ {
		if ns[i] != ns[i-1]+1 {
			bursts++
		}
	}
	// In the bad state for P/(P+R) of the time, 5 frames at a time.
	if lost := 5000 - len(ns); lost < 150 || lost > 350 || lost < 3*bursts || lost > 8*bursts {
		t.Errorf("%d of 5000 frames were lost in %d bursts", lost, bursts)
	}
}

func TestJitterHasItsShape(t *testing.T) {
	mean := func(w pipe.Wire) (mean, least, most time.Duration) {
		h := host.NewVirtual(5)
		a, b, _, _ := pair(t, h, pipe.Config{Wire: w}, 1)
		for range 10 {
			a.Send(100, 100)
		}
		h.RunFor(time.Minute)
		times := at(b)
		for _, x := range times {
			mean += x / time.Duration(len(times))
		}
		return mean, times[0], times[len(times)-1]
	}
	w := pipe.Wire{Delay: 100 * ms, Jitter: 10 * ms, Shape: impair.Normal}
	if m, least, most := mean(w); m < 98*ms || m > 102*ms || least > 80*ms || most < 120*ms {
		t.Errorf("normal: mean %v, from %v to %v", m, least, most)
	}
	w.Shape, w.JitterCorrelation = impair.Uniform, 0.5
	if m, least, most := mean(w); m < 98*ms || m > 102*ms || least < 90*ms || most > 110*ms {
		t.Errorf("uniform with correlation: mean %v, from %v to %v", m, least, most)
	}
}
