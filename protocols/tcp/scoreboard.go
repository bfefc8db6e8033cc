package tcp

import "github.com/libos-go/libos/core/wire"

// scoreboard is what the peer has sacked above the cumulative acknowledgement
// (RFC 6675 §3). The zero value is empty and holds no memory.
type scoreboard struct {
	blocks []wire.SACKBlock // ascending and apart
	bytes  uint32           // in blocks
}

// maxBlocks bounds a scoreboard: what does not fit counts as outstanding.
const maxBlocks = 256

func (b *scoreboard) clear() { *b = scoreboard{} }

// insert enters a block.
func (b *scoreboard) insert(x wire.SACKBlock) {
	i := 0
	for i < len(b.blocks) && b.blocks[i].End.LT(x.Start) {
		i++
	}
	j := i
	for j < len(b.blocks) && b.blocks[j].Start.LEQ(x.End) {
		x.Start = wire.MinSeq(x.Start, b.blocks[j].Start)
		x.End = wire.MaxSeq(x.End, b.blocks[j].End)
		b.bytes -= size(b.blocks[j])
		j++
	}
	if i == j {
		if len(b.blocks) >= maxBlocks {
			return
		}
		b.blocks = append(b.blocks, wire.SACKBlock{})
		copy(b.blocks[i+1:], b.blocks[i:])
	} else {
		b.blocks = append(b.blocks[:i+1], b.blocks[j:]...)
	}
	b.blocks[i] = x
	b.bytes += size(x)
}

func size(x wire.SACKBlock) uint32 { return uint32(x.End - x.Start) }

// trim forgets what lies before una.
func (b *scoreboard) trim(una wire.Seq) {
	k := 0
	for k < len(b.blocks) && b.blocks[k].End.LEQ(una) {
		b.bytes -= size(b.blocks[k])
		k++
	}
	if k == len(b.blocks) {
		b.clear()
		return
	}
	b.blocks = b.blocks[k:]
	if x := &b.blocks[0]; x.Start.LT(una) {
		b.bytes -= uint32(una - x.Start)
		x.Start = una
	}
}

// start tells whether the block that begins at una is there: the peer has dropped
// it, or it had acknowledged it.
func (b *scoreboard) start(una wire.Seq) bool {
	return len(b.blocks) > 0 && b.blocks[0].Start.LEQ(una)
}

// end is behind the highest sacked byte, una if there is none.
func (b *scoreboard) end(una wire.Seq) wire.Seq {
	if n := len(b.blocks); n > 0 {
		return b.blocks[n-1].End
	}
	return una
}

// gap is where to go on sending from nxt: behind the block that holds it, and how
// many bytes fit before the next one.
func (b *scoreboard) gap(nxt wire.Seq) (wire.Seq, int) {
	for _, x := range b.blocks {
		if nxt.LT(x.Start) {
			return nxt, int(x.Start - nxt)
		}
		nxt = wire.MaxSeq(nxt, x.End)
	}
	return nxt, 1 << 30
}

// below is how many sacked bytes lie below seq.
func (b *scoreboard) below(seq wire.Seq) (n uint32) {
	for _, x := range b.blocks {
		if !x.Start.LT(seq) {
			break
		}
		n += uint32(wire.MinSeq(x.End, seq) - x.Start)
	}
	return n
}

// proof tells whether blocks with so many bytes in all, all above a byte, make it
// lost: IsLost of RFC 6675 §4.
func proof(blocks int, bytes, mss uint32) bool {
	return blocks >= duplicateThreshold || bytes > (duplicateThreshold-1)*mss
}

// lost is IsLost(seq) for a byte that is not sacked.
func (b *scoreboard) lost(seq wire.Seq, mss uint32) bool {
	above, bytes := len(b.blocks), b.bytes
	for _, x := range b.blocks {
		if seq.LT(x.Start) {
			break
		}
		above--
		bytes -= size(x)
	}
	return proof(above, bytes, mss)
}

// lostBytes is how many bytes from una on are lost.
func (b *scoreboard) lostBytes(una wire.Seq, mss uint32) (n uint32) {
	bytes, at := b.bytes, una
	for i, x := range b.blocks {
		if !proof(len(b.blocks)-i, bytes, mss) {
			break
		}
		n += uint32(x.Start - at)
		at = x.End
		bytes -= size(x)
	}
	return n
}

// hole is the first run that is not sacked from seq on with sacked bytes above it;
// with surely set it has to be lost. n is 0 if there is none.
func (b *scoreboard) hole(seq wire.Seq, mss uint32, surely bool) (at wire.Seq, n uint32) {
	bytes := b.bytes
	for i, x := range b.blocks {
		if seq.LT(x.Start) {
			if surely && !proof(len(b.blocks)-i, bytes, mss) {
				return 0, 0
			}
			return seq, uint32(x.Start - seq)
		}
		bytes -= size(x)
		seq = wire.MaxSeq(seq, x.End)
	}
	return 0, 0
}
