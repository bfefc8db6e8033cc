package sweep

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libos-go/libos/sim/plot"
	"github.com/libos-go/libos/sim/report"
)

// Outcome is what a campaign has found so far.
type Outcome struct {
	Campaign *Campaign
	Missing  []int // units without a result
	units    []*Result
}

// Load reads the results in dir. Units may be missing.
func Load(c *Campaign, dir string) (*Outcome, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	o := &Outcome{Campaign: c}
	for k := range c.Len() {
		u, err := c.Unit(k)
		if err != nil {
			return nil, err
		}
		r := u.load(dir)
		if r == nil {
			o.Missing = append(o.Missing, k)
		}
		o.units = append(o.units, r)
	}
	return o, nil
}

// Point is a metric under one combination of values, over all seeds.
type Point struct {
	Values []string // of the parameters, in their order
	Kind   string
	Metric string
	Unit   string
	Interval
}

// Points are all metrics under all combinations: metric by metric in the order in
// which units tell them, and in the order of combinations.
func (o *Outcome) Points() (points []Point) {
	type key struct{ kind, name string }
	var keys []key
	units := map[key]string{}
	samples := map[key][][]float64{} // by combination
	c := o.Campaign
	for k, r := range o.units {
		if r == nil {
			continue
		}
		for _, m := range r.Metrics {
			x := key{m.Kind, m.Name}
			if samples[x] == nil {
				keys = append(keys, x)
				units[x], samples[x] = m.Unit, make([][]float64, c.combinations())
			}
			samples[x][k/len(c.Seeds)] = append(samples[x][k/len(c.Seeds)], m.Value)
		}
	}
	slices.SortStableFunc(keys, func(a, b key) int { return strings.Compare(b.kind, a.kind) }) // values, queues, flows
	for _, x := range keys {
		for i, v := range samples[x] {
			points = append(points, Point{c.values(i), x.kind, x.name, units[x], Confidence(v)})
		}
	}
	return points
}

// WriteCSV writes the points: the parameters, then metric, unit, n, mean, low,
// high and deviation.
func (o *Outcome) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	var head []string
	for _, p := range o.Campaign.Parameters {
		head = append(head, p.Name)
	}
	_ = c.Write(append(head, "metric", "unit", "n", "mean", "low", "high", "deviation"))
	for _, p := range o.Points() {
		row := append(slices.Clone(p.Values), p.Metric, p.Unit, strconv.Itoa(p.N))
		for _, v := range []float64{p.Mean, p.Low, p.High, p.Deviation} {
			s := ""
			if !math.IsNaN(v) {
				s = strconv.FormatFloat(v, 'g', -1, 64)
			}
			row = append(row, s)
		}
		_ = c.Write(row)
	}
	c.Flush() // which keeps the first error of all
	return c.Error()
}

// View says how an outcome is shown.
type View struct {
	// X is the parameter on the axis; "" is the first with several numbers.
	X string
	// LogX and LogY make axes logarithmic.
	LogX, LogY bool
	// All shows flows and queues, too, where applications recorded something.
	All bool
}

// Charts draw every metric against a parameter, with intervals; each combination
// of the other parameters is a line.
func (o *Outcome) Charts(v View) ([]plot.Chart, error) {
	x, err := o.axis(v.X)
	if err != nil {
		return nil, err
	}
	points := o.Points()
	if !v.All && slices.ContainsFunc(points, func(p Point) bool { return p.Kind == "value" }) {
		points = slices.DeleteFunc(points, func(p Point) bool { return p.Kind != "value" })
	}
	var charts []plot.Chart
	for _, group := range together(points) {
		if group[0].Kind == "value" || slices.ContainsFunc(group, func(p Point) bool { return p.N > 0 && p.Mean != 0 }) {
			charts = append(charts, o.chart(group, x, v))
		}
	}
	return charts, nil
}

// apart is the metric that a task recorded, without the task, and the task.
func (p *Point) apart() (task, metric string) {
	i := strings.LastIndexByte(p.Metric, ' ')
	return p.Metric[:max(i, 0)], p.Metric[i+1:]
}

// together are the points of each chart: those of one metric, and where a few tasks
// recorded one of the same name (the goodput of each flow), these.
func together(points []Point) (groups [][]Point) {
	const most = 8 // tasks in a chart
	type key struct{ kind, metric string }
	var keys []key
	by := map[key][]Point{}
	tasks := map[string]map[string]bool{}
	for i := range points {
		if p := &points[i]; p.Kind == "value" {
			task, metric := p.apart()
			if tasks[metric] == nil {
				tasks[metric] = map[string]bool{}
			}
			tasks[metric][task] = true
		}
	}
	for i := range points {
		p := &points[i]
		k := key{p.Kind, p.Metric}
		if _, metric := p.apart(); p.Kind == "value" && len(tasks[metric]) <= most {
			k.metric = metric
		}
		if by[k] == nil {
			keys = append(keys, k)
		}
		by[k] = append(by[k], *p)
	}
	for _, k := range keys {
		groups = append(groups, by[k])
	}
	return groups
}

// axis is the parameter that is on the axis, -1 if there is none.
func (o *Outcome) axis(name string) (int, error) {
	best := -1
	var names []string
	for i, p := range o.Campaign.Parameters {
		names = append(names, p.Name)
		if p.Name == name {
			return i, nil
		}
		if _, _, ok := numbers(p.Values); ok && len(p.Values) > 1 && best < 0 {
			best = i
		}
	}
	if name != "" {
		return 0, fmt.Errorf("campaign %s has no parameter %s: it has %s", o.Campaign.Name, name, strings.Join(names, ", "))
	}
	if best < 0 && len(names) > 0 {
		best = 0
	}
	return best, nil
}

func (o *Outcome) chart(points []Point, x int, v View) plot.Chart {
	c := plot.Chart{Title: points[0].Metric, Y: plot.Axis{Label: points[0].Metric, Unit: points[0].Unit, Log: v.LogY}}
	several := false
	if points[0].Kind == "value" {
		_, c.Y.Label = points[0].apart()
		several = slices.ContainsFunc(points, func(p Point) bool { return p.Metric != points[0].Metric })
	}
	if several {
		c.Title = c.Y.Label
	}
	places := map[string]float64{}
	if x >= 0 {
		p := &o.Campaign.Parameters[x]
		at, unit, ok := numbers(p.Values)
		c.X = plot.Axis{Label: p.Name, Unit: unit, Log: v.LogX && ok}
		if !ok { // words: 1, 2, 3
			at, c.X.Names = nil, p.Values
			for i := range p.Values {
				at = append(at, float64(i+1))
			}
		}
		for i, v := range p.Values {
			places[v] = at[i]
		}
	}
	lines := map[string]int{}
	positive := !slices.ContainsFunc(points, func(p Point) bool { return p.N > 0 && p.Mean < 0 })
	for _, p := range points {
		var name []string
		if several {
			task, _ := p.apart()
			name = append(name, task)
		}
		place := 0.0
		for i, value := range p.Values {
			if i == x {
				place = places[value]
			} else if len(o.Campaign.Parameters[i].Values) > 1 {
				name = append(name, o.Campaign.short(i)+"="+value)
			}
		}
		if p.N == 0 || c.Y.Log && p.Mean <= 0 {
			continue
		}
		key := strings.Join(name, ", ")
		i, ok := lines[key]
		if !ok {
			i = len(c.Lines)
			lines[key] = i
			c.Lines = append(c.Lines, plot.Line{Name: key, Points: true})
		}
		l := &c.Lines[i]
		low := p.Low
		if positive { // goodput, delays: below 0 is nothing
			low = max(low, 0)
		}
		if c.Y.Log && low <= 0 { // nothing below can be shown
			low = p.Mean
		}
		l.X, l.Y, l.Low, l.High = append(l.X, place), append(l.Y, p.Mean), append(l.Low, low), append(l.High, p.High)
	}
	for i := range c.Lines {
		sortLine(&c.Lines[i])
	}
	if c.X.Log && slices.ContainsFunc(c.Lines, func(l plot.Line) bool { return slices.Min(l.X) <= 0 }) {
		c.X.Log = false
	}
	return c
}

// short is the last part of a parameter's name, if no other one ends so.
func (c *Campaign) short(i int) string {
	last := func(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }
	for k := range c.Parameters {
		if k != i && last(c.Parameters[k].Name) == last(c.Parameters[i].Name) {
			return c.Parameters[i].Name
		}
	}
	return last(c.Parameters[i].Name)
}

// numbers reads values that all are numbers, of one unit: plain ones, percent,
// durations ("10ms"), rates ("10Mbit/s", "1Gbit", "5M"), or the share of each N-th
// ("every 1000").
func numbers(values []string) (out []float64, unit string, ok bool) {
	for i, s := range values {
		v, u, ok := number(s)
		if !ok || i > 0 && u != unit && v != 0 {
			return nil, "", false
		}
		if i == 0 || v != 0 {
			unit = u
		}
		out = append(out, v)
	}
	return out, unit, len(out) > 0
}

func number(s string) (v float64, unit string, ok bool) {
	if v, err := strconv.ParseFloat(s, 64); err == nil && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return v, "", true
	}
	if d, err := time.ParseDuration(s); err == nil {
		return d.Seconds(), "s", true
	}
	factor := 1.0
	if p, found := strings.CutPrefix(s, "every "); found {
		n, err := strconv.ParseFloat(p, 64)
		return 1 / n, "", err == nil && n > 0
	}
	if p, found := strings.CutSuffix(s, "%"); found {
		s, factor = p, 0.01
	} else {
		for _, suffix := range []string{"bit/s", "bps", "bit"} {
			if p, found := strings.CutSuffix(s, suffix); found {
				s, unit = p, "bit/s"
				break
			}
		}
		for i, p := range []string{"k", "M", "G", "T"} {
			if q, found := strings.CutSuffix(s, p); found {
				s, factor = q, math.Pow(1000, float64(i+1))
				break
			}
		}
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, "", false
	}
	return v * factor, unit, true
}

// Report writes the campaign's page: plots with error bars and a table of all
// points.
func (o *Outcome) Report(w io.Writer, v View) error {
	charts, err := o.Charts(v)
	if err != nil {
		return err
	}
	c := o.Campaign
	facts := []report.Parameter{{Name: "units", Value: strconv.Itoa(c.Len())}, {Name: "seeds", Value: seedsText(c.Seeds)}}
	for _, p := range c.Parameters {
		facts = append(facts, report.Parameter{Name: p.Name, Value: strings.Join(p.Values, ", ")})
	}
	if len(o.Missing) > 0 {
		facts = append(facts, report.Parameter{Name: "missing", Value: strconv.Itoa(len(o.Missing))})
	}
	var panels []report.Panel
	for _, x := range charts {
		panels = append(panels, report.Panel{Chart: x, Note: "Means with confidence intervals of 95 % (Student's t)."})
	}
	t := report.Table{Title: "Results: means with 95 % confidence intervals"}
	for _, p := range c.Parameters {
		_, _, number := numbers(p.Values)
		t.Head, t.Numbers = append(t.Head, p.Name), append(t.Numbers, number && unitless(p.Values))
	}
	t.Head = append(t.Head, "metric", "n", "mean", "low", "high", "unit")
	t.Numbers = append(t.Numbers, false, true, true, true, true, false)
	for _, p := range o.Points() {
		if p.N == 0 {
			continue
		}
		row := append(slices.Clone(p.Values), p.Metric, strconv.Itoa(p.N))
		for _, v := range []float64{p.Mean, p.Low, p.High} {
			s := "–"
			if !math.IsNaN(v) {
				s = strconv.FormatFloat(v, 'g', 5, 64)
			}
			row = append(row, s)
		}
		t.Rows = append(t.Rows, append(row, p.Unit))
	}
	title := c.Name
	if title == "" {
		title = "Campaign"
	}
	return report.WritePanels(w, report.Options{Title: title}, facts, panels, []report.Table{t})
}

func unitless(values []string) bool {
	return !slices.ContainsFunc(values, func(s string) bool { _, err := strconv.ParseFloat(s, 64); return err != nil })
}

// seedsText is "1..30" for seeds that follow each other.
func seedsText(seeds []uint64) string {
	var out []string
	for i := 0; i < len(seeds); {
		j := i
		for j+1 < len(seeds) && seeds[j+1] == seeds[j]+1 {
			j++
		}
		s := strconv.FormatUint(seeds[i], 10)
		if j > i {
			s += ".." + strconv.FormatUint(seeds[j], 10)
		}
		out = append(out, s)
		i = j + 1
	}
	return strings.Join(out, ",")
}

// sortLine puts a line's points in the order of their places.
func sortLine(l *plot.Line) {
	order := make([]int, len(l.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(l.X[a], l.X[b]) })
	for _, of := range []*[]float64{&l.X, &l.Y, &l.Low, &l.High} {
		sorted := make([]float64, len(order))
		for i, k := range order {
			sorted[i] = (*of)[k]
		}
		*of = sorted
	}
}
