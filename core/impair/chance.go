package impair

import (
	"fmt"
	"math"
)

// Source is a stream of random numbers; core.Source is one.
type Source interface {
	Uint64() uint64
}

// scale is a probability of 1.
const scale = 1 << 32

// fraction is a probability in units of 2⁻³².
func fraction(p float64) uint64 {
	return uint64(math.Round(min(max(p, 0), 1) * scale))
}

// draw is a uniform number below 2³².
func draw(s Source) uint64 { return s.Uint64() >> 32 }

func checkProbability(name string, p float64) error {
	if !(p >= 0 && p <= 1) {
		return fmt.Errorf("%s is a probability between 0 and 1, not %v", name, p)
	}
	return nil
}

// Chance is the probability of something that happens to frames one by one.
type Chance struct {
	P float64
	// Correlation mixes each random number with the one before it, as netem does
	// (sch_netem.c, get_crandom): 0 draws independently, 1 repeats for ever. The
	// mixed numbers lie closer to the middle, so that the share of frames differs
	// from P, the more the larger Correlation is. A Gilbert–Elliott model makes
	// bursts without that error.
	Correlation float64
}

// Check finds values that are no probabilities; name begins the message.
func (c Chance) Check(name string) error {
	if err := checkProbability(name, c.P); err != nil {
		return err
	}
	return checkProbability(name+" correlation", c.Correlation)
}

// Start is the state that c begins with.
func (c Chance) Start() Dice {
	return Dice{threshold: fraction(c.P), mix: correlated{rho: fraction(c.Correlation)}}
}

// Dice answers a Chance frame by frame.
type Dice struct {
	threshold uint64
	mix       correlated
}

// Roll tells whether it happens to the next frame. It draws nothing where it
// never does.
func (d *Dice) Roll(s Source) bool {
	return d.threshold != 0 && d.mix.next(s) < d.threshold
}

// correlated are random numbers below 2³², each mixed with the one before.
type correlated struct {
	rho, last uint64
	begun     bool
}

func (c *correlated) next(s Source) uint64 {
	v := draw(s)
	if c.rho == 0 {
		return v
	}
	if !c.begun {
		c.begun, c.last = true, draw(s)
	}
	c.last = (v*(scale-c.rho) + min(c.last, scale-1)*c.rho) >> 32
	return c.last
}
