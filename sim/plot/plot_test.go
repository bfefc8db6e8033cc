package plot_test

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libos-go/libos/sim/internal/simtest"
	"github.com/libos-go/libos/sim/plot"
)

func drawn(t *testing.T, c *plot.Chart, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEqualRunsGiveEqualFilesInAnyPartition(t *testing.T) {
	var want []string
	for _, parts := range []int{1, 4} {
		dir := t.TempDir()
		var files []string
		for _, format := range []string{"png", "svg"} {
			of, err := plot.All(dir, format, simtest.Dumbbell(t, 1, parts))
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, of...)
		}
		if len(files) < 16 {
			t.Errorf("%d files only: %v", len(files), files)
		}
		for i, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			switch s := filepath.Base(f) + string(b); {
			case parts == 1:
				want = append(want, s)
			case s != want[i]:
				t.Errorf("%s differs", filepath.Base(f))
			}
		}
	}
}

func TestAxesHaveUnitsThatSuitTheValues(t *testing.T) {
	r := simtest.Dumbbell(t, 1, 1)
	for _, tt := range []struct{ kind, metric, label string }{
		{"flow", "throughput", "throughput (Mbit/s)"}, {"flow", "srtt", "srtt (ms)"}, {"flow", "cwnd", "cwnd (kB)"}, {"queue", "queue", "queue (packets)"},
	} {
		c, err := plot.Series(tt.kind, tt.metric, plot.Run{Name: "a", Results: r}, plot.Run{Name: "b", Results: r})
		if err != nil {
			t.Fatal(err)
		}
		s := string(drawn(t, c, "svg"))
		for _, want := range []string{tt.label, "time (s)", ">a: ", ">b: "} {
			if !strings.Contains(s, want) {
				t.Errorf("%s: %q is not in the drawing", tt.metric, want)
			}
		}
	}
	if _, err := plot.Series("flow", "speed", plot.Run{Results: r}); err == nil || !strings.Contains(err.Error(), "flow cwnd") {
		t.Errorf("a metric that is not there: %v", err)
	}
}

func TestBarsAndLinesWithIntervals(t *testing.T) {
	for name, c := range map[string]*plot.Chart{
		"bars": {Title: "Goodput", Y: plot.Axis{Label: "goodput", Unit: "bit/s"}, Bars: []plot.Bar{{"reno", 8e6, 7.5e6, 8.5e6}, {"cubic", 9e6, 8.8e6, 9.2e6}, {"none", math.NaN(), 0, 0}}},
		"lines": {X: plot.Axis{Label: "loss", Log: true}, Y: plot.Axis{Label: "goodput", Unit: "bit/s", Log: true}, Lines: []plot.Line{
			{Name: "cubic", X: []float64{1e-4, 1e-3, 1e-2}, Y: []float64{9e6, 5e6, 1e6}, Low: []float64{8e6, 4e6, .8e6}, High: []float64{9.5e6, 6e6, 1.3e6}, Points: true}}},
		"names": {X: plot.Axis{Label: "discipline", Names: []string{"pfifo limit 1000", "a discipline with a long name", "fq_codel"}}, Lines: []plot.Line{
			{Name: "a", X: []float64{1, 2, 3}, Y: []float64{3, 2, 1}, Low: []float64{2, 1, 0}, High: []float64{4, 3, 2}, Points: true},
			{Name: "b", X: []float64{1, 3}, Y: []float64{1, 2}, Bare: true, Points: true, Colour: 1}}},
		"cdf":     plot.CDF("Delay", plot.Axis{Label: "delay", Unit: "s"}, map[string][]float64{"a": {1, 2, 3, math.NaN()}, "b": {2, 2, 5}}),
		"nothing": {},
		"gaps":    {Lines: []plot.Line{{Name: "x", X: []float64{1, 2, 3, 4}, Y: []float64{1, math.NaN(), 3, math.NaN()}}}},
		"one":     {Lines: []plot.Line{{Name: "x", X: []float64{1}, Y: []float64{0}}}},
	} {
		t.Run(name, func(t *testing.T) {
			img, err := png.Decode(bytes.NewReader(drawn(t, c, "png")))
			if err != nil {
				t.Fatal(err)
			}
			if b := img.Bounds(); b.Dx() < 1000 || b.Dy() < 500 {
				t.Errorf("%v is too small to be read", b)
			}
		})
	}
	c := &plot.Chart{X: plot.Axis{Label: "loss", Log: true}, Lines: []plot.Line{{X: []float64{0, 1}, Y: []float64{1, 1}}}}
	if err := c.Write(new(bytes.Buffer), "png"); err == nil || !strings.Contains(err.Error(), "make the axis linear") {
		t.Errorf("a logarithm of 0: %v", err)
	}
	if err := c.WriteFile("x.pdf"); err == nil || !strings.Contains(err.Error(), ".png or .svg") {
		t.Errorf("another ending: %v", err)
	}
}
