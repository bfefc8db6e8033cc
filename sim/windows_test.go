package sim

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// Two parts with links of 2 ms between them, or three with the last 5 ms away.
func TestPartsWorkInTheSameWindows(t *testing.T) {
	const ms = core.Time(time.Millisecond)
	two := [][]core.Time{{4 * ms, 2 * ms}, {2 * ms, 4 * ms}}
	three := [][]core.Time{{4 * ms, 2 * ms, 5 * ms}, {2 * ms, 4 * ms, 7 * ms}, {5 * ms, 7 * ms, 10 * ms}}
	for _, x := range []struct {
		name   string
		ahead  [][]core.Time
		next   []core.Time
		bounds []core.Time
		level  core.Time
	}{
		{"both are at one instant", two, []core.Time{0, 0}, []core.Time{2 * ms, 2 * ms}, 2 * ms},
		{"one is ahead and waits for the other", two, []core.Time{0, ms}, []core.Time{3 * ms, 2 * ms}, 2 * ms},
		{"one has nothing to do for long, and keeps nobody back", two, []core.Time{0, 50 * ms}, []core.Time{4 * ms, 2 * ms}, 4 * ms},
		{"one has nothing to do at all", two, []core.Time{7 * ms, core.Never}, []core.Time{11 * ms, 9 * ms}, 11 * ms},
		{"the far one goes no further", three, []core.Time{0, ms, ms}, []core.Time{3 * ms, 2 * ms, 5 * ms}, 2 * ms},
	} {
		t.Run(x.name, func(t *testing.T) {
			n := &Network{ahead: x.ahead}
			w := &windows{net: n}
			for i, next := range x.next {
				n.parts = append(n.parts, &part{index: i, told: told{next: next}})
			}
			for i, p := range n.parts {
				if got := w.bound(p); got != x.bounds[i] {
					t.Errorf("part %d may go to %v, want %v", i, time.Duration(got), time.Duration(x.bounds[i]))
				}
			}
			if got := w.level(); got != x.level {
				t.Errorf("they go to %v, want %v", time.Duration(got), time.Duration(x.level))
			}
		})
	}
}
