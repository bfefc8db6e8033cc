package netem

import (
	"errors"
	"fmt"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/impair"
)

// Config is what happens to the packets of an interface. The zero value passes
// them on.
type Config struct {
	// Limit in packets that are held; 0 is 1000.
	Limit int
	// Delay of each packet, with a random part of the size of Jitter.
	Delay, Jitter time.Duration
	// Correlation of a random delay with the one before.
	Correlation  float64
	Distribution impair.Distribution
	Table        []int16 // of impair.Custom
	// Loss is impair.Random, impair.FourState or impair.GilbertElliott, nil for none.
	Loss impair.Loss
	// ECN marks the packets that are ECN-capable in place of losing them.
	ECN       bool
	Duplicate impair.Chance
	Corrupt   impair.Chance
	// Reorder sends packets at once while others are being delayed.
	Reorder impair.Reorder
	// Rate of the line that the packets seem to pass, with what it adds to them.
	Rate impair.Rate
	Slot Slot
	// Seed of the random numbers, 0 for those of the interface.
	Seed uint64
}

// Slot lets packets go in groups, as a medium with slots does: whoever comes
// between two slots waits for the next.
type Slot struct {
	// Min and Max bound the time between slots, evenly distributed; Spacing is it
	// where its Mean or Jitter is set.
	Min, Max time.Duration
	Spacing  impair.Delay
	// Packets and Bytes bound what leaves in one slot, 0 for no bound.
	Packets, Bytes int
}

func (s *Slot) on() bool { return s.Min != 0 || s.Max != 0 || s.spaced() }

func (s *Slot) spaced() bool { return s.Spacing.Mean != 0 || s.Spacing.Jitter != 0 }

func (s *Slot) check() error {
	switch {
	case s.Min < 0 || s.Max < s.Min || s.Max > 24*time.Hour:
		return fmt.Errorf("slot: times between slots from %v to %v: they are in 0…24h, the smaller first", s.Min, s.Max)
	case s.Packets < 0 || s.Bytes < 0:
		return errors.New("slot: packets and bytes are not negative; 0 is no bound")
	case !s.on() && s.Packets+s.Bytes != 0:
		return errors.New("slot: packets and bytes need the time between slots")
	case s.spaced() && s.Max != 0:
		return errors.New("slot: the time between slots is a range or a distribution, not both")
	}
	if err := s.Spacing.Check(); err != nil {
		return fmt.Errorf("slot: %w", err)
	}
	return nil
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string { return "netem" }

// impairments are what core/impair decides.
func (c *Config) impairments() impair.Config {
	return impair.Config{
		Delay:   impair.Delay{Mean: c.Delay, Jitter: c.Jitter, Correlation: c.Correlation, Distribution: c.Distribution, Table: c.Table},
		Loss:    c.Loss,
		Corrupt: c.Corrupt, Duplicate: c.Duplicate, Reorder: c.Reorder,
	}
}

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	i := c.impairments()
	if err := i.Check(); err != nil {
		return err
	}
	if err := c.Rate.Check(); err != nil {
		return err
	}
	switch {
	case c.Limit < 0 || c.Limit > maxLimit:
		return fmt.Errorf("limit %d is not in 0..%d; 0 is %d", c.Limit, maxLimit, defaultLimit)
	case c.Reorder.P > 0 && c.Delay == 0 && c.Jitter == 0:
		return errors.New("reorder needs a delay, which some packets skip")
	case c.ECN && c.Loss == nil:
		return errors.New("ecn needs a loss, which it replaces by marks")
	case c.Distribution != impair.Uniform && c.Jitter == 0:
		return errors.New("distribution needs a delay and a jitter")
	}
	return c.Slot.check()
}

const (
	defaultLimit = 1000
	maxLimit     = 1 << 24
)

// Kind describes the discipline.
func Kind() core.QdiscKind {
	return core.QdiscKind{
		Name:  "netem",
		Parse: parse,
		New: func(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
			x, ok := c.(Config)
			if !ok {
				return nil, errors.New("needs a netem.Config")
			}
			return newNetem(x, o), nil
		},
	}
}
