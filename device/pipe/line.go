package pipe

import (
	"math/bits"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/impair"
)

const (
	defaultQueue        = 1000
	defaultReorderDelay = time.Millisecond
)

// line is the sending side of one direction: it decides when a frame arrives
// and in what state.
type line struct {
	wire      Wire
	ideal     bool
	paced     bool
	needsDice bool
	dice      core.Source

	loss, duplicate, corrupt, reorder uint64 // thresholds of 53-bit draws

	loser  impair.Loser
	delays impair.Delayer // if shaped
	shaped bool

	trace   traceAt
	header  int        // bytes of link header, which opportunities of a trace do not count
	free    core.Time  // when the last accepted frame has left
	leaving departures // frames that wait for their departure
	count   Counters
}

func (l *line) init(w *Wire) {
	l.wire = *w
	l.ideal, l.paced = w.ideal(), w.paced()
	if w.QueueLen <= 0 {
		l.wire.QueueLen = defaultQueue
	}
	if w.ReorderDelay <= 0 {
		l.wire.ReorderDelay = defaultReorderDelay
	}
	l.wire.Delay, l.wire.Jitter = max(0, w.Delay), max(0, w.Jitter)
	l.loss, l.duplicate = threshold(w.Loss), threshold(w.Duplicate)
	l.corrupt, l.reorder = threshold(w.Corrupt), threshold(w.Reorder)
	l.loser, l.shaped, l.trace = nil, w.shaped(), traceAt{trace: w.Trace}
	if w.LossModel != nil {
		l.loser = w.LossModel.Start()
	}
	if l.shaped {
		l.delays = w.deviation().Start()
	}
	l.needsDice = w.Jitter > 0 || w.LossModel != nil || l.loss|l.duplicate|l.corrupt|l.reorder != 0
}

// threshold of a draw below 1<<53 that comes true with probability p.
func threshold(p float64) uint64 {
	return uint64(min(max(p, 0), 1) * (1 << 53))
}

func (l *line) roll(threshold uint64) bool {
	return threshold != 0 && l.dice.Uint64()>>11 < threshold
}

// fate is what becomes of one frame.
type fate struct {
	lost, corrupted, twice bool
	arrival                core.Time
}

// carry sends a frame of size bytes at now.
func (l *line) carry(now core.Time, size int) fate {
	depart := now
	l.count.Bytes += uint64(size)
	if l.wire.Rate > 0 || l.trace.trace != nil {
		if !l.paced {
			if l.free <= now { // all have
				l.leaving.head, l.leaving.n = 0, 0
			} else {
				l.leaving.expire(now)
			}
			if l.leaving.n > l.wire.QueueLen { // one is on the wire, the others wait
				l.count.QueueDrops++
				l.count.Bytes -= uint64(size)
				return fate{lost: true}
			}
		}
		if l.trace.trace != nil {
			waited := now < l.free || l.paced && now == l.free
			if !l.trace.begun || !waited {
				l.trace.seek(max(now, l.free))
			}
			depart = l.trace.depart(size - l.header)
		} else {
			depart = max(now, l.free).Add(transmission(size, l.wire.Rate))
		}
		l.free = depart
		if !l.paced {
			l.leaving.push(departure{depart, int32(size)})
		}
	}
	if l.roll(l.loss) || l.loser != nil && l.loser.Lose(l.dice) {
		l.count.Lost++
		return fate{lost: true}
	}
	f := fate{arrival: depart.Add(l.wire.Delay)}
	if l.shaped {
		f.arrival = depart.Add(l.delays.Next(l.dice))
	} else if l.wire.Jitter > 0 {
		hi, _ := bits.Mul64(l.dice.Uint64(), uint64(l.wire.Jitter)+1)
		f.arrival = f.arrival.Add(time.Duration(hi))
	}
	if l.roll(l.reorder) {
		f.arrival = f.arrival.Add(l.wire.ReorderDelay)
		l.count.Reordered++
	}
	if l.roll(l.corrupt) {
		f.corrupted = true
		l.count.Corrupted++
	}
	if l.roll(l.duplicate) {
		f.twice = true
		l.count.Duplicated++
	}
	return f
}

// transmission is how long size bytes take at rate bits per second, rounded up.
func transmission(size int, rate int64) time.Duration {
	hi, lo := bits.Mul64(uint64(size)*8, uint64(time.Second))
	lo, carry := bits.Add64(lo, uint64(rate)-1, 0)
	hi += carry
	if hi >= uint64(rate) {
		return time.Duration(core.Never)
	}
	q, _ := bits.Div64(hi, lo, uint64(rate))
	if q > uint64(core.Never) {
		return time.Duration(core.Never)
	}
	return time.Duration(q)
}

// departure is when a frame has left, and how long it is.
type departure struct {
	at   core.Time
	size int32
}

// departures is a queue of them, oldest first.
type departures struct {
	ring    []departure // length is a power of two
	head, n int
}

func (q *departures) push(d departure) {
	if q.n == len(q.ring) {
		ring := make([]departure, max(16, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = d
	q.n++
}

// expire forgets what has left at now.
func (q *departures) expire(now core.Time) {
	for q.n > 0 && q.ring[q.head].at <= now {
		q.head = (q.head + 1) & (len(q.ring) - 1)
		q.n--
	}
}

// waiting is what has not left at now: the frames behind the one that is on the
// wire, the bytes of all of them, and when the first one will have left.
func (q *departures) waiting(now core.Time) (frames, bytes int, first departure) {
	for i := range q.n {
		d := q.ring[(q.head+i)&(len(q.ring)-1)]
		if d.at <= now {
			continue
		}
		if bytes == 0 {
			first, frames = d, q.n-i-1
		}
		bytes += int(d.size)
	}
	return frames, bytes, first
}

// flipBit damages one random bit of p.
func (l *line) flipBit(p *core.Packet) bool {
	if !p.Linearize() || !p.Unshare() {
		return false
	}
	b := p.Linear()
	if len(b) > 0 {
		hi, _ := bits.Mul64(l.dice.Uint64(), uint64(len(b))*8)
		b[hi/8] ^= 1 << (hi % 8)
	}
	return true
}
