package core

import (
	"sync"
	"sync/atomic"
)

// inboxLimit bounds the bytes that wait in a Domain's inbox. A producer that
// meets it is told how many frames were taken and keeps or drops the rest.
const inboxLimit = 4 << 20

// Frame is one frame that comes from outside the Domain. The callee copies.
type Frame struct {
	Data []byte
	Meta FrameMeta
}

// FrameMeta is what a device knows about a frame beside its bytes.
type FrameMeta struct {
	Checksum      ChecksumState // what is known of the transport checksum
	ChecksumStart uint16        // ChecksumPartial: where summing starts
	ChecksumField uint16        // ChecksumPartial: where the result goes, from ChecksumStart
	SegmentSize   uint16        // bytes of payload of each segment of a merged frame, 0 if it is one
}

// inbox keeps frames that producers could not deliver because the Domain was
// busy. It has a lock of its own, held for copies only.
type inbox struct {
	mu    sync.Mutex
	work  atomic.Bool
	items []inboxItem
	bytes int
	spare []inboxItem
	calls []func()
	ended []func() // spare for calls
}

type inboxItem struct {
	ifc  *Interface
	data []byte
	meta FrameMeta
}

func (b *inbox) waiting() bool { return b.work.Load() }

// put copies frames and tells how many it took.
func (b *inbox) put(ifc *Interface, frames []Frame) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range frames {
		f := &frames[i]
		if b.bytes+len(f.Data) > inboxLimit {
			return i
		}
		b.bytes += len(f.Data)
		b.items = append(b.items, inboxItem{ifc, append([]byte(nil), f.Data...), f.Meta})
	}
	b.work.Store(true)
	return len(frames)
}

// Post has f run soon as an entry of the Domain. It never blocks, and may be
// called from any goroutine, also inside an entry of this or another Domain:
// it is how a device reaches the Domain of its other end.
func (d *Domain) Post(f func()) {
	d.inbox.mu.Lock()
	d.inbox.calls = append(d.inbox.calls, f)
	d.inbox.work.Store(true)
	d.inbox.mu.Unlock()
	if d.mu.TryLock() { // a holder looks again after unlocking
		d.host.Defer(d)
		d.mu.Unlock()
	}
}

// drain moves a snapshot of the inbox into the run queue, with d held.
func (b *inbox) drain(d *Domain) {
	if !b.work.Load() {
		return
	}
	b.mu.Lock()
	items := b.items
	b.items, b.spare, b.bytes = b.spare[:0], nil, 0
	calls := b.calls
	b.calls, b.ended = b.ended[:0], nil
	b.work.Store(false)
	b.mu.Unlock()
	for _, f := range calls {
		f()
	}
	for i := range items {
		it := &items[i]
		it.ifc.admit(Frame{it.data, it.meta})
	}
	clear(items)
	clear(calls)
	b.mu.Lock()
	b.spare, b.ended = items[:0], calls[:0]
	b.mu.Unlock()
}
