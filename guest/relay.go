//go:build linux && (amd64 || arm64)

package guest

import "github.com/libos-go/libos/core"

// relay is what the Guests of a Domain share: who carries something into the stack also
// carries on what that makes arrive at other programs of the Domain, so that nobody need
// be woken for it, and no more is sent than is received. Under the Domain's lock.
type relay struct {
	open bool // somebody will take what is due
	due  []errand
}

// errand is what carries something that has arrived.
type errand interface {
	taken() // is called inside an entry, before run
	run()   // may not block; what it cannot do is its owner's
}

// relayOf is the relay of a Domain.
func relayOf(d *core.Domain) (r *relay) {
	d.Do(func() { r = d.Shared(relayKey{}, func() any { return new(relay) }).(*relay) })
	return r
}

type relayKey struct{}

// add hands e to whoever takes what is due; false if nobody will. Inside an entry.
func (r *relay) add(e errand) bool {
	if r.open {
		r.due = append(r.due, e)
	}
	return r.open
}

// carrier enters the stack for a goroutine that carries.
type carrier struct {
	domain *core.Domain
	relay  *relay
	work   func()
	due    []errand
	begin  func()
	end    func()
}

// init has the carrier do work in its entries.
func (c *carrier) init(g *Guest, work func()) {
	c.domain, c.relay, c.work = g.process.Domain(), g.relay, work
	c.begin = func() {
		c.relay.open = true
		c.work()
	}
	c.end = func() {
		r := c.relay
		for _, e := range r.due {
			e.taken()
		}
		c.due = append(c.due[:0], r.due...)
		clear(r.due)
		r.due, r.open = r.due[:0], false
	}
}

// carry does the work in an entry, and what arrives by that after it.
func (c *carrier) carry() {
	c.domain.Do(c.begin)
	c.domain.Do(c.end)
	for i, e := range c.due {
		c.due[i] = nil
		e.run()
	}
}
