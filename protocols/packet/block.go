package packet

import (
	"encoding/binary"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// defaultTimeout is after how many milliseconds a block is given away which is not full
// (Linux: prb_calc_retire_blk_tmo, of a link whose speed is not known).
const defaultTimeout = 8

// block is the one of a ring of version 3 that is being filled.
type block struct {
	e       *endpoint
	timer   timer.Timer
	begin   int // offset of its first frame
	timeout int // milliseconds
	serial  uint64
	open    bool // false: the program has all blocks
	frozen  uint32
	place   int // offset of the next frame
	prior   int // offset of the last one
	frames  uint32
	seconds [2]uint32 // when the last frame came, with nanoseconds
}

// Offsets in struct tpacket_block_desc.
const (
	blockStatus = 8
	blockFrames = 12
	blockSerial = 24
	blockFirst  = 32
	blockLast   = 40
)

// openBlock begins the next block (prb_open_block): false if the program has it.
func (r *ring) openBlock() bool {
	b, at := &r.block, r.next*r.blockSize
	if r.status(at+blockStatus).Load() != statusKernel {
		if b.open {
			b.open = false
			b.frozen++
		}
		return false
	}
	b.open, b.frames, b.place, b.prior = true, 0, b.begin, 0
	w := words{r.memory[at:]}
	w.put(0, version3, sizeofBlockHeader)
	w.put(blockFrames, 0, uint32(b.begin), uint32(b.begin))
	binary.NativeEndian.PutUint64(w.b[blockSerial:], b.serial)
	b.serial++
	return true
}

// closeBlock gives the block to the program and begins the next (prb_retire_current_block).
func (r *ring) closeBlock(why uint32) {
	b, at := &r.block, r.next*r.blockSize
	b.e.t.in.CancelTimer(&b.timer)
	w := words{r.memory[at:]}
	w.put(b.prior, 0) // no frame follows the last
	w.put(blockFrames, b.frames, uint32(b.begin), uint32(b.place))
	w.put(blockLast, b.seconds[0], b.seconds[1])
	status := statusUser | why
	if b.e.drops > 0 {
		status |= statusLosing
	}
	r.give(at+blockStatus, status)
	r.next = (r.next + 1) % r.blocks
	b.e.socket.Wake(core.ReadyIn)
	r.openBlock()
}

// blockRoom is the place for a frame of n bytes with its header, nil if there is none.
func (r *ring) blockRoom(n int, seconds, nanoseconds uint32) []byte {
	b := &r.block
	n = align(n, blockAlignment)
	if !b.open && !r.openBlock() {
		return nil
	}
	if b.place+n >= r.blockSize && b.frames > 0 {
		if r.closeBlock(0); !b.open {
			return nil
		}
	}
	if b.place+n > r.blockSize {
		return nil
	}
	base := r.next * r.blockSize
	at := base + b.place
	words{r.memory}.put(at, uint32(n)) // to the next frame
	b.seconds = [2]uint32{seconds, nanoseconds}
	if b.frames++; b.frames == 1 {
		words{r.memory[base:]}.put(blockFirst, seconds, nanoseconds)
		in := b.e.t.in
		in.SetTimer(&b.timer, in.Now().Add(time.Duration(b.timeout)*time.Millisecond), b)
	}
	b.prior = b.place
	b.place += n
	return r.memory[at : at+n]
}

// Expire gives away a block that has waited for more frames.
func (b *block) Expire(*timer.Timer, core.Time) {
	if r := b.e.ring; r != nil && &r.block == b && b.open && b.frames > 0 {
		r.closeBlock(statusTimeout)
	}
}
