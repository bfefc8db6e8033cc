package ring

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// A Writer is the producing end of one ring. All methods belong to one goroutine
// at a time.
type Writer struct {
	link *Link
	name string
	size uint64
	max  uint64
	data []byte // the ring, twice in a row

	peerTail *atomic.Uint64 // the reader's, in its memory
	peerData *atomic.Uint64 // the reader's sleep word
	shared   *atomic.Uint64 // the head as the reader sees it, in our memory

	head      uint64 // end of the records that are whole
	published uint64 // end of the records that the reader may see: what shared holds
	tail      uint64 // the last tail that was read and found in order
	reserved  int    // bytes that Reserve gave out, -1 for none
	rung      uint64 // the sleep word that was answered last
	fault     *Fault
	sleep     sleeper
}

// Reserve returns the place of a record of up to n bytes, or nil if the ring has
// no room for it now, if n is negative or over MaxRecord, or after a fault. The
// bytes are what some older record left there. A second Reserve before Commit or
// Stage replaces the first.
func (w *Writer) Reserve(n int) []byte {
	w.reserved = -1
	if n < 0 || uint64(n) > w.max {
		return nil
	}
	need := footprint(uint64(n))
	if w.head+need-w.tail > w.size && (!w.look() || w.head+need-w.tail > w.size) {
		return nil
	}
	w.reserved = n
	at := w.head&(w.size-1) + recordHeader
	return w.data[at : at+uint64(n) : at+uint64(n)]
}

// Commit makes a record of the first n reserved bytes, shows it and every staged
// record before it to the reader, and wakes a reader that sleeps. It panics if n
// is more than was reserved.
func (w *Writer) Commit(n int) {
	w.Stage(n)
	w.Publish()
}

// Stage makes a record of the first n reserved bytes as Commit does, but leaves
// it to the next Commit, Publish or WaitSpace to show it: many records then cost
// one look at the reader.
func (w *Writer) Stage(n int) {
	if n < 0 || n > w.reserved {
		panic("ring: commit of more than was reserved")
	}
	w.reserved = -1
	at := w.head & (w.size - 1)
	binary.NativeEndian.PutUint64(w.data[at:at+8], 0)
	binary.NativeEndian.PutUint32(w.data[at:at+4], uint32(n))
	w.head += footprint(uint64(n))
}

// Publish shows all staged records to the reader, and wakes one that sleeps.
func (w *Writer) Publish() {
	if w.head == w.published {
		return
	}
	w.published = w.head
	w.shared.Store(w.head)
	// As in Reader.publish: the store comes before the load, for all.
	if want := w.peerData.Load(); want&wanted != 0 && want != w.rung {
		w.rung = want
		w.link.ring()
	}
}

// Write makes a record of msg and commits it: where it is, if that is the
// beginning of what Reserve returned last, or else a copy. False means that
// Reserve had no room.
func (w *Writer) Write(msg []byte) bool {
	if len(msg) > 0 && len(msg) <= w.reserved && &msg[0] == &w.data[w.head&(w.size-1)+recordHeader] {
		w.Commit(len(msg))
		return true
	}
	p := w.Reserve(len(msg))
	if p == nil {
		return false
	}
	copy(p, msg)
	w.Commit(len(msg))
	return true
}

// WaitSpace publishes what is staged and returns nil when half of the ring is
// free, which is room for any record. Errors are os.ErrDeadlineExceeded, a
// *Fault, ErrClosed and ErrPeerGone. The zero deadline is never, as in
// Reader.Wait.
func (w *Writer) WaitSpace(deadline time.Time) error {
	w.Publish()
	if w.fault == nil && w.Ready() {
		w.look()
		if w.fault == nil {
			return nil
		}
	}
	if w.fault != nil {
		return w.fault
	}
	if err := w.sleep.wait(deadline); err != nil {
		return err
	}
	w.look()
	return w.Err()
}

// Ready reports whether half of the ring is free. It changes nothing, and any
// goroutine may call it.
func (w *Writer) Ready() bool {
	// A tail that makes no sense counts as room: Reserve tells what is wrong.
	used := w.shared.Load() - w.peerTail.Load()
	return used <= w.size/2 || used > w.size
}

// Err returns the *Fault that ended the ring, or nil.
func (w *Writer) Err() error {
	if w.fault != nil {
		return w.fault
	}
	return nil
}

// MaxRecord returns the length of the longest record that the ring can carry.
func (w *Writer) MaxRecord() int { return int(w.max) }

// look reads the reader's tail anew and reports whether it is in order.
func (w *Writer) look() bool {
	if w.fault != nil {
		return false
	}
	tail := w.peerTail.Load()
	if tail%recordAlign != 0 {
		return w.fail(ruleTailAlignment, tail)
	}
	if tail-w.tail > w.published-w.tail {
		return w.fail(ruleTailDistance, tail)
	}
	w.tail = tail
	return true
}

// fail ends the ring: the room it pretends to have is none.
func (w *Writer) fail(rule string, value uint64) bool {
	w.fault = &Fault{Ring: w.name, Rule: rule, Position: w.tail, Value: value}
	w.link.faults.Add(1)
	w.max, w.tail = 0, w.head-w.size
	return false
}
