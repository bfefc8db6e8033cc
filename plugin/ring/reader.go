package ring

import (
	"sync/atomic"
	"time"
	"unsafe"
)

// firstBuffer is where the buffer for copies begins; it grows with the records.
const firstBuffer = 1024

// A Reader is the consuming end of one ring. All methods but Ready belong to one
// goroutine at a time.
type Reader struct {
	link *Link
	name string
	size uint64
	max  uint64
	data []byte // the ring, twice in a row

	peerHead *atomic.Uint64 // the writer's, in its memory
	peerRoom *atomic.Uint64 // the writer's sleep word
	shared   *atomic.Uint64 // the tail as the writer sees it, in our memory

	head      uint64        // the last head that was read and found in order
	tail      uint64        // up to here records were given out and given back
	hand      uint64        // up to here records were given out
	published uint64        // what shared holds
	seen      atomic.Uint64 // hand, brought up to date when all up to head is given out
	rung      uint64        // the sleep word that was answered last

	copies bool   // the peer is not trusted: records are copied before they are checked by anyone
	buf    []byte // the copy
	fault  *Fault
	sleep  sleeper
}

// Next returns the next record, or nil and no error if there is none. An empty
// record is not nil.
//
// On the host's side the record is a copy in a buffer that the next call reuses.
// On the module's side it is the ring's own memory (readable only), whose room
// goes back to the writer by the next call of Next, Wait or Release. Either way
// the bytes are the caller's until then.
//
// The error is a *Fault: the peer broke a rule, and the ring is at its end.
func (r *Reader) Next() ([]byte, error) {
	if r.fault != nil {
		return nil, r.fault
	}
	r.tail = r.hand
	if r.tail == r.head {
		r.publish()
		head := r.peerHead.Load()
		if head == r.tail {
			return nil, nil
		}
		if head%recordAlign != 0 {
			return nil, r.fail(ruleHeadAlignment, head)
		}
		if head-r.tail > r.size {
			return nil, r.fail(ruleHeadDistance, head)
		}
		r.head = head
	}
	at := r.tail & (r.size - 1)
	// One load: a second one could find another length than the one checked.
	n := uint64(atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[at]))))
	if n > r.max {
		return nil, r.fail(ruleLength, n)
	}
	if footprint(n) > r.head-r.tail {
		return nil, r.fail(ruleRecord, n)
	}
	record := r.data[at+recordHeader : at+recordHeader+n : at+recordHeader+n]
	r.hand = r.tail + footprint(n)
	if r.copies {
		if uint64(len(r.buf)) < n {
			r.buf = make([]byte, min(2*n, r.max))
		}
		record = r.buf[:copy(r.buf, record):n]
		r.tail = r.hand
		// The writer hears of room in steps of an eighth of the ring, and of all of
		// it at the end of what was read: a store that others wait for is not free.
		if r.tail == r.head || r.tail-r.published >= r.size/8 {
			r.publish()
		}
	} else if r.tail-r.published >= r.size/8 {
		r.publish()
	}
	if r.hand == r.head {
		r.seen.Store(r.hand)
	}
	return record, nil
}

// Release gives back the room of every record that Next returned, and tells the
// writer of it. Without it that happens a little later by itself: a consumer
// that stops in the middle should call it.
func (r *Reader) Release() {
	if r.fault == nil {
		r.tail = r.hand
		r.publish()
	}
}

// Ready reports whether a record waits that Next did not return yet. It changes
// nothing, and any goroutine may call it.
func (r *Reader) Ready() bool { return r.peerHead.Load() != r.seen.Load() }

// Wait returns nil when a record waits. It gives back what Next returned, as
// Release does. Errors are os.ErrDeadlineExceeded, a *Fault, and, when no record
// is left, ErrClosed or ErrPeerGone. The zero deadline is never: then the Link's
// Close or the peer's end must come.
func (r *Reader) Wait(deadline time.Time) error {
	if r.fault != nil {
		return r.fault
	}
	r.Release()
	if r.Ready() {
		return nil
	}
	return r.sleep.wait(deadline)
}

// Doze is Wait for another goroutine than the consumer, one at a time: it gives
// nothing back and does not look at what the consumer found. Who dozes must not
// also Wait.
func (r *Reader) Doze(deadline time.Time) error {
	if r.Ready() {
		return nil
	}
	return r.sleep.wait(deadline)
}

// MaxRecord returns the length of the longest record that the ring can carry.
func (r *Reader) MaxRecord() int { return int(r.max) }

// publish shows the writer the tail, and rings for one that waits for half a
// ring of room.
func (r *Reader) publish() {
	if r.tail == r.published {
		return
	}
	r.published = r.tail
	r.shared.Store(r.tail)
	// The store above and the load below must not change places, nor those of a
	// writer that falls asleep: sync/atomic keeps one order of them all.
	want := r.peerRoom.Load()
	if want&wanted == 0 || want == r.rung {
		return
	}
	// Only a head that is read after the wish is the one that the writer sleeps by.
	if r.peerHead.Load()-r.tail <= r.size/2 {
		r.rung = want
		r.link.ring()
	}
}

func (r *Reader) fail(rule string, value uint64) error {
	r.fault = &Fault{Ring: r.name, Rule: rule, Position: r.tail, Value: value}
	r.link.faults.Add(1)
	return r.fault
}
