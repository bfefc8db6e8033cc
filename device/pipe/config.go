package pipe

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/impair"
	"github.com/libos-go/libos/core/wire"
)

// Config describes a pipe. The zero value is an ideal Ethernet cable with an
// MTU of 1500.
type Config struct {
	// Name tells pipes apart: hardware addresses and random streams are derived
	// from it. Two pipes with hardware addresses of one name must not meet on one
	// link.
	Name string
	// Link is core.LinkEthernet, or core.LinkRaw for IP packets without a link
	// header; see Raw.
	Raw bool
	// MTU in bytes of network packet; 0 is 1500.
	MTU int
	// HWAddr of the ends; zero derives one from Name and the end.
	HWAddr [2]wire.HWAddr
	// Both holds for the two directions, AToB and BToA replace it for one where
	// they are set.
	Wire
	AToB, BToA *Wire
	// Offload passes super-segments whole and leaves checksums out: both ends are
	// the same memory. It holds on an ideal pipe only; a wire has real segments
	// with complete checksums.
	Offload bool
	// Source of the dice, one for both directions, used under the senders' locks:
	// set it only where both ends are in one Domain. Nil derives a stream for
	// each direction from the sending end's host.
	Source core.Source
	// Ferry brings frames to an end in another Domain; nil has the Domains do so
	// by themselves.
	Ferry Ferry
}

// Wire is what one direction does to frames. The zero value is ideal. Every
// probability is between 0 and 1, of one frame, independent of the others.
type Wire struct {
	// Rate in bits per second of frame bytes, 0 for no limit.
	Rate int64
	// Delay from the departure of a frame's last bit to its arrival.
	Delay time.Duration
	// Trace has frames leave at its opportunities, in the place of Rate.
	Trace *Trace
	// Jitter adds a uniformly random delay of 0…Jitter to each frame; with a Shape
	// or a JitterCorrelation it scales a deviation from Delay to both sides.
	Jitter time.Duration
	// Shape is the distribution of the deviation, JitterCorrelation how far each
	// draw follows the one before, from 0 to 1 (see impair.Delay).
	Shape             impair.Distribution
	JitterCorrelation float64
	// Loss is the probability that a frame does not arrive.
	Loss float64
	// LossModel loses frames beside Loss: impair.GilbertElliott or impair.FourState
	// in bursts, impair.Random with a correlation. Nil loses none.
	LossModel impair.Loss
	// Duplicate is the probability that a frame arrives twice.
	Duplicate float64
	// Corrupt is the probability that one random bit of a frame is flipped.
	Corrupt float64
	// Reorder is the probability that a frame is held back by ReorderDelay (0 is
	// 1 ms), so that later ones overtake it.
	Reorder      float64
	ReorderDelay time.Duration
	// QueueLen is how many frames wait for their departure where Rate is set;
	// more are dropped. 0 is 1000.
	QueueLen int
	// Pace is how many frames the device takes whenever its transmitter is idle,
	// where Rate is set: what waits does so in the queue of the interface, as in
	// front of a network card, and QueueLen is that queue's length. 1 leaves every
	// choice to the interface's queue until the last instant; more costs less. 0
	// has the wire take every frame and keep a queue of its own.
	Pace int
}

// ideal tells whether frames simply cross.
func (w *Wire) ideal() bool {
	return w.Rate == 0 && w.Trace == nil && w.Delay == 0 && w.Jitter == 0 && w.Loss == 0 && w.LossModel == nil &&
		w.Duplicate == 0 && w.Corrupt == 0 && w.Reorder == 0
}

// paced tells whether frames wait in front of the device.
func (w *Wire) paced() bool { return w.Pace > 0 && (w.Rate > 0 || w.Trace != nil) }

// shaped tells whether delays deviate to both sides.
func (w *Wire) shaped() bool {
	return w.Jitter > 0 && (w.Shape != impair.Uniform || w.JitterCorrelation > 0)
}

func (w *Wire) deviation() *impair.Delay {
	return &impair.Delay{Mean: w.Delay, Jitter: w.Jitter, Distribution: w.Shape, Correlation: w.JitterCorrelation}
}

// who begins a message: whoever checks a pipe without a name says what it is for.
func (c *Config) who() string {
	if c.Name == "" {
		return ""
	}
	return fmt.Sprintf("pipe %q: ", c.Name)
}

// Check finds values out of range and contradictions.
func (c *Config) Check() error {
	if c.MTU != 0 && (c.MTU < 68 || c.MTU > 65535) {
		return fmt.Errorf("%sMTU %d is not in 68..65535", c.who(), c.MTU)
	}
	for _, d := range []struct {
		name string
		w    *Wire
	}{{"", &c.Wire}, {"a to b: ", c.AToB}, {"b to a: ", c.BToA}} {
		if d.w == nil {
			continue
		}
		if err := d.w.check(); err != nil {
			return fmt.Errorf("%s%s%w", c.who(), d.name, err)
		}
	}
	if c.Offload && !(c.direction(0).ideal() && c.direction(1).ideal()) {
		return fmt.Errorf("%soffload needs an ideal pipe: remove it, or rate, delay, jitter, loss, duplicate, corrupt and reorder", c.who())
	}
	return nil
}

func (w *Wire) check() error {
	for _, p := range []struct {
		name string
		v    float64
	}{{"loss", w.Loss}, {"duplicate", w.Duplicate}, {"corrupt", w.Corrupt}, {"reorder", w.Reorder}} {
		if !(p.v >= 0 && p.v <= 1) {
			return fmt.Errorf("%s is a probability between 0 and 1, not %v", p.name, p.v)
		}
	}
	if w.LossModel != nil {
		if err := w.LossModel.Check(); err != nil {
			return err
		}
	}
	if err := w.deviation().Check(); err != nil && w.shaped() {
		return err
	}
	if w.Rate > 0 && w.Trace != nil {
		return fmt.Errorf("rate %d and a trace of rates: remove one", w.Rate)
	}
	if w.Rate < 0 {
		return fmt.Errorf("rate %d is negative; 0 is no limit", w.Rate)
	}
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"delay", w.Delay}, {"jitter", w.Jitter}, {"reorder delay", w.ReorderDelay}} {
		if d.v < 0 {
			return fmt.Errorf("%s %v is negative", d.name, d.v)
		}
	}
	if w.QueueLen < 0 {
		return fmt.Errorf("queue length %d is negative; 0 is 1000", w.QueueLen)
	}
	if w.Pace < 0 {
		return fmt.Errorf("pace %d is negative; 0 is a queue of the wire's own", w.Pace)
	}
	return nil
}

// direction is what the wire does to frames sent by end i.
func (c *Config) direction(i int) *Wire {
	switch {
	case i == 0 && c.AToB != nil:
		return c.AToB
	case i == 1 && c.BToA != nil:
		return c.BToA
	}
	return &c.Wire
}

// hwaddr is the address of end i: a locally administered unicast address made of
// a hash of the pipe's name.
func (c *Config) hwaddr(i int) wire.HWAddr {
	if !c.HWAddr[i].IsZero() {
		return c.HWAddr[i]
	}
	f := fnv.New64a()
	_, _ = f.Write([]byte(c.Name))
	h := f.Sum64()
	return wire.HWAddr{0x02, byte(h >> 32), byte(h >> 24), byte(h >> 16), byte(h >> 8), byte(h)&^1 | byte(i)}
}
