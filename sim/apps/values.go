package apps

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim"
)

// Rate is in bits per second.
type Rate int64

// UnmarshalText reads "10M", "1.5G" or "64000".
func (r *Rate) UnmarshalText(b []byte) error {
	n, err := pipe.ParseRate(string(b))
	if err != nil {
		return fmt.Errorf("%q: %w", b, err)
	}
	*r = Rate(n)
	return nil
}

// Distribution is a random length of time: "2s", "exp(500ms)" with the mean,
// "uniform(1s,3s)", "pareto(1.5,1s)" with shape and mean. The zero value is 0.
type Distribution struct {
	kind string
	a, b float64 // seconds, but for the shape
}

// Constant is always d.
func Constant(d time.Duration) Distribution { return Distribution{"", d.Seconds(), 0} }

// Exponential has the mean d.
func Exponential(d time.Duration) Distribution { return Distribution{"exp", d.Seconds(), 0} }

// Uniform lies between a and b.
func Uniform(a, b time.Duration) Distribution {
	return Distribution{"uniform", a.Seconds(), b.Seconds()}
}

// Pareto has a shape above 1 and the mean d.
func Pareto(shape float64, d time.Duration) Distribution {
	return Distribution{"pareto", shape, d.Seconds()}
}

// Mean of the distribution.
func (d Distribution) Mean() time.Duration {
	switch d.kind {
	case "uniform":
		return seconds((d.a + d.b) / 2)
	case "pareto":
		return seconds(d.b)
	}
	return seconds(d.a)
}

// Sample draws one length.
func (d Distribution) Sample(s core.Source) time.Duration {
	switch d.kind {
	case "exp":
		return seconds(-d.a * math.Log(unit(s)))
	case "uniform":
		return seconds(d.a + (d.b-d.a)*unit(s))
	case "pareto":
		return seconds(d.b * (d.a - 1) / d.a * math.Pow(unit(s), -1/d.a))
	}
	return seconds(d.a)
}

// start is when the app of a node begins: drawn before the simulation, from a
// stream of its own.
func (d Distribution) start(x *sim.Node, app string) time.Duration {
	if d.kind == "" {
		return seconds(d.a)
	}
	return d.Sample(x.Random("start/" + app))
}

// unit is in (0, 1].
func unit(s core.Source) float64 { return (float64(s.Uint64()>>11) + 1) / (1 << 53) }

// seconds is at most a century.
func seconds(f float64) time.Duration {
	return time.Duration(min(max(f, 0), 3e9) * float64(time.Second))
}

// UnmarshalText reads a distribution.
func (d *Distribution) UnmarshalText(b []byte) error {
	text := string(b)
	bad := fmt.Errorf("%q is no length of time: write 2s, exp(500ms), uniform(1s,3s) or pareto(1.5,1s)", text)
	name, rest, ok := strings.Cut(text, "(")
	if !ok {
		v, err := time.ParseDuration(text)
		if err != nil || v < 0 {
			return bad
		}
		*d = Constant(v)
		return nil
	}
	args := strings.Split(strings.TrimSuffix(rest, ")"), ",")
	if !strings.HasSuffix(rest, ")") || len(args) != map[string]int{"exp": 1, "uniform": 2, "pareto": 2}[name] {
		return bad
	}
	x := Distribution{kind: name}
	for i, a := range args {
		at := &x.a
		if i == 1 {
			at = &x.b
		}
		if name == "pareto" && i == 0 {
			shape, err := strconv.ParseFloat(strings.TrimSpace(a), 64)
			if err != nil || !(shape > 1 && shape < 1e6) {
				return fmt.Errorf("%q: the shape of a Pareto distribution with a mean is above 1", text)
			}
			*at = shape
			continue
		}
		v, err := time.ParseDuration(strings.TrimSpace(a))
		if err != nil || v < 0 {
			return bad
		}
		*at = v.Seconds()
	}
	if name == "uniform" && x.a > x.b {
		return fmt.Errorf("%q: the first bound is above the second", text)
	}
	*d = x
	return nil
}
