package tcp

import "github.com/libos-go/libos/core/wire"

// sentLog remembers how the bytes that are outstanding were cut into segments, since
// TCP_INFO counts packets: runs of segments of one size, the oldest first. The zero
// value is empty.
type sentLog struct {
	runs  []sentRun
	acked uint32 // segments acknowledged so far, the SYN included
}

// sentRun is segments of size sequence numbers each; the last may be shorter.
type sentRun struct {
	start, end wire.Seq
	size       uint32
}

// keptRuns bounds the memory of a log without runs.
const keptRuns = 4

// add notes a segment that was sent for the first time. n is at least 1.
func (l *sentLog) add(seq wire.Seq, n uint32) {
	if k := len(l.runs); k > 0 {
		if r := &l.runs[k-1]; r.end == seq && r.size >= n && uint32(r.end-r.start)%r.size == 0 {
			r.end = seq.Add(n)
			return
		}
	}
	l.runs = append(l.runs, sentRun{start: seq, end: seq.Add(n), size: n})
}

func (r *sentRun) segments(n uint32) uint32 { return (n + r.size - 1) / r.size }

// ack forgets what lies before una. A segment counts when all of it is acknowledged.
func (l *sentLog) ack(una wire.Seq) {
	k := 0
	for ; k < len(l.runs); k++ {
		r := &l.runs[k]
		if r.end.GT(una) {
			if una.GT(r.start) {
				whole := uint32(una-r.start) / r.size
				l.acked += whole
				r.start = r.start.Add(whole * r.size)
			}
			break
		}
		l.acked += r.segments(uint32(r.end - r.start))
	}
	if k == 0 {
		return
	}
	n := copy(l.runs, l.runs[k:])
	l.runs = l.runs[:n]
	if n == 0 && cap(l.runs) > keptRuns {
		l.runs = nil
	}
}

// count is how many segments begin in [from, to), or hold from.
func (l *sentLog) count(from, to wire.Seq) (n uint32) {
	for i := range l.runs {
		r := &l.runs[i]
		a, b := wire.MaxSeq(from, r.start), wire.MinSeq(to, r.end)
		if a.LT(b) {
			first := uint32(a-r.start) / r.size
			n += r.segments(uint32(b-r.start)) - first
		}
	}
	return n
}
