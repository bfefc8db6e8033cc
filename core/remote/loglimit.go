package remote

import (
	"time"

	"github.com/libos-go/libos/core"
)

// The far end may fill the log no faster than this: a burst of lines, then so many
// a second.
const (
	logBurst = 100
	logRate  = 10
)

// logLimit is a bucket of lines that the far end may log, on the near end's clock.
type logLimit struct {
	used       int       // of the burst
	since      core.Time // used was right then
	suppressed int       // lines since the last one that was allowed
}

// allow tells whether one more line may be logged at now, and before it how many
// were not.
func (l *logLimit) allow(now core.Time) (ok bool, missed int) {
	const every = core.Time(time.Second / logRate)
	if back := int((now - l.since) / every); back >= l.used {
		l.used, l.since = 0, now
	} else if back > 0 {
		l.used -= back
		l.since += core.Time(back) * every
	}
	if l.used >= logBurst {
		l.suppressed++
		return false, 0
	}
	l.used++
	missed, l.suppressed = l.suppressed, 0
	return true, missed
}
