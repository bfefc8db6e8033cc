package core

// Errand is work outside of the stack that an entry has found, such as to hand on what
// has arrived. Who brings things from outside (Carry, Deliver) also does the errands that
// come of it, after the entry: nobody need be woken for them, and no more is brought than
// is handed on.
type Errand struct {
	Run func() // on the goroutine of whoever carries; must not block
	due bool
}

// Errand has e run after the running entry, once however often it is called; false if
// whoever entered does no errands: then somebody is to be woken. Inside an entry.
func (d *Domain) Errand(e *Errand) bool {
	if d.carrying && !e.due {
		e.due = true
		d.errands = append(d.errands, e)
	}
	return e.due
}

// Carry is Do for who also does the errands that come of it.
func (d *Domain) Carry(f func()) {
	d.enter()
	d.carrying = true
	f()
	d.leave()
}

// takeErrands ends the carrying and appends the errands that came of it. Inside an entry.
func (d *Domain) takeErrands(to []*Errand) []*Errand {
	for _, e := range d.errands {
		e.due = false
	}
	to = append(to, d.errands...)
	clear(d.errands)
	d.errands, d.carrying = d.errands[:0], false
	return to
}
