package pipe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/libos-go/libos/core"
)

// Trace is a record of when a link could send, as Mahimahi has them of cellular
// links (Netravali et al.: Mahimahi, USENIX ATC 2015): an opportunity at each of its
// milliseconds, several at one where it is there several times, and from the
// beginning again after the last. An opportunity takes 1,504 bytes of network
// packets: what one packet leaves is the next one's if that waits, and what no
// packet takes is lost. The trace begins at the instant 0 of the host's clock.
type Trace struct {
	at     []core.Time // rising; the last is the period
	period core.Time
}

const (
	opportunity    = 1504 // bytes: Mahimahi's PACKET_SIZE
	maxTraceLines  = 1 << 22
	maxTraceMillis = 1 << 40
)

// ParseTrace reads a trace: a line is a whole number of milliseconds, none less than
// the one before, the last one positive. file names it in errors.
func ParseTrace(file string, data []byte) (*Trace, error) {
	t := &Trace{}
	line, last := 0, int64(0)
	for text := range strings.Lines(string(data)) {
		line++
		text = strings.TrimSpace(text)
		if text == "" {
			continue
		}
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil || ms < 0 || ms > maxTraceMillis {
			return nil, fmt.Errorf("%s:%d: %.40q is not a whole number of milliseconds from 0 to %d", file, line, text, int64(maxTraceMillis))
		}
		if ms < last {
			return nil, fmt.Errorf("%s:%d: %d ms is before the %d ms of the line above: sort the file", file, line, ms, last)
		}
		if len(t.at) == maxTraceLines {
			return nil, fmt.Errorf("%s:%d: more than %d opportunities", file, line, maxTraceLines)
		}
		last = ms
		t.at = append(t.at, core.Time(ms)*core.Time(time.Millisecond))
	}
	if last == 0 {
		return nil, fmt.Errorf("%s:%d: the last opportunity is at 0 ms, so that the trace has no length: add a later one", file, max(1, line))
	}
	t.period = t.at[len(t.at)-1]
	return t, nil
}

// Period is the length of the trace, after which it begins again.
func (t *Trace) Period() time.Duration { return time.Duration(t.period) }

// Rate is the mean rate in bits per second of network packets.
func (t *Trace) Rate() float64 {
	return float64(len(t.at)) * opportunity * 8 / time.Duration(t.period).Seconds()
}

// traceAt is a place in a trace.
type traceAt struct {
	trace *Trace
	begun bool
	base  core.Time // when this round of the trace began
	next  int       // the opportunity after the one in use
	left  int       // bytes of the one in use
	at    core.Time // its instant
}

// depart sends size bytes after those before, and tells when the last of them leaves.
func (p *traceAt) depart(size int) core.Time {
	for size > p.left {
		size -= p.left
		p.step()
	}
	p.left -= size
	return p.at
}

// step goes on to the next opportunity.
func (p *traceAt) step() {
	t := p.trace
	if p.next == len(t.at) {
		p.base += t.period
		p.next = 0
	}
	p.at = p.base + t.at[p.next]
	p.next++
	p.left = opportunity
}

// seek goes on to the last opportunity that is not after now, of which nothing is
// left.
func (p *traceAt) seek(now core.Time) {
	t := p.trace
	p.begun = true
	p.base = now / t.period * t.period
	p.next, _ = slices.BinarySearch(t.at, now-p.base+1)
	p.at, p.left = now, 0
}
