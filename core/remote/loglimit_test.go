package remote

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// A burst is logged, then ten lines a second; the first line after a pause tells
// how many were not, and after a long one there is a whole burst again, no more.
func TestTheFarEndCannotFloodTheLog(t *testing.T) {
	var l logLimit
	count := func(now core.Time, lines int) (logged, missed int) {
		for range lines {
			ok, m := l.allow(now)
			if ok {
				logged++
			}
			missed += m
		}
		return logged, missed
	}
	for _, x := range []struct {
		at             time.Duration
		lines          int
		logged, missed int
	}{
		{0, 1000, 100, 0}, {50 * time.Millisecond, 10, 0, 0}, {100 * time.Millisecond, 10, 1, 910}, {1100 * time.Millisecond, 1000, 10, 9},
		{time.Hour, 1000, 100, 990}, {time.Hour, 1, 0, 0}, {2 * time.Hour, 50, 50, 901},
	} {
		if logged, missed := count(core.Time(x.at), x.lines); logged != x.logged || missed != x.missed {
			t.Errorf("at %v of %d lines %d were logged and %d told as suppressed, want %d and %d", x.at, x.lines, logged, missed, x.logged, x.missed)
		}
	}
}
