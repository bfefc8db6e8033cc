package timer

import (
	"fmt"
	"strings"
	"testing"
)

type named struct {
	name string
	log  *[]string
}

func (n named) Expire(*Timer, Time) { *n.log = append(*n.log, n.name) }

// What arrives comes after an instance's own timers and by rank, whatever was
// armed first, in a short list and in the slots.
func TestRankedTimersFireByRankWhateverTheOrderOfArming(t *testing.T) {
	for _, others := range []int{0, 100} {
		t.Run(fmt.Sprintf("among %d others", others), func(t *testing.T) {
			for _, order := range [][]int{{0, 1, 2, 3}, {3, 2, 1, 0}, {2, 0, 3, 1}} {
				var w Wheel
				var log []string
				more := make([]Timer, others)
				for i := range more {
					w.Set(&more[i], Time(1_000_000+i), silent{}, 0)
				}
				timers := make([]Timer, 4)
				for _, i := range order {
					switch i {
					case 0:
						w.Set(&timers[0], 1000, named{"own", &log}, 2)
					case 1:
						w.SetRanked(&timers[1], 1000, named{"first", &log}, 2, 1)
					case 2:
						w.SetRanked(&timers[2], 1000, named{"second", &log}, 2, 2)
					case 3:
						w.SetRanked(&timers[3], 1000, named{"lower", &log}, 1, 9)
					}
				}
				w.Advance(1000)
				if got := strings.Join(log, " "); got != "lower own first second" {
					t.Errorf("armed in order %v they fired as: %s", order, got)
				}
			}
		})
	}
}
