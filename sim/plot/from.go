package plot

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/libos-go/libos/sim"
)

// Run is one simulation among several that are drawn over each other.
type Run struct {
	Name    string // before the names of its lines, "" for a single run
	Results *sim.Results
}

// Series draws one metric of all flows or queues ("flow", "queue") over time, those
// of several runs over each other. It is an error if no run has the metric.
func Series(kind, metric string, runs ...Run) (*Chart, error) {
	c := &Chart{Title: strings.ToUpper(kind[:min(1, len(kind))]) + kind[min(1, len(kind)):] + "s: " + metric, X: Axis{Label: "time", Unit: "s"}, Y: Axis{Label: metric}}
	var others []string
	for _, run := range runs {
		r := run.Results
		for i := range r.Series {
			s := &r.Series[i]
			if s.Kind != kind || s.Metric != metric {
				if name := s.Kind + " " + s.Metric; !slices.Contains(others, name) {
					others = append(others, name)
				}
				continue
			}
			l := Line{Name: lineName(s), Y: s.Values}
			if run.Name != "" {
				l.Name = run.Name + ": " + l.Name
			}
			for k := range s.Values {
				l.X = append(l.X, r.Time(s, k))
			}
			c.Y.Unit = s.Unit
			c.Lines = append(c.Lines, l)
		}
	}
	if len(c.Lines) == 0 {
		return nil, fmt.Errorf("plot: no %s has a series %q; there are: %s", kind, metric, strings.Join(others, ", "))
	}
	return c, nil
}

func lineName(s *sim.Series) string {
	if s.Kind == "flow" {
		return s.Node + " " + s.Name
	}
	return s.Name
}

// All draws every metric of r into a file of its own, dir/KIND-METRIC.FORMAT, and
// tells the files. Format is "png" or "svg".
func All(dir, format string, r *sim.Results) (files []string, err error) {
	seen := map[[2]string]bool{}
	for i := range r.Series {
		s := &r.Series[i]
		key := [2]string{s.Kind, s.Metric}
		if seen[key] {
			continue
		}
		seen[key] = true
		c, err := Series(s.Kind, s.Metric, Run{Results: r})
		if err != nil {
			return files, err
		}
		file := filepath.Join(dir, strings.ReplaceAll(s.Kind+"-"+s.Metric, " ", "-")+"."+format)
		if err := c.WriteFile(file); err != nil {
			return files, err
		}
		files = append(files, file)
	}
	return files, nil
}

// CDF draws how samples are distributed: the share of each that is at most x.
func CDF(title string, x Axis, samples map[string][]float64) *Chart {
	c := &Chart{Title: title, X: x, Y: Axis{Label: "cumulative share"}}
	names := make([]string, 0, len(samples))
	for name := range samples {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		v := slices.DeleteFunc(slices.Clone(samples[name]), math.IsNaN)
		slices.Sort(v)
		l := Line{Name: name, Steps: true}
		if len(v) > 0 {
			l.X, l.Y = []float64{v[0]}, []float64{0}
		}
		for i, x := range v {
			l.X, l.Y = append(l.X, x), append(l.Y, float64(i+1)/float64(len(v)))
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}
