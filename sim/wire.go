package sim

import (
	"fmt"
	"time"

	"github.com/libos-go/libos/core/impair"
	"github.com/libos-go/libos/device/pipe"
)

// wireKeys copy one parameter of a pipe, by its name in files.
var wireKeys = []struct {
	name string
	copy func(to, from *pipe.Wire)
}{
	{"rate", func(to, from *pipe.Wire) { to.Rate = from.Rate }},
	{"delay", func(to, from *pipe.Wire) { to.Delay = from.Delay }},
	{"jitter", func(to, from *pipe.Wire) { to.Jitter = from.Jitter }},
	{"jitter_shape", func(to, from *pipe.Wire) { to.Shape = from.Shape }},
	{"jitter_correlation", func(to, from *pipe.Wire) { to.JitterCorrelation = from.JitterCorrelation }},
	{"loss", func(to, from *pipe.Wire) { to.Loss = from.Loss }},
	{"loss_model", func(to, from *pipe.Wire) { to.LossModel = from.LossModel }},
	{"duplicate", func(to, from *pipe.Wire) { to.Duplicate = from.Duplicate }},
	{"corrupt", func(to, from *pipe.Wire) { to.Corrupt = from.Corrupt }},
	{"reorder", func(to, from *pipe.Wire) { to.Reorder = from.Reorder }},
	{"reorder_delay", func(to, from *pipe.Wire) { to.ReorderDelay = from.ReorderDelay }},
	{"queue", func(to, from *pipe.Wire) { to.QueueLen = from.QueueLen }},
	{"pace", func(to, from *pipe.Wire) { to.Pace = from.Pace }},
}

// WireKeys are the parameters of links that SetWire knows.
func WireKeys() (names []string) {
	for _, k := range wireKeys {
		names = append(names, k.name)
	}
	return names
}

// SetWire sets one parameter of w by its name in files and its value as text
// ("rate", "10M").
func SetWire(w *pipe.Wire, key, value string) error {
	for _, k := range wireKeys {
		if k.name != key {
			continue
		}
		c, err := pipe.Parse(map[string]string{key: value})
		if err != nil {
			return err
		}
		k.copy(w, &c.Wire)
		return nil
	}
	return fmt.Errorf("a link has no %s (it has %v)", key, WireKeys())
}

// leastDelay is the shortest time that a frame may take over w.
func leastDelay(w *pipe.Wire) time.Duration {
	if w.Jitter > 0 && (w.Shape != impair.Uniform || w.JitterCorrelation > 0) {
		return 0 // it deviates to both sides
	}
	return w.Delay
}
