package pipe_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func trace(t testing.TB, text string) *pipe.Trace {
	t.Helper()
	tr, err := pipe.ParseTrace("up.trace", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

const ms = time.Millisecond

func TestFramesLeaveAtTheOpportunitiesOfATrace(t *testing.T) {
	for _, tt := range []struct {
		name        string
		trace       string
		at          time.Duration // of sending
		frames, len int
		want        []time.Duration
	}{
		{"one each", "3\n3\n7\n10\n", 0, 4, 1500, []time.Duration{3 * ms, 3 * ms, 7 * ms, 10 * ms}},
		{"the trace repeats", "3\n10\n", 4 * ms, 4, 1500, []time.Duration{10 * ms, 13 * ms, 20 * ms, 23 * ms}},
		{"an opportunity that has come is missed", "3\n10\n", 3 * ms, 1, 1500, []time.Duration{10 * ms}},
		{"small packets share one", "1\n2\n", 0, 4, 752, []time.Duration{1 * ms, 1 * ms, 2 * ms, 2 * ms}},
		{"a packet goes over two", "1\n2\n", 0, 3, 1000, []time.Duration{1 * ms, 2 * ms, 2 * ms}},
		{"a large packet takes several", "1\n", 0, 2, 4512, []time.Duration{3 * ms, 6 * ms}},
	} {
		for _, pace := range []int{0, 1} {
			h := host.NewVirtual(1)
			a, b := join(t, h, pipe.Config{MTU: 9000, Wire: pipe.Wire{Trace: trace(t, tt.trace), Pace: pace}})
			h.RunFor(tt.at)
			a.Send(tt.frames, tt.len)
			h.RunFor(time.Second)
			if got := at(b); !slices.Equal(got, tt.want) {
				t.Errorf("%s, pace %d: frames arrived at %v, want %v", tt.name, pace, got, tt.want)
			}
		}
	}
}

func TestWhatAnIdleOpportunityLeavesIsLost(t *testing.T) {
	h := host.NewVirtual(1)
	a, b := join(t, h, pipe.Config{Wire: pipe.Wire{Trace: trace(t, "5\n10\n")}})
	a.Send(1, 100)
	h.RunFor(6 * ms)
	a.Send(1, 100) // 1,404 bytes of the opportunity at 5 ms were left, and nobody took them
	h.RunFor(time.Second)
	if got, want := at(b), []time.Duration{5 * ms, 10 * ms}; !slices.Equal(got, want) {
		t.Errorf("frames arrived at %v, want %v", got, want)
	}
}

func TestTheRateOfATrace(t *testing.T) {
	tr := trace(t, "0\n\n5\n10\n10\r\n")
	if tr.Period() != 10*ms || tr.Rate() != 4*1504*8*100 {
		t.Errorf("period %v, rate %v", tr.Period(), tr.Rate())
	}
}

func TestTracesThatAreNone(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "up.trace:1: the last opportunity is at 0 ms"},
		{"0\n0\n", "up.trace:2: the last opportunity is at 0 ms"},
		{"1\nx\n", `up.trace:2: "x" is not a whole number of milliseconds`},
		{"1\n-1\n", `up.trace:2: "-1" is not a whole number`},
		{"1\n1.5\n", `up.trace:2: "1.5" is not a whole number`},
		{"1\n7\n6\n", "up.trace:3: 6 ms is before the 7 ms of the line above"},
		{"9999999999999\n", "up.trace:1: "},
	} {
		if _, err := pipe.ParseTrace("up.trace", []byte(tt.text)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
	cfg := pipe.Config{Name: "p", Wire: pipe.Wire{Rate: 1, Trace: trace(t, "1\n")}}
	if err := cfg.Check(); err == nil || !strings.Contains(err.Error(), "a trace of rates: remove one") {
		t.Errorf("a rate and a trace: %v", err)
	}
}

func FuzzTrace(f *testing.F) {
	f.Add([]byte("0\n1\n1\n7\n"))
	f.Add([]byte(" 12 \r\n13"))
	f.Add([]byte("1099511627776\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := pipe.ParseTrace("f", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Errorf("an error without its line: %v", err)
			}
			return
		}
		if tr.Period() <= 0 || !(tr.Rate() > 0) {
			t.Errorf("period %v, rate %v", tr.Period(), tr.Rate())
		}
	})
}
