package tcp

import (
	"math/rand/v2"
	"testing"

	"github.com/libos-go/libos/core/wire"
)

// boardAt is a scoreboard of a connection whose numbers wrap soon.
const boardAt = wire.Seq(0xffffff00)

func block(from, to uint32) wire.SACKBlock {
	return wire.SACKBlock{Start: boardAt.Add(from), End: boardAt.Add(to)}
}

// The scoreboard against a list of bytes.
func TestTheScoreboardKnowsWhatWasSacked(t *testing.T) {
	const n, mss = 600, 10
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b scoreboard
		var model [n]bool
		una := uint32(0)
		for range 60 {
			from := una + r.Uint32N(n-una)
			to := min(from+1+r.Uint32N(30), n)
			b.insert(block(from, to))
			for i := from; i < to; i++ {
				model[i] = true
			}
			if r.UintN(5) == 0 {
				una = min(una+r.Uint32N(40), n-1)
				b.trim(boardAt.Add(una))
			}
			checkBoard(t, &b, model[:], una, mss)
			if t.Failed() {
				t.Fatalf("seed %d: %v from %d on", seed, b.blocks, una)
			}
		}
	}
}

func checkBoard(t *testing.T, b *scoreboard, model []bool, una, mss uint32) {
	t.Helper()
	runs, sacked := 0, uint32(0)
	lost := make([]bool, len(model))
	lostBytes := uint32(0)
	end := una
	for i := uint32(len(model)); i > una; i-- { // from the top, IsLost by its definition
		switch at := i - 1; {
		case model[at]:
			sacked++
			if i == uint32(len(model)) || !model[i] {
				runs++
				end = max(end, i)
			}
		default:
			if lost[at] = runs >= 3 || sacked > 2*mss; lost[at] {
				lostBytes++
			}
		}
	}
	if b.bytes != sacked || len(b.blocks) != runs {
		t.Errorf("%d bytes in %d blocks, want %d in %d", b.bytes, len(b.blocks), sacked, runs)
	}
	if got := b.end(boardAt.Add(una)); got != boardAt.Add(end) {
		t.Errorf("end %d, want %d", got-boardAt, end)
	}
	if got := b.lostBytes(boardAt.Add(una), mss); got != lostBytes {
		t.Errorf("%d bytes lost, want %d", got, lostBytes)
	}
	below := uint32(0)
	for i := una; i < uint32(len(model)); i++ {
		seq := boardAt.Add(i)
		if got := b.below(seq); got != below {
			t.Errorf("%d bytes sacked below %d, want %d", got, i, below)
		}
		if model[i] {
			below++
			continue
		}
		if got := b.lost(seq, mss); got != lost[i] {
			t.Errorf("byte %d lost: %v", i, got)
		}
		gap := i
		for gap < uint32(len(model)) && !model[gap] {
			gap++
		}
		if at, n := b.gap(seq); at != seq || gap < uint32(len(model)) && n != int(gap-i) || gap == uint32(len(model)) && n < 1<<20 {
			t.Errorf("gap at %d: %d, %d bytes", i, at-boardAt, n)
		}
	}
	for i := una; i < uint32(len(model)); i++ {
		for _, surely := range []bool{true, false} {
			want, n := i, uint32(0)
			for want < end && model[want] {
				want++
			}
			if want < end && (lost[want] || !surely) {
				for want+n < end && !model[want+n] {
					n++
				}
			}
			if at, got := b.hole(boardAt.Add(i), mss, surely); got != n || n > 0 && at != boardAt.Add(want) {
				t.Errorf("hole from %d (surely %v) at %d: %d bytes, want at %d: %d", i, surely, at-boardAt, got, want, n)
			}
		}
	}
}

func TestTheScoreboardIsBounded(t *testing.T) {
	var b scoreboard
	for i := range uint32(2 * maxBlocks) {
		b.insert(block(2*i, 2*i+1))
	}
	if len(b.blocks) != maxBlocks || b.bytes != maxBlocks {
		t.Errorf("%d blocks, %d bytes", len(b.blocks), b.bytes)
	}
	b.insert(block(0, 2*maxBlocks-1))
	if len(b.blocks) != 1 || b.bytes != 2*maxBlocks-1 {
		t.Errorf("%d blocks, %d bytes", len(b.blocks), b.bytes)
	}
	b.trim(boardAt.Add(2 * maxBlocks))
	if b.blocks != nil || b.bytes != 0 {
		t.Error("an empty scoreboard holds memory")
	}
}
