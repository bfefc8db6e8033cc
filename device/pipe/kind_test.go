package pipe

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core/impair"
)

func TestHostFileParameters(t *testing.T) {
	c, err := Parse(map[string]string{"name": "lan", "mode": "raw", "mtu": "9000", "rate": "2.5Gbit", "delay": "3ms", "jitter": "1us",
		"loss": "1%", "duplicate": "0.25", "corrupt": "0", "reorder": "0.5", "reorder_delay": "2ms", "queue": "7", "pace": "2",
		"loss_model": "gemodel 1% 0.1 0.5 0", "jitter_shape": "normal", "jitter_correlation": "25%"})
	want := Config{Name: "lan", Raw: true, MTU: 9000, Wire: Wire{Rate: 2_500_000_000, Delay: 3 * time.Millisecond, Jitter: time.Microsecond,
		Loss: 0.01, Duplicate: 0.25, Reorder: 0.5, ReorderDelay: 2 * time.Millisecond, QueueLen: 7, Pace: 2,
		LossModel: impair.GilbertElliott{P: 0.01, R: 0.1, BadLoss: 0.5}, Shape: impair.Normal, JitterCorrelation: 0.25}}
	if err != nil || c != want {
		t.Errorf("%+v, %v; want %+v", c, err, want)
	}
	if c, err := Parse(map[string]string{"offload": "yes", "rate": "800"}); err == nil {
		t.Errorf("offload on a wire: %+v", c)
	}
}

func TestHostFileParametersNameTheMistake(t *testing.T) {
	for _, x := range []struct{ key, value, want string }{
		{"mode", "tap", `mode = "tap": it is ethernet or raw`},
		{"mtu", "0", `mtu = "0": 0 is not in 68..65535`},
		{"mtu", "67", "MTU 67 is not in 68..65535"},
		{"mtu", "big", `mtu = "big": it is not a whole number`},
		{"rate", "fast", `rate = "fast": it is not a rate`},
		{"rate", "-1", `rate = "-1": it is not a rate`},
		{"rate", "", `rate = "": it is not a rate`},
		{"delay", "5", `delay = "5"`},
		{"delay", "-5ms", "delay -5ms is negative"},
		{"loss", "2", `loss = "2": it is not a probability`},
		{"loss", "NaN", `loss = "NaN": it is not a probability`},
		{"corrupt", "101%", `corrupt = "101%": it is not a probability`},
		{"queue", "-1", "queue length -1 is negative"},
		{"loss_model", "gemodel 1", "it is gemodel and four probabilities"},
		{"loss_model", "gemodel 1 2 0 0", "2: it is not a probability"},
		{"jitter_shape", "round", "it is none of uniform"},
		{"pace", "-1", "pace -1 is negative"},
		{"offload", "maybe", `offload = "maybe": it is yes or no`},
		{"lost", "1", `a pipe has no parameter "lost" (parameters: corrupt delay`},
	} {
		if _, err := Parse(map[string]string{x.key: x.value}); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s = %s: %v, want %q", x.key, x.value, err, x.want)
		}
	}
}

func TestKindMakesBothEnds(t *testing.T) {
	a, b, err := Kind().OpenPair(map[string]string{"mtu": "1280"})
	if err != nil || a == nil || b == nil || a.Properties().MTU != 1280 || a.Properties().HWAddr == b.Properties().HWAddr {
		t.Errorf("%v %v %v", a, b, err)
	}
	if _, _, err := Kind().OpenPair(map[string]string{"mtu": "1"}); err == nil {
		t.Error("an MTU of 1 passed")
	}
}
