package pipe

import (
	"sync"

	"github.com/libos-go/libos/core"
)

// boxBytes and boxFrames bound an outbox. A frame that is larger than the
// space left waits in the interface's queue until the other side has fetched.
const (
	boxBytes  = 1 << 20
	boxFrames = 512
)

// outbox carries copies of frames to the other end's Domain. The sender fills
// it inside its entry and posts fetch to the receiver's Domain, which empties it
// inside an entry of its own; neither waits for the other. A sender that met a
// full box is resumed after the fetch.
type outbox struct {
	mu      sync.Mutex
	filling load
	posted  bool
	starved bool
	closed  bool

	taking load // what the receiver is at; under its Domain's lock
	taken  int  // frames of it that are through

	fetch  func() // prepared once: neither is allocated for each batch
	resume func()
}

type load struct {
	data   []byte
	frames []boxed
}

type boxed struct {
	at   core.Time // arrival on the sending host's clock, 0 at once
	end  int       // of its bytes in data
	meta core.FrameMeta
}

// sendAway copies frames to an end in another Domain.
func (e *End) sendAway(to *peer, batch []*core.Packet) int {
	in := e.ifc.Instance()
	now := in.Now()
	l, b := &e.out, &e.box
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		for _, p := range batch {
			p.Free()
		}
		return len(batch)
	}
	if b.fetch == nil {
		b.fetch = e.fetch
		b.resume = e.ifc.ResumeLocked
	}
	n := 0
	for ; n < len(batch); n++ {
		p := batch[n]
		if e.cable.cfg.Ferry != nil {
			if len(b.filling.frames) >= maxFlight { // it would not land
				e.ifc.Stats().TxDropped++
				p.Free()
				continue
			}
		} else if len(b.filling.frames) >= boxFrames-1 || len(b.filling.data) > 0 && len(b.filling.data)+2*p.Len() > boxBytes {
			b.starved = true
			break
		}
		l.count.Sent++
		var f fate
		if !l.ideal {
			f = l.carry(now, p.Len())
			if f.corrupted && !l.flipBit(p) {
				f.lost = true
			}
			if f.lost {
				e.ifc.Stats().TxDropped++
				p.Free()
				continue
			}
		} else {
			l.count.Bytes += uint64(p.Len())
		}
		b.filling.add(p, f.arrival, e.cable.cfg.Offload)
		if f.twice {
			b.filling.add(p, f.arrival, false)
		}
		p.Free()
	}
	post := !b.posted && len(b.filling.frames) > 0
	if post {
		b.posted = true
	}
	b.mu.Unlock()
	if post && e.cable.cfg.Ferry != nil {
		e.cable.cfg.Ferry.Waiting(e)
	} else if post {
		to.ifc.Instance().Domain().Post(b.fetch)
	}
	return n
}

// add copies p.
func (l *load) add(p *core.Packet, at core.Time, offload bool) {
	l.data = append(l.data, p.Linear()...)
	for i := range p.Frags() {
		l.data = append(l.data, p.Frags()[i].Bytes()...)
	}
	x := boxed{at: at, end: len(l.data)}
	if offload {
		x.meta = core.FrameMeta{Checksum: p.Checksum, ChecksumField: p.ChecksumField, SegmentSize: p.SegmentSize}
		if p.Checksum == core.ChecksumPartial {
			x.meta.ChecksumStart = uint16(p.ChecksumOffset())
		}
	}
	l.frames = append(l.frames, x)
}

// fetchFrames is how many frames one entry of the receiver takes: less than an
// entry carries on, so that its queues do not grow.
const fetchFrames = 64

// fetch takes frames from e's outbox into the other end. Inside an entry of the
// other end's Domain.
func (e *End) fetch() {
	b, far := &e.box, e.other
	if b.taken == len(b.taking.frames) && !e.swap() {
		return
	}
	// Arrivals are instants of the sender's clock; hosts that are not the same
	// have clocks of their own.
	var shift core.Time
	in := far.ifc.Instance()
	if mine, its := in.Domain().Host(), e.ifc.Instance().Domain().Host(); mine != its {
		shift = mine.Now() - its.Now()
	}
	from := 0
	if b.taken > 0 {
		from = b.taking.frames[b.taken-1].end
	}
	for n := 0; n < fetchFrames && b.taken < len(b.taking.frames); n++ {
		f := &b.taking.frames[b.taken]
		data := b.taking.data[from:f.end]
		from = f.end
		b.taken++
		if far.in.closed {
			continue
		}
		p := in.NewInput(core.Frame{Data: data, Meta: f.meta})
		if p == nil {
			far.ifc.Stats().RxDropped++
			continue
		}
		if f.at == 0 {
			far.ifc.Receive(p)
		} else {
			far.in.put(p, f.at+shift)
		}
	}
	if b.taken < len(b.taking.frames) || e.swap() {
		in.Domain().Post(b.fetch)
	}
}

// swap begins with what the sender has filled in meanwhile; false when there is
// nothing and the sender is to post again.
func (e *End) swap() bool {
	b := &e.box
	b.mu.Lock()
	b.taking, b.filling = b.filling, load{b.taking.data[:0], b.taking.frames[:0]}
	b.taken = 0
	b.posted = len(b.taking.frames) > 0
	more, resume := b.posted, b.starved && !b.closed
	b.starved = false
	b.mu.Unlock()
	if resume {
		e.ifc.Instance().Domain().Post(b.resume)
	}
	return more
}

// close refuses more. What waits is still fetched.
func (b *outbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
}
