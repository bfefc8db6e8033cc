package pipe

import "github.com/libos-go/libos/core"

// Ferry takes frames over to another Domain at moments of its own choice, for
// hosts that run in step: a sender's Domain may then be ahead of the receiver's
// by less than the pipe's delay.
type Ferry interface {
	// Waiting is called once, inside an entry of the sender's Domain, when
	// frames sent by e begin to wait. [End.Land] is to be called then, while
	// neither Domain runs.
	Waiting(e *End)
}

// Land takes what e sent to its other end, where it arrives at its time.
func (e *End) Land() {
	b, far := &e.box, e.other
	to := e.peer.Load()
	if to == nil {
		e.strand()
		return
	}
	in := to.ifc.Instance()
	in.Domain().Do(func() {
		from := 0
		for i := range b.filling.frames {
			f := &b.filling.frames[i]
			data := b.filling.data[from:f.end]
			from = f.end
			if far.in.closed {
				continue
			}
			p := in.NewInput(core.Frame{Data: data, Meta: f.meta})
			if p == nil {
				to.ifc.Stats().RxDropped++
				continue
			}
			far.in.put(p, f.at)
		}
	})
	e.strand()
}

// strand forgets what waits.
func (e *End) strand() {
	b := &e.box
	b.filling = load{b.filling.data[:0], b.filling.frames[:0]}
	b.posted = false
}
