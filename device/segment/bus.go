package segment

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// bus is the right to send on a medium that carries one frame at a time. A port
// that finds it busy waits, its frames in the queue of its interface, and gets its
// turn when the medium is free: the next in line, or whom choose names.
type bus struct {
	free    core.Time // when the last frame has left
	waiting []*Port
	head    int
	turn    *Port // may send now, before everybody else
	timer   timer.Timer
	choose  func(waiting int) int
}

// room tells how many frames p may send now.
func (b *bus) room(p *Port) int {
	now := p.ifc.Instance().Now()
	if now >= b.free && (b.turn == p || b.turn == nil && b.head == len(b.waiting)) {
		return 1
	}
	if !p.waiting {
		p.waiting = true
		b.waiting = append(b.waiting, p)
	}
	b.arm(max(now+1, b.free))
	return 0
}

// arm has the next turn given at an instant. A turn that was given and not used
// is over a nanosecond later.
func (b *bus) arm(at core.Time) {
	if b.head < len(b.waiting) && !(b.timer.Pending() && b.timer.When() <= at) {
		b.waiting[b.head].ifc.Instance().SetTimer(&b.timer, at, b)
	}
}

// taken makes the medium busy until an instant.
func (b *bus) taken(p *Port, until core.Time) {
	b.free = until
	if b.turn == p {
		b.turn = nil
	}
	if b.head < len(b.waiting) {
		b.waiting[b.head].ifc.Instance().SetTimer(&b.timer, max(until, p.ifc.Instance().Now()+1), b)
	} else {
		p.ifc.Instance().CancelTimer(&b.timer)
	}
}

// contenders is how many ports wait.
func (b *bus) contenders() int { return len(b.waiting) - b.head }

// Expire implements timer.Expirer: the medium is free.
func (b *bus) Expire(*timer.Timer, core.Time) {
	b.turn = nil
	n := b.contenders()
	if n == 0 {
		return
	}
	if now := b.waiting[b.head].ifc.Instance().Now(); now < b.free {
		b.arm(b.free)
		return
	}
	if b.choose != nil && n > 1 {
		i := b.head + b.choose(n)
		b.waiting[b.head], b.waiting[i] = b.waiting[i], b.waiting[b.head]
	}
	p := b.waiting[b.head]
	b.waiting[b.head] = nil
	b.head++
	if b.head == len(b.waiting) {
		b.waiting, b.head = b.waiting[:0], 0
	} else if b.head > 64 && b.head*2 > len(b.waiting) {
		b.waiting = append(b.waiting[:0], b.waiting[b.head:]...)
		b.head = 0
	}
	p.waiting = false
	b.turn = p
	b.arm(p.ifc.Instance().Now() + 1)
	p.ifc.ResumeLocked()
}

// left forgets p.
func (b *bus) left(p *Port) {
	if b.turn == p {
		b.turn = nil
	}
	for i := b.head; p.waiting && i < len(b.waiting); i++ {
		if b.waiting[i] == p {
			b.waiting = append(b.waiting[:i], b.waiting[i+1:]...)
			break
		}
	}
	p.waiting = false
	p.ifc.Instance().CancelTimer(&b.timer) // it may be of p's instance
	b.arm(max(p.ifc.Instance().Now()+1, b.free))
}
