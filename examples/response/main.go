// Command response draws the response functions of Reno and CUBIC: goodput against
// the rate of losses, measured in simulations (reno.toml, cubic.toml) and by the
// formulas of the papers, both axes logarithmic.
//
//	go run ./examples/response
//
// writes response.png, or what is named in its place (response.svg). Each simulation
// takes so long that some twenty losses come at least.
package main

import (
	"embed"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/sim/file"
	"github.com/libos-go/libos/sim/plot"
)

//go:embed *.toml
var files embed.FS

const (
	mss = 1448  // bytes of a segment with timestamps
	rtt = 0.100 // seconds, of an empty path
)

// function is a congestion control with its formula.
type function struct {
	name   string
	file   string
	window func(p float64) float64 // mean, in segments
	losses []int                   // one segment of so many is lost
}

var functions = [...]function{
	{"Reno", "reno.toml", mathis, []int{500, 1000, 2000, 5000, 10_000}},
	{"CUBIC", "cubic.toml", cubic, []int{300, 1000, 3000, 10_000, 30_000, 100_000}},
}

// mathis is the mean window of Mathis et al., CCR 1997, §2.
func mathis(p float64) float64 { return math.Sqrt(1.5) / math.Sqrt(p) }

// cubic is that of RFC 9438 §5.1, with C = 0.4 and β = 0.7, and §4.3 below it.
func cubic(p float64) float64 {
	return max(math.Pow(0.4*3.7/1.2, 0.25)*math.Pow(rtt, 0.75)/math.Pow(p, 0.75), mathis(p))
}

// expected is the goodput of the formula in bit/s.
func (f *function) expected(p float64) float64 { return f.window(p) * mss * 8 / rtt }

// measured is the goodput of a simulation in bit/s.
func (f *function) measured(every int) (float64, error) {
	seconds := 200
	if every < 3000 {
		seconds = 600
	}
	d, err := file.Read(f.file, file.Options{Wiring: libos.Wiring(), ReadFile: files.ReadFile, Set: []string{
		fmt.Sprintf("link.path.a_to_b.loss_model=every %d", every), fmt.Sprintf("app.bulk.for=%ds", seconds)}})
	if err != nil {
		return 0, err
	}
	goodput := math.NaN()
	if err = d.Network.Run(time.Duration(seconds+2) * time.Second); err == nil {
		for _, v := range d.Network.Results().Values {
			if v.Metric == "goodput" {
				goodput = v.Value
			}
		}
	}
	if closed := d.Network.Close(); err == nil {
		err = closed
	}
	return goodput, err
}

// chart runs all simulations and draws what they found beside the formulas.
func chart(functions []function) (*plot.Chart, error) {
	c := &plot.Chart{Title: "Response functions: goodput against losses",
		X: plot.Axis{Label: "share of segments that are lost", Log: true}, Y: plot.Axis{Label: "goodput", Unit: "bit/s", Log: true}}
	var all sync.WaitGroup
	errs := make(chan error, 100)
	for i := range functions {
		f := &functions[i]
		l := plot.Line{Name: f.name + ", simulated", X: make([]float64, len(f.losses)), Y: make([]float64, len(f.losses)), Points: true, Bare: true}
		for k, every := range f.losses {
			l.X[k] = 1 / float64(every)
			all.Add(1)
			go func() {
				defer all.Done()
				var err error
				if l.Y[k], err = f.measured(every); err != nil {
					errs <- fmt.Errorf("%s, one loss in %d: %w", f.name, every, err)
				}
			}()
		}
		c.Lines = append(c.Lines, l)
	}
	all.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return nil, err
	}
	for i := range functions {
		f := &functions[i]
		l := plot.Line{Name: f.name + ", formula", Colour: i + 1}
		for p := 1.0 / 100_000; p < 1.0/200; p *= 1.2 {
			l.X, l.Y = append(l.X, p), append(l.Y, f.expected(p))
		}
		c.Lines = append(c.Lines, l)
	}
	return c, nil
}

func main() {
	name := "response.png"
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	c, err := chart(functions[:])
	if err == nil {
		err = c.WriteFile(name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "response:", err)
		os.Exit(1)
	}
	fmt.Println(name)
}
