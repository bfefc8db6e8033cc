package plot

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Chart is one drawing.
type Chart struct {
	Title string
	// X and Y are the axes.
	X, Y Axis
	// Lines are drawn in this order, Bars instead of them if there are any.
	Lines []Line
	Bars  []Bar
	// Width and Height in millimetres; 0 is 200 by 110.
	Width, Height float64
}

// Axis of a chart. Values are scaled to a prefix that suits them ("Mbit/s") if the
// unit has prefixes: bit/s, B, s, Hz, W.
type Axis struct {
	Label string
	Unit  string // "" for numbers
	Log   bool   // only for positive values
	// Names are words in place of the numbers 1, 2, 3 … of an X axis. Lines are only
	// points then, beside each other where they would cover each other.
	Names []string
}

// Line is one curve. NaN in Y is a gap.
type Line struct {
	Name string // in the legend; "" has no place there
	X, Y []float64
	// Low and High are confidence intervals, drawn as whiskers; nil has none.
	Low, High []float64
	// Points marks the values, and Bare has nothing but these marks.
	Points, Bare bool
	// Colour is that of the line of this number, counted from 1; 0 is one of its own.
	Colour int
	// Steps draws Y as constant up to the next X.
	Steps bool
}

// Bar is one bar with its confidence interval; Low and High are Value where there
// is none.
type Bar struct {
	Name             string
	Value, Low, High float64
}

// WriteFile draws c into a file in the format of its ending: .png or .svg.
func (c *Chart) WriteFile(path string) error {
	format, err := formatOf(path)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(c.Write(f, format), f.Close())
}

func formatOf(path string) (string, error) {
	switch e := strings.ToLower(filepath.Ext(path)); e {
	case ".png", ".svg":
		return e[1:], nil
	}
	return "", fmt.Errorf("plot %s: the ending says the format: .png or .svg", path)
}

// Write draws c as "png" or "svg".
func (c *Chart) Write(w io.Writer, format string) error {
	width, height := vg.Length(c.Width)*vg.Millimeter, vg.Length(c.Height)*vg.Millimeter
	if width <= 0 {
		width = 200 * vg.Millimeter
	}
	if height <= 0 {
		height = 110 * vg.Millimeter
	}
	p, legend, err := c.build()
	if err != nil {
		return err
	}
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(150))}
	case "svg":
		canvas = vgsvg.New(width, height)
	default:
		return fmt.Errorf("plot: there is no format %q: use png or svg", format)
	}
	all := draw.New(canvas)
	if format == "svg" { // a PNG begins white
		all.SetColor(p.BackgroundColor)
		all.Fill(all.Rectangle.Path())
	}
	all = draw.Crop(all, 3*vg.Millimeter, -3*vg.Millimeter, 2*vg.Millimeter, -3*vg.Millimeter)
	if legend == nil {
		p.Draw(all)
	} else {
		wide := min(legend.Rectangle(all).Size().X+2*vg.Millimeter, all.Size().X*2/5)
		p.Draw(draw.Crop(all, 0, -wide-2*vg.Millimeter, 0, 0))
		legend.Draw(draw.Crop(all, all.Size().X-wide, 0, 0, -p.Title.TextStyle.Height(p.Title.Text)-p.Title.Padding))
	}
	_, err = canvas.WriteTo(w)
	return err
}

// build makes gonum's plot and the legend beside it, nil if nothing is named.
func (c *Chart) build() (*plot.Plot, *plot.Legend, error) {
	p := plot.New()
	p.Title.Text = c.Title
	p.Title.Padding = 3 * vg.Millimeter
	for _, f := range []*draw.TextStyle{&p.Title.TextStyle, &p.X.Label.TextStyle, &p.Y.Label.TextStyle, &p.X.Tick.Label, &p.Y.Tick.Label} {
		sans(f)
	}
	p.Title.TextStyle.Font.Size = 13
	x, y := c.X.scale(c.xs()), c.Y.scale(c.ys())
	p.X.Label.Text, p.Y.Label.Text = x.label, y.label
	p.X.Label.Padding, p.Y.Label.Padding = 1.5*vg.Millimeter, 1.5*vg.Millimeter
	p.X.Tick.Marker, p.Y.Tick.Marker = even{8}, even{6}
	grid(p)
	if len(c.Bars) > 0 {
		return p, nil, c.bars(p, y)
	}
	legend := plot.NewLegend()
	legend.Top, legend.Left = true, true
	legend.Padding = 1 * vg.Millimeter
	legend.ThumbnailWidth = 7 * vg.Millimeter
	sans(&legend.TextStyle)
	legend.TextStyle.Font.Size = 9
	named := false
	for i := range c.Lines {
		thumb, err := c.line(p, i, x, y)
		if err != nil {
			return nil, nil, err
		}
		if name := c.Lines[i].Name; name != "" && thumb != nil && i < legendMost {
			legend.Add(name, thumb)
			named = true
		}
	}
	if more := len(c.Lines) - legendMost; more > 0 {
		legend.Add(fmt.Sprintf("… and %d more", more))
	}
	c.limits(p, y)
	if len(c.X.Names) > 0 {
		c.X.nominal(p)
	}
	if err := c.X.logarithmic(&p.X, c.xs(), x.factor); err != nil {
		return nil, nil, err
	}
	if err := c.Y.logarithmic(&p.Y, c.ys(), y.factor); err != nil {
		return nil, nil, err
	}
	if !named {
		return p, nil, nil
	}
	return p, &legend, nil
}

// legendMost is how many lines a legend names.
const legendMost = 24

func (c *Chart) xs() (all []float64) {
	for i := range c.Lines {
		all = append(all, c.Lines[i].X...)
	}
	return all
}

func (c *Chart) ys() (all []float64) {
	for i := range c.Lines {
		all = append(all, c.Lines[i].Y...)
		all = append(all, c.Lines[i].Low...)
		all = append(all, c.Lines[i].High...)
	}
	for _, b := range c.Bars {
		all = append(all, b.Value, b.Low, b.High)
	}
	return all
}
