package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core/version"
	"github.com/libos-go/libos/sim"
	"github.com/libos-go/libos/sim/plot"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// Options of a page.
type Options struct {
	Title      string      // "" is "Simulation"
	Parameters []Parameter // of the run, in this order
}

// Parameter is one line of the page's table of parameters.
type Parameter struct{ Name, Value string }

// Write writes the page of a run.
func Write(w io.Writer, r *sim.Results, o Options) error {
	if o.Title == "" {
		o.Title = "Simulation"
	}
	p := page{Title: o.Title, Data: runData(r)}
	p.Facts = []fact{
		{"seed", strconv.FormatUint(r.Seed, 10)},
		{"simulated time", text(r.Until, "s")},
		{"nodes", strconv.Itoa(len(r.Nodes))},
		{"links", strconv.Itoa(len(r.Links))},
	}
	if r.Every > 0 {
		p.Facts = append(p.Facts, fact{"sampled every", text(r.Every, "s")})
	}
	p.Facts = append(p.Facts, fact{"libos", version.Number})
	if len(o.Parameters) > 0 {
		t := table{Title: "Parameters", Head: []column{{"name", false}, {"value", false}}}
		for _, x := range o.Parameters {
			t.Rows = append(t.Rows, []cell{word(x.Name), word(x.Value)})
		}
		p.Tables = append(p.Tables, t)
	}
	p.Tables = append(p.Tables, values(r)...)
	p.Tables = append(p.Tables, flows(r)...)
	p.Tables = append(p.Tables, queues(r)...)
	return p.write(w)
}

// Panel is a chart of a page of a campaign.
type Panel struct {
	plot.Chart
	Note string // below it
}

// Table is a table of a page of a campaign: Numbers tells which columns are
// numbers, which are sorted as such.
type Table struct {
	Title   string
	Head    []string
	Numbers []bool
	Rows    [][]string
}

// WritePanels writes a page of charts and tables.
func WritePanels(w io.Writer, o Options, facts []Parameter, panels []Panel, tables []Table) error {
	p := page{Title: o.Title, Data: panelData(panels)}
	for _, f := range facts {
		p.Facts = append(p.Facts, fact{f.Name, f.Value})
	}
	p.Facts = append(p.Facts, fact{"libos", version.Number})
	for _, t := range tables {
		x := table{Title: t.Title}
		for i, h := range t.Head {
			x.Head = append(x.Head, column{h, i < len(t.Numbers) && t.Numbers[i]})
		}
		for _, row := range t.Rows {
			var cells []cell
			for _, c := range row {
				cells = append(cells, word(c))
			}
			x.Rows = append(x.Rows, cells)
		}
		p.Tables = append(p.Tables, x)
	}
	return p.write(w)
}

// page is what the template gets.
type page struct {
	Title  string
	Facts  []fact
	Tables []table
	Data   data
	CSS    template.CSS
	JS     template.JS
}

type fact struct{ Name, Value string }

type table struct {
	Title string
	Head  []column
	Rows  [][]cell
}

type column struct {
	Name   string
	Number bool
}

// cell is a text and, for numbers, the value that it is sorted by.
type cell struct{ Text, Sort string }

func (p *page) write(w io.Writer) error {
	t, err := template.New("page").Parse(pageHTML)
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	p.CSS, p.JS = template.CSS(pageCSS), template.JS(pageJS) // of this package
	return t.Execute(w, p)
}

func word(s string) cell { return cell{s, s} }

// measure is a value with its unit.
func measure(v float64, unit string) cell {
	return cell{text(v, unit), strconv.FormatFloat(v, 'g', -1, 64)}
}

func count(v uint64) cell { return cell{strconv.FormatUint(v, 10), strconv.FormatUint(v, 10)} }

// text is a value with a unit that suits it, in four digits.
func text(v float64, unit string) string {
	factor, unit := plot.Prefix(unit, math.Abs(v))
	s := strconv.FormatFloat(v*factor, 'g', 4, 64)
	if strings.Contains(s, "e") && math.Abs(v*factor) < 1e15 && math.Abs(v*factor) >= 1 {
		s = strconv.FormatFloat(v*factor, 'f', 0, 64)
	}
	if unit == "" {
		return s
	}
	return s + " " + unit
}

// rowsMost is how many rows a table of what a run found has.
const rowsMost = 500

func values(r *sim.Results) []table {
	if len(r.Values) == 0 {
		return nil
	}
	t := table{Title: "Recorded by applications", Head: []column{{"node", false}, {"task", false}, {"metric", false}, {"value", true}, {"at", true}}}
	shown := r.Values
	if len(shown) > rowsMost {
		shown = shown[:rowsMost]
		t.Title += fmt.Sprintf(": the first %d, of %d", rowsMost, len(r.Values))
	}
	for _, v := range shown {
		t.Rows = append(t.Rows, []cell{word(v.Node), word(v.Task), word(v.Metric), measure(v.Value, v.Unit), measure(v.Time, "s")})
	}
	return []table{t}
}

func flows(r *sim.Results) []table {
	if len(r.Flows) == 0 {
		return nil
	}
	t := table{Title: "Flows", Head: []column{{"flow", false}, {"protocol", false}, {"from", false}, {"to", false}, {"start", true}, {"end", true},
		{"sent", true}, {"goodput out", true}, {"received", true}, {"goodput in", true}, {"retransmissions", true}, {"drops", true},
		{"srtt min", true}, {"mean", true}, {"max", true}}}
	shown := r.Flows
	if len(shown) > rowsMost { // those that moved most
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b sim.FlowResult) int { return cmp.Compare(b.Sent+b.Received, a.Sent+a.Received) })
		shown = shown[:rowsMost]
		t.Title += fmt.Sprintf(": the %d that moved most bytes, of %d", rowsMost, len(r.Flows))
	}
	for _, f := range shown {
		end := measure(f.End, "s")
		if !f.Over {
			end.Text = "open"
		}
		row := []cell{word(f.Node + " " + f.Name), word(f.Protocol), word(f.Local), word(f.Remote), measure(f.Start, "s"), end,
			measure(float64(f.Sent), "B"), measure(f.SentGoodput, "bit/s"), measure(float64(f.Received), "B"), measure(f.ReceivedGoodput, "bit/s"),
			count(f.Retransmissions), count(f.Drops)}
		for _, v := range []float64{f.SRTTMin, f.SRTTMean, f.SRTTMax} {
			c := measure(v, "s")
			if v == 0 {
				c.Text = "–"
			}
			row = append(row, c)
		}
		t.Rows = append(t.Rows, row)
	}
	return []table{t}
}

func queues(r *sim.Results) []table {
	if len(r.Queues) == 0 {
		return nil
	}
	t := table{Title: "Interfaces and queues", Head: []column{{"interface", false}, {"link", false}, {"rate", true}, {"packets", true}, {"bytes", true},
		{"throughput", true}, {"utilisation", true}, {"queue mean", true}, {"queue max", true}, {"drops", true}, {"losses", true}}}
	shown := r.Queues
	if len(shown) > rowsMost {
		shown = slices.Clone(shown)
		slices.SortStableFunc(shown, func(a, b sim.QueueResult) int { return cmp.Compare(b.Bytes, a.Bytes) })
		shown = shown[:rowsMost]
		t.Title += fmt.Sprintf(": the %d that sent most bytes, of %d", rowsMost, len(r.Queues))
	}
	for _, q := range shown {
		rate, use := measure(float64(q.Rate), "bit/s"), cell{"–", "0"}
		if q.Rate == 0 {
			rate.Text = "–"
		} else {
			u := q.Throughput / float64(q.Rate)
			use = cell{strconv.FormatFloat(u*100, 'f', 1, 64) + " %", strconv.FormatFloat(u, 'g', 6, 64)}
		}
		t.Rows = append(t.Rows, []cell{word(q.Name), word(q.Link), rate, count(q.Packets), measure(float64(q.Bytes), "B"),
			measure(q.Throughput, "bit/s"), use, measure(round(q.LengthMean, 3), "packets"), measure(q.LengthMax, "packets"), count(q.Drops), count(q.Losses)})
	}
	return []table{t}
}

// round keeps so many significant digits.
func round(v float64, digits int) float64 {
	r, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return v
	}
	return r
}
