package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Pair is one interleaved measurement of both sides, one right after the other.
type Pair struct {
	Ours  *Figure `json:"ours,omitempty"` // nil in a run of the peer alone
	Peer  Figure  `json:"peer"`
	Ratio float64 `json:"ratio,omitempty"` // above 1: ours is better
}

// Spread is the smallest, the middle and the largest of several values.
type Spread struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// Result is all that was measured of one benchmark.
type Result struct {
	Name   string  `json:"name"`
	Unit   string  `json:"unit"`
	Better string  `json:"better"` // "lower" or "higher"
	With   string  `json:"peer_name"`
	Pairs  []Pair  `json:"pairs"`
	Ours   *Spread `json:"ours,omitempty"`
	Peer   Spread  `json:"peer"`
	Ratio  *Spread `json:"ratio,omitempty"` // of the pairs' ratios, not of the two medians

	detail bool
}

// ratio tells how many times better ours is than the peer: above 1 is a win in either direction.
func ratio(d Direction, ours, peer float64) float64 {
	if d == HigherIsBetter {
		return ours / peer
	}
	return peer / ours
}

// median returns the middle value, or the mean of the two in the middle; NaN of nothing.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	v := slices.Sorted(slices.Values(values))
	m := len(v) / 2
	if len(v)%2 == 1 {
		return v[m]
	}
	return (v[m-1] + v[m]) / 2
}

func spread(values []float64) Spread {
	return Spread{Min: slices.Min(values), Median: median(values), Max: slices.Max(values)}
}

// summarize computes the spreads of a benchmark's pairs, of which there is at least one.
func summarize(b Benchmark, peerName string, pairs []Pair) Result {
	r := Result{Name: b.Name, Unit: b.Unit, Better: b.Better.String(), With: peerName, Pairs: pairs, detail: b.Detail}
	var ours, peer, ratios []float64
	for i := range pairs {
		p := &pairs[i]
		peer = append(peer, p.Peer.Value)
		if p.Ours != nil {
			p.Ratio = ratio(b.Better, p.Ours.Value, p.Peer.Value)
			ours = append(ours, p.Ours.Value)
			ratios = append(ratios, p.Ratio)
		}
	}
	r.Peer = spread(peer)
	if ours != nil {
		o, q := spread(ours), spread(ratios)
		r.Ours, r.Ratio = &o, &q
	}
	return r
}

// number prints four significant digits without an exponent: 0.2537, 14.43, 45210.
func number(v float64) string {
	if a := math.Abs(v); a >= 1000 || a == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	digits := 3 - int(math.Floor(math.Log10(math.Abs(v))))
	return strconv.FormatFloat(v, 'f', digits, 64)
}

// Line is the one line printed for a result.
func (r Result) Line() string {
	if r.Ours == nil {
		return fmt.Sprintf("%s peer=%s unit=%s", r.Name, number(r.Peer.Median), r.Unit)
	}
	return fmt.Sprintf("%s ours=%s peer=%s ratio=%.2f unit=%s",
		r.Name, number(r.Ours.Median), number(r.Peer.Median), r.Ratio.Median, r.Unit)
}

// details prints the medians of what the sides reported besides their value, indented below the line.
func (r Result) details() []string {
	var lines []string
	add := func(side string, figure func(Pair) *Figure) {
		byName := map[string][]float64{}
		for _, p := range r.Pairs {
			if f := figure(p); f != nil {
				for name, v := range f.Detail {
					byName[name] = append(byName[name], v)
				}
			}
		}
		if len(byName) == 0 {
			return
		}
		var s strings.Builder
		s.WriteString("  " + side + ":")
		names := make([]string, 0, len(byName))
		for name := range byName {
			names = append(names, name)
		}
		slices.Sort(names)
		for _, name := range names {
			fmt.Fprintf(&s, " %s=%s", name, number(median(byName[name])))
		}
		lines = append(lines, s.String())
	}
	add("ours", func(p Pair) *Figure { return p.Ours })
	add("peer", func(p Pair) *Figure { return &p.Peer })
	return lines
}

func writeText(w io.Writer, r Result) error {
	text := r.Line() + "\n"
	if r.detail {
		for _, l := range r.details() {
			text += l + "\n"
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

func writeJSON(w io.Writer, results []Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(results)
}
