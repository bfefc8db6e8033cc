package pipe_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

func TestContract(t *testing.T) {
	for _, tt := range []struct {
		name string
		cfg  pipe.Config
	}{
		{"ideal", pipe.Config{}},
		{"raw", pipe.Config{Raw: true, MTU: 65535}},
		{"offload", pipe.Config{Offload: true}},
		{"wire", pipe.Config{Wire: pipe.Wire{Rate: 1e9, Delay: time.Millisecond}}},
		{"paced", pipe.Config{Wire: pipe.Wire{Rate: 1e9, Delay: time.Millisecond, Pace: 1}}},
	} {
		for _, oneDomain := range []bool{true, false} {
			name := map[bool]string{true: " in one Domain", false: " between two"}[oneDomain]
			t.Run(tt.name+name, func(t *testing.T) {
				devicetest.Run(t, func(t *testing.T) devicetest.Link {
					h := host.NewVirtual(1)
					a, b := pipe.New(tt.cfg)
					return devicetest.Link{Host: h, A: a, B: b, OneDomain: oneDomain, Pass: devicetest.Virtual(h.RunFor)}
				})
			})
		}
	}
	t.Run("real time", func(t *testing.T) {
		devicetest.Run(t, func(t *testing.T) devicetest.Link {
			a, b := pipe.New(pipe.Config{})
			return devicetest.Link{Host: host.NewRealTime(), A: a, B: b, Pass: devicetest.RealTime}
		})
	})
}
