package plot

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// palette is told apart by all (Okabe and Ito, "Color Universal Design", 2008),
// without its yellow, which is too light for lines on white.
func palette(i int) color.RGBA {
	return [...]color.RGBA{
		{0x00, 0x72, 0xb2, 255}, {0xd5, 0x5e, 0x00, 255}, {0x00, 0x9e, 0x73, 255}, {0xcc, 0x79, 0xa7, 255},
		{0xe6, 0x9f, 0x00, 255}, {0x56, 0xb4, 0xe9, 255}, {0x3b, 0x3b, 0x3b, 255},
	}[i%colours]
}

const colours = 7

// dashes tell lines of one colour apart.
func dashes(i int) []vg.Length {
	return [][]vg.Length{nil, {vg.Points(5), vg.Points(2.5)}, {vg.Points(1.5), vg.Points(2)}, {vg.Points(7), vg.Points(2), vg.Points(1.5), vg.Points(2)}}[i/colours%4]
}

func sans(s *draw.TextStyle) {
	s.Font.Typeface, s.Font.Variant = "Liberation", "Sans"
	s.Font.Size = font.Length(10)
	s.Color = color.RGBA{0x22, 0x22, 0x22, 255}
}

func grid(p *plot.Plot) {
	g := plotter.NewGrid()
	light := draw.LineStyle{Color: color.RGBA{0xdd, 0xdd, 0xdd, 255}, Width: vg.Points(0.5)}
	g.Horizontal, g.Vertical = light, light
	p.Add(g)
	grey := color.RGBA{0x66, 0x66, 0x66, 255}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle.Color, a.Tick.LineStyle.Color = grey, grey
		a.Padding = 0
	}
}

// scaled is an axis with its prefix.
type scaled struct {
	label  string
	factor float64 // of values
}

// scale chooses the prefix by the largest value.
func (a *Axis) scale(values []float64) scaled {
	most := 0.0
	for _, v := range values {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			most = max(most, math.Abs(v))
		}
	}
	factor, unit := Prefix(a.Unit, most)
	s := scaled{a.Label, factor}
	if unit != "" {
		s.label = fmt.Sprintf("%s (%s)", a.Label, unit)
	}
	return s
}

// Prefix is the unit with a prefix that suits a value, and the factor by which
// values of the unit are multiplied then.
func Prefix(unit string, value float64) (factor float64, prefixed string) {
	switch unit {
	case "bit/s", "B", "B/s", "Hz", "W", "J":
		for _, p := range []struct {
			of   float64
			name string
		}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
			if value >= p.of {
				return 1 / p.of, p.name + unit
			}
		}
	case "s":
		for _, p := range []struct {
			of   float64
			name string
		}{{1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}} {
			if value >= p.of {
				return 1 / p.of, p.name + unit
			}
		}
	}
	return 1, unit
}

// logarithmic makes an axis logarithmic.
func (a *Axis) logarithmic(x *plot.Axis, values []float64, factor float64) error {
	if !a.Log {
		return nil
	}
	least, most := math.Inf(1), 0.0
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		if v <= 0 {
			return fmt.Errorf("plot: the axis %q is logarithmic and %g is not positive: leave it out, or make the axis linear", a.Label, v)
		}
		least, most = min(least, v*factor), max(most, v*factor)
	}
	if most == 0 {
		return nil
	}
	x.Scale = plot.LogScale{}
	x.Tick.Marker = powers{}
	if most < 10*least { // at least one power of ten is labelled
		least, most = math.Pow(10, math.Floor(math.Log10(least))), math.Pow(10, math.Ceil(math.Log10(most)))
	}
	x.Min, x.Max = least, most
	return nil
}

// nominal has names at the numbers from 1 on, in several lines if they are long.
func (a *Axis) nominal(p *plot.Plot) {
	var ticks plot.ConstantTicks
	for i, name := range a.Names {
		ticks = append(ticks, plot.Tick{Value: float64(i + 1), Label: wrapped(name, 70/len(a.Names))})
	}
	p.X.Tick.Marker = ticks
	p.X.Min, p.X.Max = 0.5, float64(len(a.Names))+0.5
}

// wrapped breaks a text between words into lines of at most so many letters.
func wrapped(text string, letters int) string {
	out, line := "", 0
	for i, w := range strings.Fields(text) {
		n := len([]rune(w))
		switch {
		case i == 0:
		case line+1+n > letters:
			out, line = out+"\n", 0
		default:
			out, line = out+" ", line+1
		}
		out, line = out+w, line+n
	}
	return out
}

// limits begin linear axes at 0, X where that is near, and leave some air above.
func (c *Chart) limits(p *plot.Plot, y scaled) {
	if p.X.Min > 0 && p.X.Min < p.X.Max/4 && !c.X.Log {
		p.X.Min = 0
	}
	if c.Y.Log {
		return
	}
	values := slices.DeleteFunc(c.ys(), func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) })
	if len(values) == 0 {
		p.Y.Min, p.Y.Max = 0, 1
		return
	}
	least, most := slices.Min(values)*y.factor, slices.Max(values)*y.factor
	if least >= 0 {
		p.Y.Min = 0
	}
	if p.Y.Max = most + 0.05*(most-p.Y.Min); p.Y.Max <= p.Y.Min {
		p.Y.Max = p.Y.Min + 1
	}
}
