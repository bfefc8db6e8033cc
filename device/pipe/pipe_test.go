package pipe_test

import (
	"slices"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// join puts two stations at the ends of a pipe, in one Domain.
func join(t testing.TB, h core.Host, cfg pipe.Config) (a, b *devicetest.Station) {
	t.Helper()
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	ea, eb := pipe.New(cfg)
	r := coretest.New(t, h)
	return devicetest.NewStation(t, h, r, "a", ea), devicetest.NewStation(t, h, r, "b", eb)
}

func wantNumbers(t testing.TB, s *devicetest.Station, want []uint32) {
	t.Helper()
	if got := s.Numbers(); !slices.Equal(got, want) {
		t.Errorf("station %s received %v, want %v", s.Instance.Name(), got, want)
	}
}

func TestAnIdealPipeMovesFramesWithinTheEntry(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  pipe.Config
	}{
		{"ethernet", pipe.Config{Name: "p"}},
		{"raw", pipe.Config{Raw: true}},
		{"offload", pipe.Config{Offload: true, MTU: 65535}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, b := join(t, host.NewVirtual(1), tt.cfg)
			a.Send(3, 1000)
			wantNumbers(t, b, devicetest.Range(0, 3))
			b.Send(2, 60)
			wantNumbers(t, a, devicetest.Range(0, 2))
			if a.Peak() == 0 {
				t.Error("no slab was in use while packets were sent")
			}
		})
	}
}
