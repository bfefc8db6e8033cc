package trace_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/device/devicetest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/device/trace"
	"github.com/libos-go/libos/host"
)

func TestOneLineForEachFrame(t *testing.T) {
	h := host.NewVirtual(1)
	ea, eb := pipe.New(pipe.Config{Raw: true, Wire: pipe.Wire{Delay: 3 * time.Millisecond}})
	a := devicetest.NewStation(t, h, nil, "a", ea)
	b := devicetest.NewStation(t, h, a.Rig, "b", eb)
	var out strings.Builder
	tr := trace.New(&out)
	remove := tr.Add(a.Interface)
	tr.Add(b.Interface)
	a.Send(1, 100)
	remove()
	a.Send(1, 200) // seen at b only
	h.RunFor(time.Second)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	for i, want := range []string{"0s a/pipe0 > ", "3ms b/pipe0 < ", "3ms b/pipe0 < "} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) || !strings.Contains(lines[i], "10.0.0.1.7 > 10.0.0.2.7") {
			t.Errorf("line %d of %q does not begin with %q and name the addresses", i, lines, want)
		}
	}
	if len(lines) != 3 {
		t.Errorf("%d lines: %q", len(lines), lines)
	}
}
