package capi

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"github.com/libos-go/libos/core"
)

// Kinds of actions, as crossing.h numbers them.
const (
	Transmit = 1 // ID is the device, the data are a frame
	Wake     = 2 // ID is the waiter
	Log      = 3 // the data are a line of text
	Arm      = 4 // ID is the deadline in nanoseconds, all ones for none
)

// HeaderSize is the length of an action before its data: kind and length of the
// data (4 bytes each), ID (8 bytes), in the machine's byte order. Data are padded
// to 8 bytes.
const HeaderSize = 16

// backlog is how many bytes of frames wait for C before devices are full.
const backlog = 4 << 20

// logBacklog is how many bytes of all kinds may wait before lines of the log are lost.
const logBacklog = 8 << 20

// Actions are what C is to do, oldest first. The next deadline is one value: what
// replaced it before C saw it is never seen. Methods may be called from any
// goroutine.
type Actions struct {
	mu      sync.Mutex
	buf     []byte
	head    int
	frames  int // bytes of frames in buf
	arm     core.Time
	armed   bool
	queued  *int32 // 1 while something waits; C reads it
	stalled []*core.Interface
}

// Flag has the word at p hold 1 while actions wait, 0 otherwise: for C to look at
// without a crossing. It is set before the first action.
func (q *Actions) Flag(p *int32) { q.queued = p }

func (q *Actions) flag() {
	v := int32(0)
	if q.head < len(q.buf) || q.armed {
		v = 1
	}
	if q.queued != nil {
		atomic.StoreInt32(q.queued, v)
	}
}

func (q *Actions) header(kind int, id uint64, n int) {
	b := q.buf
	b = binary.NativeEndian.AppendUint32(b, uint32(kind))
	b = binary.NativeEndian.AppendUint32(b, uint32(n))
	q.buf = binary.NativeEndian.AppendUint64(b, id)
}

func padded(n int) int { return (n + 7) &^ 7 }

// put adds an action.
func (q *Actions) put(kind int, id uint64, data []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if kind == Log && len(q.buf)-q.head > logBacklog {
		return
	}
	q.header(kind, id, len(data))
	q.buf = append(q.buf, data...)
	q.buf = append(q.buf, make([]byte, padded(len(data))-len(data))...)
	q.flag()
}

// Wake adds the wake-up of a waiter.
func (q *Actions) Wake(waiter uint64) { q.put(Wake, waiter, nil) }

// deadline replaces the next deadline.
func (q *Actions) deadline(t core.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.arm, q.armed = t, true
	q.flag()
}

// transmit adds packets of a device and frees them; it returns how many it took.
// The interface is offered the rest once C has taken enough. Inside an entry.
func (q *Actions) transmit(ifc *core.Interface, device uint64, batch []*core.Packet) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, p := range batch {
		if q.frames >= backlog {
			q.stall(ifc)
			q.flag()
			return i
		}
		n := p.Len()
		q.header(Transmit, device, n)
		at := len(q.buf)
		q.buf = append(q.buf, make([]byte, padded(n))...)
		p.CopyOut(0, q.buf[at:at+n])
		p.Free()
		q.frames += n
	}
	q.flag()
	return len(batch)
}

func (q *Actions) stall(ifc *core.Interface) {
	for _, x := range q.stalled {
		if x == ifc {
			return
		}
	}
	q.stalled = append(q.stalled, ifc)
}

// Take moves whole actions into dst, which has room for the largest, and returns
// the bytes. Interfaces that found no room are told, outside of any entry.
func (q *Actions) Take(dst []byte) int {
	q.mu.Lock()
	n := 0
	for q.head < len(q.buf) {
		kind := binary.NativeEndian.Uint32(q.buf[q.head:])
		data := int(binary.NativeEndian.Uint32(q.buf[q.head+4:]))
		size := HeaderSize + padded(data)
		if n+size > len(dst) {
			break
		}
		n += copy(dst[n:], q.buf[q.head:q.head+size])
		q.head += size
		if kind == Transmit {
			q.frames -= data
		}
	}
	if q.head == len(q.buf) {
		q.buf, q.head = q.buf[:0], 0
		if cap(q.buf) > 1<<20 {
			q.buf = nil
		}
	}
	if q.armed && n+HeaderSize <= len(dst) {
		binary.NativeEndian.PutUint32(dst[n:], Arm)
		binary.NativeEndian.PutUint32(dst[n+4:], 0)
		id := uint64(q.arm)
		if q.arm == core.Never {
			id = ^uint64(0)
		}
		binary.NativeEndian.PutUint64(dst[n+8:], id)
		n += HeaderSize
		q.armed = false
	}
	q.flag()
	var resume []*core.Interface
	if q.frames < backlog/2 {
		resume, q.stalled = q.stalled, nil
	}
	q.mu.Unlock()
	for _, ifc := range resume {
		ifc.Resume()
	}
	return n
}
