package impair

import (
	"fmt"
	"math"
	"time"
)

// Distribution is the shape of a random delay around its mean.
type Distribution uint8

const (
	// Uniform: between Mean-Jitter and Mean+Jitter.
	Uniform Distribution = iota
	// Normal: Jitter is the standard deviation.
	Normal
	// Pareto: minimum 1 and shape 3, shifted to Mean, Jitter being 3/4 of the unit as
	// in netem's table. No delay is more than 4 Jitter above Mean, by which the
	// standard deviation is 0.82 Jitter.
	Pareto
	// ParetoNormal: a quarter Normal and three quarters Pareto.
	ParetoNormal
	// Custom: the table in Delay.Table.
	Custom
)

// String is tc's word for d.
func (d Distribution) String() string {
	switch d {
	case Uniform:
		return "uniform"
	case Normal:
		return "normal"
	case Pareto:
		return "pareto"
	case ParetoNormal:
		return "paretonormal"
	}
	return "custom"
}

// ParseDistribution reads what String writes but for "custom".
func ParseDistribution(s string) (Distribution, bool) {
	for d := Uniform; d < Custom; d++ {
		if s == d.String() {
			return d, true
		}
	}
	return 0, false
}

// Delay is a constant or random delay.
type Delay struct {
	Mean time.Duration
	// Jitter scales Distribution. The sum is never less than 0.
	Jitter time.Duration
	// Correlation mixes each random number with the one before (see Chance).
	Correlation  float64
	Distribution Distribution
	// Table of a Custom distribution: its quantiles in rising order, equally
	// likely, in units of Jitter/TableScale around Mean; 2 to 16384 of them.
	Table []int16
}

// TableScale is a deviation of one Jitter in a table.
const TableScale = 8192

const tableSize = 4096

// Check finds values out of range.
func (d *Delay) Check() error {
	switch {
	case d.Mean < 0 || d.Mean > maxDelay:
		return fmt.Errorf("delay %v is not in 0…%v", d.Mean, maxDelay)
	case d.Jitter < 0 || d.Jitter > maxDelay:
		return fmt.Errorf("jitter %v is not in 0…%v", d.Jitter, maxDelay)
	case d.Distribution > Custom:
		return fmt.Errorf("there is no delay distribution %d", d.Distribution)
	case d.Distribution == Custom && (len(d.Table) < 2 || len(d.Table) > 16384):
		return fmt.Errorf("a delay table has 2 to 16384 values, not %d", len(d.Table))
	}
	return checkProbability("delay correlation", d.Correlation)
}

// maxDelay keeps products of a delay and a table's value within 64 bits.
const maxDelay = 24 * time.Hour

// Start is the state of one direction of one link. A distribution other than
// Uniform takes 8 KB there.
func (d *Delay) Start() Delayer {
	r := Delayer{mean: int64(d.Mean), jitter: int64(d.Jitter), mix: correlated{rho: fraction(d.Correlation)}}
	if d.Jitter != 0 {
		switch d.Distribution {
		case Uniform:
		case Custom:
			r.table = append([]int16(nil), d.Table...)
		default:
			r.table = d.Distribution.table()
		}
	}
	return r
}

// Delayer draws the delays of a Delay.
type Delayer struct {
	mean, jitter int64
	table        []int16
	mix          correlated
}

// Next is the delay of the next frame. It draws nothing where the delay is
// constant.
func (d *Delayer) Next(s Source) time.Duration {
	if d.jitter == 0 {
		return time.Duration(d.mean)
	}
	r := d.mix.next(s)
	var off int64
	if len(d.table) == 0 {
		// In two steps: 2*jitter times a 32-bit number passes 64 bits.
		w := uint64(2 * d.jitter)
		off = int64((w>>32)*r+(w&(scale-1))*r>>32) - d.jitter
	} else {
		t := int64(d.table[r*uint64(len(d.table))>>32])
		// A table's tail times a day of jitter passes 64 bits of nanoseconds by far less.
		off = d.jitter / TableScale * t
		rest := d.jitter % TableScale * t
		if rest >= 0 {
			rest += TableScale / 2
		} else {
			rest -= TableScale / 2
		}
		off += rest / TableScale
	}
	return time.Duration(max(d.mean+off, 0))
}

// table holds the quantiles of d at the middles of tableSize equal parts.
func (d Distribution) table() []int16 {
	t := make([]int16, tableSize)
	for i := range t {
		u := (float64(i) + 0.5) / tableSize
		var x float64
		switch d {
		case Normal:
			x = normalQuantile(u)
		case Pareto:
			x = paretoQuantile(u)
		default:
			x = 0.25*normalQuantile(u) + 0.75*paretoQuantile(u)
		}
		t[i] = int16(math.Round(min(max(x*TableScale, math.MinInt16), math.MaxInt16)))
	}
	return t
}

func normalQuantile(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }

// paretoQuantile is that of a Pareto distribution with minimum 1 and shape 3, in
// units of 3/4 around its mean of 1.5, as netem's table has it.
func paretoQuantile(u float64) float64 { return (1/math.Cbrt(1-u) - 1.5) * 4 / 3 }
