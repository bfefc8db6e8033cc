package wire

// Seq is a TCP sequence number: arithmetic is modulo 2^32 and comparisons hold for numbers less than 2^31 apart
// (RFC 9293 §3.4).
type Seq uint32

// LT reports a < b.
func (a Seq) LT(b Seq) bool { return int32(a-b) < 0 }

// LEQ reports a <= b.
func (a Seq) LEQ(b Seq) bool { return int32(a-b) <= 0 }

// GT reports a > b.
func (a Seq) GT(b Seq) bool { return int32(a-b) > 0 }

// GEQ reports a >= b.
func (a Seq) GEQ(b Seq) bool { return int32(a-b) >= 0 }

// Add is a advanced by n octets.
func (a Seq) Add(n uint32) Seq { return a + Seq(n) }

// Sub is the distance from b to a in octets, negative if a is before b.
func (a Seq) Sub(b Seq) int32 { return int32(a - b) }

// InWindow reports whether a lies in [start, start+size).
func (a Seq) InWindow(start Seq, size uint32) bool { return uint32(a-start) < size }

// MaxSeq is the later of a and b.
func MaxSeq(a, b Seq) Seq {
	if a.LT(b) {
		return b
	}
	return a
}

// MinSeq is the earlier of a and b.
func MinSeq(a, b Seq) Seq {
	if b.LT(a) {
		return b
	}
	return a
}
