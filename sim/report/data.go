package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/plot"
)

// budget is how many numbers of series a page holds at most, about: it stays below
// half a megabyte.
const budget = 60_000

// data is what the script gets, in short names as there is much of it.
type data struct {
	Until  float64   `json:"until"`
	Nodes  []node    `json:"nodes"`
	Links  []link    `json:"links"`
	Map    []mapView `json:"map"`
	Panels []panel   `json:"panels"`
}

type node struct {
	Name   string `json:"n"`
	Router bool   `json:"r"`
	// Segment is a segment, which is drawn between its ports' nodes.
	Segment bool    `json:"s,omitempty"`
	X       float64 `json:"x"`
	Y       float64 `json:"y"`
}

type link struct {
	Name  string `json:"n"`
	A     int    `json:"a"`
	B     int    `json:"b"`
	Label string `json:"l"`
}

// mapView is a metric that colours links: values by link and end, from 0 to Most.
type mapView struct {
	Name   string          `json:"n"`
	Unit   string          `json:"u"`
	Most   float64         `json:"most"`
	X0     float64         `json:"x0"`
	DX     float64         `json:"dx"`
	Values [][2]sim.Values `json:"v"`
}

type panel struct {
	Title string `json:"t"`
	XName string `json:"xn"`
	XUnit string `json:"xu"`
	YName string `json:"yn"`
	YUnit string `json:"yu"`
	XLog  bool   `json:"xl"`
	YLog  bool   `json:"yl"`
	Time  bool   `json:"time"` // X is the timeline's
	Note  string `json:"note"`
	Lines []line `json:"l"`
}

// line has its places in X or, where they are even, in X0 and DX.
type line struct {
	Name string     `json:"n"`
	X    sim.Values `json:"x,omitempty"`
	X0   float64    `json:"x0"`
	DX   float64    `json:"dx"`
	Y    sim.Values `json:"y"`
	Low  sim.Values `json:"lo,omitempty"`
	High sim.Values `json:"hi,omitempty"`
}

// kept is what a stretch of samples becomes where there are too many.
type kept int

const (
	mean kept = iota
	largest
	latest
)

func keptOf(metric string) kept {
	switch metric {
	case "queue", "backlog":
		return largest
	case "drops", "losses", "retransmissions":
		return latest
	}
	return mean
}

// fold makes one value of every n.
func fold(v []float64, n int, k kept) (out sim.Values) {
	for from := 0; from < len(v); from += n {
		stretch := v[from:min(from+n, len(v))]
		sum, known, most, last := 0.0, 0, math.Inf(-1), math.NaN()
		for _, x := range stretch {
			if !math.IsNaN(x) {
				sum, most, last = sum+x, max(most, x), x
				known++
			}
		}
		x := math.NaN()
		if known > 0 {
			switch k {
			case mean:
				x = sum / float64(known)
			case largest:
				x = most
			case latest:
				x = last
			}
		}
		out = append(out, round(x, 4))
	}
	return out
}

// panelLines is how many lines a panel shows: those that rise highest.
const panelLines = 20

func runData(r *sim.Results) data {
	d := data{Until: r.Until, Nodes: []node{}, Links: []link{}, Map: []mapView{}, Panels: []panel{}}
	nodes, links := drawn(r)
	for i, p := range layout(nodes, links, len(r.Nodes)) {
		d.Nodes = append(d.Nodes, node{nodes[i].Name, nodes[i].Router, i >= len(r.Nodes), p.x, p.y})
	}
	for _, l := range links {
		d.Links = append(d.Links, link{l.Name, l.A, l.B, linkLabel(&l)})
	}
	if r.Every == 0 {
		return d
	}
	d.Map = maps(r, links)
	keys := [][2]string{}
	of := map[[2]string][]*sim.Series{}
	for i := range r.Series {
		s := &r.Series[i]
		key := [2]string{s.Kind, s.Metric}
		if of[key] == nil {
			keys = append(keys, key)
		}
		of[key] = append(of[key], s)
	}
	slices.SortStableFunc(keys, func(a, b [2]string) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(rank(a[1]), rank(b[1])))
	})
	lines := 0
	for _, k := range keys {
		lines += min(len(of[k]), panelLines)
	}
	for _, k := range keys {
		d.Panels = append(d.Panels, seriesPanel(r, k, of[k], max(50, min(600, budget*2/3/max(lines, 1)))))
	}
	return d
}

// drawn are the nodes and links with the segments among them: each is a node with
// a link to every port.
func drawn(r *sim.Results) (nodes []sim.NodeResult, links []sim.LinkResult) {
	nodes, links = slices.Clone(r.Nodes), slices.Clone(r.Links)
	for _, s := range r.Segments {
		for i, k := range s.Nodes {
			links = append(links, sim.LinkResult{Name: s.Interfaces[i], A: k, B: len(nodes), Interfaces: [2]string{s.Interfaces[i], ""}})
		}
		nodes = append(nodes, sim.NodeResult{Name: s.Name})
	}
	return nodes, links
}

// rank is the order of panels.
func rank(metric string) int {
	if i := slices.Index([]string{"throughput", "received", "cwnd", "ssthresh", "in flight", "srtt", "rttvar", "retransmissions", "queue", "backlog", "utilisation", "drops", "losses"}, metric); i >= 0 {
		return i
	}
	return math.MaxInt
}

func seriesPanel(r *sim.Results, key [2]string, all []*sim.Series, points int) panel {
	title := map[string]string{"flow": "Flows", "queue": "Queues"}[key[0]]
	p := panel{Title: title + ": " + key[1], XName: "time", XUnit: "s", YName: key[1], YUnit: all[0].Unit, Time: true}
	shown := slices.Clone(all)
	if len(shown) > panelLines {
		most := map[*sim.Series]float64{}
		for _, s := range all {
			for _, v := range s.Values {
				if v > most[s] { // false for NaN
					most[s] = v
				}
			}
		}
		slices.SortStableFunc(shown, func(a, b *sim.Series) int { return cmp.Compare(most[b], most[a]) })
		shown = shown[:panelLines]
		p.Note = "the " + text(panelLines, "") + " that rise highest, of " + text(float64(len(all)), "") + ". "
	}
	n := 1
	for _, s := range shown {
		n = max(n, (len(s.Values)+points-1)/points)
	}
	k := keptOf(key[1])
	if n > 1 {
		p.Note += "Each point is the " + [...]string{"mean", "largest", "latest"}[k] + " of " + text(float64(n), "") + " samples."
	}
	for _, s := range shown {
		name := s.Name
		if s.Kind == "flow" {
			name = s.Node + " " + s.Name
		}
		p.Lines = append(p.Lines, line{Name: name, X0: round(float64(s.First)*r.Every+float64(n-1)*r.Every/2, 9), DX: round(float64(n)*r.Every, 9), Y: fold(s.Values, n, k)})
	}
	return p
}

// maps are the metrics that colour the links.
func maps(r *sim.Results, links []sim.LinkResult) (views []mapView) {
	byName := map[[2]string]*sim.Series{}
	samples := 0
	for i := range r.Series {
		if s := &r.Series[i]; s.Kind == "queue" {
			byName[[2]string{s.Name, s.Metric}] = s
			samples = max(samples, s.First-1+len(s.Values))
		}
	}
	points := max(20, min(400, budget/3/max(1, 4*len(links))))
	n := max(1, (samples+points-1)/points)
	for _, m := range []struct {
		metric, unit string
		most         float64
	}{{"utilisation", "", 1}, {"queue", "packets", 0}, {"throughput", "bit/s", 0}} {
		v := mapView{Name: m.metric, Unit: m.unit, Most: m.most, X0: round(r.Every+float64(n-1)*r.Every/2, 9), DX: round(float64(n)*r.Every, 9)}
		found := false
		for _, l := range links {
			var both [2]sim.Values
			for end, name := range l.Interfaces {
				both[end] = sim.Values{}
				if s := byName[[2]string{name, m.metric}]; s != nil {
					found = true
					both[end] = fold(s.Values, n, keptOf(m.metric))
					for i, x := range both[end] {
						both[end][i] = round(x, 3)
						if m.most == 0 && x > v.Most {
							v.Most = x
						}
					}
				}
			}
			v.Values = append(v.Values, both)
		}
		if found {
			views = append(views, v)
		}
	}
	return views
}

func linkLabel(l *sim.LinkResult) string {
	side := func(i int) (s string) {
		if l.Rate[i] > 0 {
			s = text(float64(l.Rate[i]), "bit/s")
		}
		if l.Delay[i] > 0 {
			if s != "" {
				s += ", "
			}
			s += text(l.Delay[i], "s")
		}
		if l.Loss[i] > 0 {
			if s != "" {
				s += ", "
			}
			s += text(l.Loss[i]*100, "") + " % loss"
		}
		return s
	}
	a, b := side(0), side(1)
	if a == b {
		return a
	}
	return a + " | " + b
}

func panelData(panels []Panel) data {
	d := data{Nodes: []node{}, Links: []link{}, Map: []mapView{}, Panels: []panel{}}
	for _, c := range panels {
		d.Panels = append(d.Panels, chartPanel(&c.Chart, c.Note))
	}
	return d
}

func chartPanel(c *plot.Chart, note string) panel {
	p := panel{Title: c.Title, XName: c.X.Label, XUnit: c.X.Unit, YName: c.Y.Label, YUnit: c.Y.Unit, XLog: c.X.Log, YLog: c.Y.Log, Note: note, Lines: []line{}}
	for i, name := range c.X.Names {
		p.XName += fmt.Sprintf("%s %d = %s", [2]string{":", ","}[min(i, 1)], i+1, name)
	}
	for _, l := range c.Lines {
		p.Lines = append(p.Lines, line{Name: l.Name, X: l.X, Y: l.Y, Low: l.Low, High: l.High})
	}
	return p
}
