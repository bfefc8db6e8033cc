package pipe

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/impair"
)

// Kind makes pipes for host files, where they are links between two instances.
func Kind() core.DeviceKind {
	return core.DeviceKind{Kind: "pipe", Parameters: parameters(), OpenPair: func(given map[string]string) (a, b core.Device, err error) {
		c, err := Parse(given)
		if err != nil {
			return nil, nil, err
		}
		a, b = New(c)
		return a, b, nil
	}, Link: core.LinkKind{Name: "veth", Make: NewVeth}}
}

func parameters() map[string]string {
	return map[string]string{
		"name":               "tells pipes apart: hardware addresses and random streams come from it",
		"mode":               "ethernet (the default) or raw (IP packets without a link header)",
		"mtu":                "largest network packet in bytes, 68 to 65535; 1500 if it is missing",
		"rate":               "bits per second, with K, M or G for thousands: 100M; no limit if it is missing",
		"delay":              "from the last bit sent to its arrival: 5ms",
		"jitter":             "random delay of up to this much more: 1ms",
		"loss":               "probability that a frame is lost: 0.01 or 1%",
		"loss_model":         "gemodel and four probabilities: good to bad, bad to good, loss in bad, loss in good; or every N: each N-th frame",
		"jitter_shape":       "uniform (the default), normal, pareto or paretonormal: the jitter's distribution around the delay",
		"jitter_correlation": "how far each delay follows the one before, from 0 to 1",
		"duplicate":          "probability that a frame arrives twice",
		"corrupt":            "probability that one bit of a frame flips",
		"reorder":            "probability that later frames overtake a frame",
		"reorder_delay":      "how long an overtaken frame is held back; 1ms if it is missing",
		"queue":              "frames that wait where there is a rate; 1000 if it is missing",
		"pace":               "frames that are taken at a time where there is a rate: 1 has the others wait in the interface's queue; 0 is the default",
		"offload":            "yes passes super-segments whole and leaves checksums out; no is the default",
	}
}

// Parse reads parameters of a host file.
func Parse(given map[string]string) (Config, error) {
	var c Config
	for _, k := range slices.Sorted(maps.Keys(given)) {
		var err error
		switch v := given[k]; k {
		case "name":
			c.Name = v
		case "mode":
			if c.Raw = v == "raw"; !c.Raw && v != "ethernet" {
				return c, fmt.Errorf("mode = %q: it is ethernet or raw", v)
			}
		case "mtu":
			c.MTU, err = whole(v)
			if err == nil && c.MTU == 0 {
				err = fmt.Errorf("0 is not in 68..65535")
			}
		case "rate":
			c.Rate, err = ParseRate(v)
		case "delay":
			c.Delay, err = time.ParseDuration(v)
		case "jitter":
			c.Jitter, err = time.ParseDuration(v)
		case "reorder_delay":
			c.ReorderDelay, err = time.ParseDuration(v)
		case "loss":
			c.Loss, err = ParseProbability(v)
		case "loss_model":
			c.LossModel, err = lossModel(v)
		case "jitter_shape":
			var ok bool
			if c.Shape, ok = impair.ParseDistribution(v); !ok {
				err = fmt.Errorf("it is none of uniform, normal, pareto and paretonormal")
			}
		case "jitter_correlation":
			c.JitterCorrelation, err = ParseProbability(v)
		case "duplicate":
			c.Duplicate, err = ParseProbability(v)
		case "corrupt":
			c.Corrupt, err = ParseProbability(v)
		case "reorder":
			c.Reorder, err = ParseProbability(v)
		case "queue":
			c.QueueLen, err = whole(v)
		case "pace":
			c.Pace, err = whole(v)
		case "offload":
			if c.Offload = v == "yes" || v == "true"; !c.Offload && v != "no" && v != "false" {
				return c, fmt.Errorf("offload = %q: it is yes or no", v)
			}
		default:
			return c, fmt.Errorf("a pipe has no parameter %q (parameters: %s)", k, strings.Join(slices.Sorted(maps.Keys(parameters())), " "))
		}
		if err != nil {
			return c, fmt.Errorf("%s = %q: %w", k, given[k], err)
		}
	}
	return c, c.Check()
}

func whole(v string) (int, error) {
	n, err := strconv.Atoi(v)
	if err != nil {
		return 0, fmt.Errorf("it is not a whole number")
	}
	return n, nil
}

// ParseRate reads bits per second, below 10^15, with a decimal unit (10M, 1.5G) or
// none.
func ParseRate(v string) (int64, error) {
	digits, unit := strings.TrimSuffix(v, "bit"), 1.0
	if digits != "" {
		switch digits[len(digits)-1] {
		case 'k', 'K':
			unit = 1e3
		case 'm', 'M':
			unit = 1e6
		case 'g', 'G':
			unit = 1e9
		}
	}
	if unit > 1 {
		digits = digits[:len(digits)-1]
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || !(n >= 0 && n*unit < 1e15) {
		return 0, fmt.Errorf("it is not a rate: write bits per second, or a number with K, M or G")
	}
	return int64(n * unit), nil
}

// ParseProbability reads a number from 0 to 1, or a percentage (1%).
func ParseProbability(v string) (float64, error) {
	digits, percent := strings.CutSuffix(v, "%")
	p, err := strconv.ParseFloat(digits, 64)
	if percent {
		p /= 100
	}
	if err != nil || !(p >= 0 && p <= 1) {
		return 0, fmt.Errorf("it is not a probability: write a number from 0 to 1, or a percentage")
	}
	return p, nil
}

// lossModel reads gemodel P R BAD GOOD.
func lossModel(v string) (impair.Loss, error) {
	f := strings.Fields(v)
	if len(f) == 2 && f[0] == "every" {
		n, err := whole(f[1])
		if err == nil {
			err = impair.Every{N: n}.Check()
		}
		return impair.Every{N: n}, err
	}
	if len(f) != 5 || f[0] != "gemodel" {
		return nil, fmt.Errorf("it is gemodel and four probabilities: good to bad, bad to good, loss in bad, loss in good; or every N")
	}
	var p [4]float64
	for i := range p {
		var err error
		if p[i], err = ParseProbability(f[i+1]); err != nil {
			return nil, fmt.Errorf("%s: %w", f[i+1], err)
		}
	}
	return impair.GilbertElliott{P: p[0], R: p[1], BadLoss: p[2], GoodLoss: p[3]}, nil
}
