package impair

import (
	"fmt"
	"math/bits"
	"time"
)

// Rate is the speed of a line, with what the line adds to packets (netem's "rate
// RATE PACKETOVERHEAD CELLSIZE CELLOVERHEAD").
type Rate struct {
	BitsPerSecond uint64 // 0 for no limit
	// PacketOverhead is added to each packet, in bytes; negative for a header that
	// the line does not carry.
	PacketOverhead int
	// CellSize in bytes where the line carries whole cells (48 for ATM), 0 if not;
	// CellOverhead is added to each cell (5 for ATM).
	CellSize, CellOverhead int
}

// Check finds values out of range.
func (r Rate) Check() error {
	switch {
	case r.PacketOverhead < -65535 || r.PacketOverhead > 65535:
		return fmt.Errorf("rate: packet overhead %d is not in -65535..65535", r.PacketOverhead)
	case r.CellSize < 0 || r.CellSize > 65535:
		return fmt.Errorf("rate: cell size %d is not in 0..65535", r.CellSize)
	case r.CellOverhead < -r.CellSize || r.CellOverhead > 65535:
		return fmt.Errorf("rate: cell overhead %d is not in %d..65535", r.CellOverhead, -r.CellSize)
	}
	return nil
}

// Bytes is how many bytes the line carries for a packet of n bytes.
func (r Rate) Bytes(n int) int {
	n = max(n+r.PacketOverhead, 0)
	if r.CellSize > 0 {
		n = (n + r.CellSize - 1) / r.CellSize * (r.CellSize + r.CellOverhead)
	}
	return n
}

// Time is how long the line takes for a packet of n bytes, rounded down to
// nanoseconds; 0 without a limit.
func (r Rate) Time(n int) time.Duration {
	if r.BitsPerSecond == 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(r.Bytes(n))*8, 1e9)
	if hi >= r.BitsPerSecond {
		return 1<<63 - 1
	}
	q, _ := bits.Div64(hi, lo, r.BitsPerSecond)
	return time.Duration(min(q, 1<<63-1))
}
