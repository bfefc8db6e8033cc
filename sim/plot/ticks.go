package plot

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// even are ticks at multiples of 1, 2 or 5 times a power of ten.
type even struct{ about int }

// Ticks implements plot.Ticker.
func (e even) Ticks(low, high float64) (ticks []plot.Tick) {
	if !(high > low) {
		return []plot.Tick{{Value: low, Label: number(low)}}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(e.about))))
	for _, f := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*f) <= float64(e.about) {
			step *= f
			break
		}
	}
	for k := math.Ceil(low/step - 1e-9); k*step <= high+step*1e-9; k++ {
		v := k * step
		if v == 0 {
			v = 0 // not -0
		}
		ticks = append(ticks, plot.Tick{Value: min(max(v, low), high), Label: number(v)})
	}
	return ticks
}

// powers are ticks of a logarithmic axis: powers of ten with, where these are
// few, their doubles and fivefolds, and lines for the others.
type powers struct{}

// Ticks implements plot.Ticker.
func (powers) Ticks(low, high float64) (ticks []plot.Tick) {
	few := high < 300*low
	for e := math.Floor(math.Log10(low) - 1e-9); ; e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			if v > high*(1+1e-9) {
				return ticks
			}
			if v < low*(1-1e-9) {
				continue
			}
			t := plot.Tick{Value: min(max(v, low), high)}
			if m == 1 || few && (m == 2 || m == 5) {
				t.Label = number(v)
			}
			ticks = append(ticks, t)
		}
	}
}

// number is v without the noise of its last bits.
func number(v float64) string {
	s := strconv.FormatFloat(v, 'g', 6, 64)
	if math.Abs(v) >= 1e-6 && math.Abs(v) < 1e-4 { // beside 0.0001
		if f := strconv.FormatFloat(v, 'f', -1, 64); len(f) <= 8 {
			return f
		}
	}
	return s
}
