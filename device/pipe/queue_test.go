package pipe_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// Ten frames of 1000 bytes at 8 Mbit/s leave one a millisecond.
func TestAWireTellsWhatWaitsForIt(t *testing.T) {
	h := host.NewVirtual(1)
	ea, eb := pipe.New(pipe.Config{Raw: true, Wire: pipe.Wire{Rate: 8e6, Delay: time.Second}})
	a := devicetest.NewStation(t, h, nil, "a", ea)
	devicetest.NewStation(t, h, nil, "b", eb)
	a.Send(10, 1000)
	e := ea.(*pipe.End)
	for _, tt := range []struct {
		at            time.Duration
		frames, bytes int
	}{{0, 9, 10000}, {500 * time.Microsecond, 9, 9500}, {time.Millisecond, 8, 9000}, {8500 * time.Microsecond, 1, 1500}, {9 * time.Millisecond, 0, 1000}, {10 * time.Millisecond, 0, 0}} {
		frames, bytes := e.Queue(core.Time(tt.at))
		if frames != tt.frames || bytes != tt.bytes {
			t.Errorf("at %v %d frames and %d bytes wait, want %d and %d", tt.at, frames, bytes, tt.frames, tt.bytes)
		}
	}
	if n := e.Counters().Bytes; n != 10_000 {
		t.Errorf("%d bytes were let onto the wire", n)
	}
	h.RunFor(5 * time.Second)
}

func TestAWireOfATraceTellsWhatWaitsForIt(t *testing.T) {
	trace, err := pipe.ParseTrace("steps", []byte("10\n20\n"))
	if err != nil {
		t.Fatal(err)
	}
	h := host.NewVirtual(1)
	ea, eb := pipe.New(pipe.Config{Raw: true, Wire: pipe.Wire{Trace: trace}})
	a := devicetest.NewStation(t, h, nil, "a", ea)
	devicetest.NewStation(t, h, nil, "b", eb)
	a.Send(3, 1400)
	e := ea.(*pipe.End)
	for _, tt := range []struct {
		at            time.Duration
		frames, bytes int
	}{{0, 2, 4200}, {10 * time.Millisecond, 1, 2800}, {25 * time.Millisecond, 0, 1400}, {40 * time.Millisecond, 0, 0}} {
		frames, bytes := e.Queue(core.Time(tt.at))
		if frames != tt.frames || bytes != tt.bytes {
			t.Errorf("at %v %d frames and %d bytes wait, want %d and %d", tt.at, frames, bytes, tt.frames, tt.bytes)
		}
	}
	if e.Rate() != 2*1504*8*50 {
		t.Errorf("the mean rate is %d bit/s", e.Rate())
	}
	h.RunFor(time.Second)
}
