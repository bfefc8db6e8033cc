package main

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

func TestRatioAboveOneMeansOursIsBetter(t *testing.T) {
	for _, c := range []struct {
		name       string
		d          Direction
		ours, peer float64
		want       float64
	}{
		{"a cost four times smaller", LowerIsBetter, 0.5, 2, 4},
		{"a cost twice as large", LowerIsBetter, 4, 2, 0.5},
		{"a rate twice as high", HigherIsBetter, 10, 5, 2},
		{"a rate half as high", HigherIsBetter, 5, 10, 0.5},
	} {
		if got := ratio(c.d, c.ours, c.peer); got != c.want {
			t.Errorf("%s: ratio(%v, ours %v, peer %v) = %v, want %v", c.name, c.d, c.ours, c.peer, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{5, 5, 1, 9, 100}, 5},
	} {
		before := append([]float64(nil), c.values...)
		if got := median(c.values); got != c.want {
			t.Errorf("median(%v) = %v, want %v", before, got, c.want)
		}
		for i := range before {
			if c.values[i] != before[i] {
				t.Errorf("median reordered its argument %v to %v", before, c.values)
			}
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v, want NaN", got)
	}
}

func TestNumberKeepsFourDigitsWithoutExponent(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.25371: "0.2537", 0.0012345: "0.001234", 2.6024: "2.602", 14.984: "14.98", 123.46: "123.5",
		45210.4: "45210", 1e7: "10000000", -2.5: "-2.500",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %s, want %s", v, got, want)
		}
	}
}

func figure(v float64, detail map[string]float64) *Figure { return &Figure{Value: v, Detail: detail} }

func TestLineHasTheMedianOfTheRatiosNotTheRatioOfTheMedians(t *testing.T) {
	b := Benchmark{Name: "x", Unit: "ns/byte"}
	// Ratios 10, 2, 1: median 2. Medians of the sides: 10 and 10.
	r := summarize(b, "peer v1", []Pair{
		{Ours: figure(1, nil), Peer: *figure(10, nil)},
		{Ours: figure(10, nil), Peer: *figure(20, nil)},
		{Ours: figure(10, nil), Peer: *figure(10, nil)},
	})
	if got, want := r.Line(), "x ours=10.00 peer=10.00 ratio=2.00 unit=ns/byte"; got != want {
		t.Errorf("line %q, want %q", got, want)
	}
	if got, want := *r.Ratio, (Spread{Min: 1, Median: 2, Max: 10}); got != want {
		t.Errorf("spread of ratios %+v, want %+v", got, want)
	}
}

func TestLineOfThePeerAloneClaimsNothingOfOurs(t *testing.T) {
	r := summarize(Benchmark{Name: "x", Unit: "bytes"}, "peer", []Pair{{Peer: *figure(45000, nil)}})
	if got, want := r.Line(), "x peer=45000 unit=bytes"; got != want {
		t.Errorf("line %q, want %q", got, want)
	}
}

func TestDetailsAreMediansInOrderOfName(t *testing.T) {
	r := summarize(Benchmark{Name: "x", Unit: "bytes", Detail: true}, "peer", []Pair{
		{Ours: figure(1, map[string]float64{"resident": 3, "heap": 1}), Peer: *figure(2, nil)},
		{Ours: figure(1, map[string]float64{"resident": 5, "heap": 2}), Peer: *figure(2, nil)},
		{Ours: figure(1, map[string]float64{"resident": 9, "heap": 9}), Peer: *figure(2, nil)},
	})
	var text bytes.Buffer
	if err := writeText(&text, r); err != nil {
		t.Fatal(err)
	}
	want := "x ours=1.000 peer=2.000 ratio=2.00 unit=bytes\n  ours: heap=2.000 resident=5.000\n"
	if text.String() != want {
		t.Errorf("printed %q, want %q", text.String(), want)
	}
}

func TestJSONKeepsEveryPairAndTheSpread(t *testing.T) {
	b := Benchmark{Name: "x", Unit: "ns", Better: LowerIsBetter}
	r := summarize(b, "peer v1", []Pair{
		{Ours: figure(1, nil), Peer: *figure(4, nil)},
		{Ours: figure(1, nil), Peer: *figure(8, nil)},
	})
	var text bytes.Buffer
	if err := writeJSON(&text, []Result{r}); err != nil {
		t.Fatal(err)
	}
	var got []Result
	if err := json.Unmarshal(text.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0].Pairs) != 2 || got[0].Pairs[1].Ratio != 8 || *got[0].Ratio != (Spread{4, 6, 8}) ||
		got[0].Better != "lower" || got[0].With != "peer v1" {
		t.Errorf("read back %+v from %s", got, strings.TrimSpace(text.String()))
	}
}
