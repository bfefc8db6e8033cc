package plot

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// line adds the i-th line and gives what stands in the legend, nil if it has no
// point.
func (c *Chart) line(p *plot.Plot, i int, x, y scaled) (plot.Thumbnailer, error) {
	l := &c.Lines[i]
	if len(l.X) != len(l.Y) {
		return nil, fmt.Errorf("plot: line %s has %d places and %d values", l.Name, len(l.X), len(l.Y))
	}
	colour := palette(i)
	if l.Colour > 0 {
		colour = palette(l.Colour - 1)
	}
	style := draw.LineStyle{Color: colour, Width: vg.Points(1.4), Dashes: dashes(i)}
	var thumb plot.Thumbnailer
	named := len(c.X.Names) > 0
	if named {
		l = c.beside(i)
	}
	for _, piece := range pieces(thin(l), x.factor, y.factor) {
		if named || l.Bare {
			s, err := plotter.NewScatter(piece)
			if err != nil {
				return nil, err
			}
			s.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(3.5), Shape: shape(i)}
			p.Add(s)
			thumb = s
			continue
		}
		if len(piece) == 1 && !l.Points {
			piece = append(piece, piece[0])
		}
		g, err := plotter.NewLine(piece)
		if err != nil {
			return nil, err
		}
		g.LineStyle = style
		if l.Steps {
			g.StepStyle = plotter.PostStep
		}
		p.Add(g)
		thumb = g
		if l.Points {
			s, err := plotter.NewScatter(piece)
			if err != nil {
				return nil, err
			}
			s.GlyphStyle = draw.GlyphStyle{Color: colour, Radius: vg.Points(2.5), Shape: shape(i)}
			p.Add(s)
			thumb = marked{g, s}
		}
	}
	if len(l.Low) == len(l.X) && len(l.High) == len(l.X) && len(l.X) > 0 {
		var e struct {
			plotter.XYs
			plotter.YErrors
		}
		for k := range l.X {
			if !math.IsNaN(l.Y[k]) && !math.IsNaN(l.Low[k]) && !math.IsNaN(l.High[k]) {
				e.XYs = append(e.XYs, plotter.XY{X: l.X[k] * x.factor, Y: l.Y[k] * y.factor})
				e.YErrors = append(e.YErrors, struct{ Low, High float64 }{(l.Y[k] - l.Low[k]) * y.factor, (l.High[k] - l.Y[k]) * y.factor})
			}
		}
		if err := whiskers(p, e, colour); err != nil {
			return nil, err
		}
	}
	return thumb, nil
}

// marked is a line with marks in the legend.
type marked struct{ line, mark plot.Thumbnailer }

// Thumbnail implements plot.Thumbnailer.
func (m marked) Thumbnail(c *draw.Canvas) {
	m.line.Thumbnail(c)
	m.mark.Thumbnail(c)
}

// beside is the i-th line, moved so that the points of lines at one name stand beside
// each other.
func (c *Chart) beside(i int) *Line {
	l := c.Lines[i]
	step := min(0.12, 0.7/float64(len(c.Lines)))
	l.X = slices.Clone(l.X)
	for k := range l.X {
		l.X[k] += (float64(i) - float64(len(c.Lines)-1)/2) * step
	}
	return &l
}

func whiskers(p *plot.Plot, e struct {
	plotter.XYs
	plotter.YErrors
}, c color.Color) error {
	if len(e.XYs) == 0 {
		return nil
	}
	bars, err := plotter.NewYErrorBars(e)
	if err != nil {
		return err
	}
	bars.LineStyle = draw.LineStyle{Color: c, Width: vg.Points(1)}
	bars.CapWidth = vg.Points(6)
	p.Add(bars)
	return nil
}

func shape(i int) draw.GlyphDrawer {
	return [...]draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.BoxGlyph{}, draw.CrossGlyph{}}[i%colours]
}

// pieces are the parts of a line between its gaps.
func pieces(l *Line, fx, fy float64) (all []plotter.XYs) {
	var piece plotter.XYs
	for i := range l.X {
		if math.IsNaN(l.Y[i]) || math.IsInf(l.Y[i], 0) {
			if len(piece) > 0 {
				all = append(all, piece)
			}
			piece = nil
			continue
		}
		piece = append(piece, plotter.XY{X: l.X[i] * fx, Y: l.Y[i] * fy})
	}
	if len(piece) > 0 {
		all = append(all, piece)
	}
	return all
}

// linePoints is how many points of a line are drawn; more could not be seen.
const linePoints = 2000

// thin keeps the least and the largest value of each stretch of a long line.
func thin(l *Line) *Line {
	if len(l.X) <= linePoints {
		return l
	}
	t := *l
	t.X, t.Y = nil, nil
	const stretches = linePoints / 2
	for s := range stretches {
		from, to := s*len(l.X)/stretches, (s+1)*len(l.X)/stretches
		low, high := from, from
		for i := from; i < to; i++ {
			if l.Y[i] < l.Y[low] || math.IsNaN(l.Y[low]) {
				low = i
			}
			if l.Y[i] > l.Y[high] || math.IsNaN(l.Y[high]) {
				high = i
			}
		}
		for _, i := range []int{min(low, high), max(low, high)} {
			t.X, t.Y = append(t.X, l.X[i]), append(t.Y, l.Y[i])
		}
	}
	return &t
}

// bars draws the bars of c.
func (c *Chart) bars(p *plot.Plot, y scaled) error {
	var values plotter.Values
	var names []string
	var e struct {
		plotter.XYs
		plotter.YErrors
	}
	for i, b := range c.Bars {
		v := b.Value
		if math.IsNaN(v) {
			v = 0
		}
		values = append(values, v*y.factor)
		names = append(names, b.Name)
		if b.Low < b.High {
			e.XYs = append(e.XYs, plotter.XY{X: float64(i), Y: v * y.factor})
			e.YErrors = append(e.YErrors, struct{ Low, High float64 }{(v - b.Low) * y.factor, (b.High - v) * y.factor})
		}
	}
	width := vg.Length(c.Width)
	if width <= 0 {
		width = 200
	}
	bars, err := plotter.NewBarChart(values, min(14*vg.Millimeter, width*vg.Millimeter*6/10/vg.Length(len(values))))
	if err != nil {
		return err
	}
	bars.Color, bars.LineStyle.Width = palette(0), 0
	p.Add(bars)
	if err := whiskers(p, e, color.RGBA{0x22, 0x22, 0x22, 255}); err != nil {
		return err
	}
	p.NominalX(names...)
	c.limits(p, y)
	p.X.Min, p.X.Max = -0.6, float64(len(values))-0.4
	return nil
}
