package main

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

// Goodput follows the formulas within 15 % over three decades of loss.
func TestGoodputFollowsTheResponseFunction(t *testing.T) {
	for i := range functions {
		f := &functions[i]
		for _, n := range f.losses {
			t.Run(fmt.Sprintf("%s one of %d", f.file, n), func(t *testing.T) {
				t.Parallel()
				got, err := f.measured(n)
				if err != nil {
					t.Fatal(err)
				}
				want := f.expected(1 / float64(n))
				if !(math.Abs(got/want-1) <= 0.15) {
					t.Errorf("goodput is %.3g bit/s, the formula has %.3g: %+.1f %%", got, want, 100*(got/want-1))
				}
				t.Logf("goodput %.3g bit/s, formula %.3g, %+.1f %%", got, want, 100*(got/want-1))
			})
		}
	}
}

func TestTheChartHasBothAndTheirUnits(t *testing.T) {
	reno := functions[0]
	reno.losses = []int{500, 2000}
	c, err := chart([]function{reno})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := c.Write(&b, "svg"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Reno, simulated", "Reno, formula", "goodput (Mbit/s)", "share of segments that are lost"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in the drawing", want)
		}
	}
}
