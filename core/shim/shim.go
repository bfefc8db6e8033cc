package shim

import (
	"errors"
	"fmt"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
)

// Options say how the wall behaves.
type Options struct {
	// Later has everything that needs no answer cross after the entry that sent
	// it, so that operations of sockets end later. Otherwise it crosses at once.
	Later bool
	// Failed is told of breaches of the contract and of memory that the handler
	// still holds when it was closed.
	Failed func(error)
}

// Wrap returns the entry of a protocol that reaches the one of e by messages
// only. A protocol that is not behind the narrow contract stays as it is.
func Wrap(e core.ProtocolEntry, o Options) core.ProtocolEntry {
	inner := e.Protocol.NewHandler
	if inner == nil {
		return e
	}
	table := e.Sysctls
	e.Protocol.NewHandler = func(env core.Env) core.Handler {
		w := &wall{later: o.Later, env: env, failed: o.Failed}
		w.run = w.drain
		if err := w.open(e.Protocol.Name); err != nil {
			w.fail(err)
			return inner(env)
		}
		w.near.Failed, w.far.Failed = w.fail, w.fail
		w.far.Start(w.instance, inner, table, toNear{w})
		w.near.Start(env, table, toFar{w})
		return &handler{&w.near, w}
	}
	return e
}

// wall is what lies between the two ends of one handler. Everything happens
// inside entries of the near end's Domain.
type wall struct {
	near     remote.Near
	far      remote.Far
	instance *core.Instance // what the far end's packets are charged to
	host     host
	env      core.Env
	later    bool
	posted   bool
	busy     bool     // the far end works on a message
	queue    [][]byte // to the far end
	spare    [][]byte
	answers  [2][]byte // the last one to each end
	run      func()
	failed   func(error)
	message  []byte // for visit
	answer   []byte
	visit    func()
}

func (w *wall) open(name string) error {
	w.host = host{wall: w}
	w.visit = func() { w.answer = w.far.Handle(w.message) }
	var err error
	w.instance, err = core.New(core.Options{Name: "far side of " + name, Wiring: &core.Wiring{Name: "far side"},
		Domain: core.NewDomain(&w.host, core.DomainOptions{Debug: true})})
	return err
}

func (w *wall) fail(err error) {
	if w.failed != nil {
		w.failed(err)
	}
}

// handler is the near end with what ends the far Domain.
type handler struct {
	*remote.Near
	wall *wall
}

// Close implements core.Handler.
func (h *handler) Close() {
	h.Near.Close()
	d := h.wall.instance.Domain()
	if err := errors.Join(h.wall.instance.Close(), d.Close()); err != nil {
		h.wall.fail(err)
	}
}

// toFar is the peer of the near end.
type toFar struct{ w *wall }

// Post implements remote.Peer.
func (p toFar) Post(msg []byte) {
	w := p.w
	w.queue = append(w.queue, w.copy(msg))
	if !w.later {
		w.drain()
	} else if !w.posted {
		w.posted = true
		w.env.(interface{ Post(func()) }).Post(w.run)
	}
}

// Call implements remote.Peer.
func (p toFar) Call(msg []byte) []byte {
	w := p.w
	if w.busy {
		w.fail(fmt.Errorf("shim: a call of kind %d while the handler is at work", msg[4]))
		return nil
	}
	m := w.copy(msg)
	w.drain()
	answer := w.deliver(m)
	w.answers[0] = append(w.answers[0][:0], answer...)
	spoil(answer)
	w.drain()
	return w.answers[0]
}

// drain brings what was posted to the far end, oldest first.
func (w *wall) drain() {
	if w.busy {
		return // whoever is there goes on
	}
	w.posted = false
	for i := 0; i < len(w.queue); i++ {
		spoil(w.deliver(w.queue[i]))
	}
	w.queue = w.queue[:0]
}

// deliver has the far end work on m in an entry of its Domain.
func (w *wall) deliver(m []byte) []byte {
	w.busy, w.message = true, m
	w.instance.Domain().Do(w.visit)
	w.busy = false
	w.give(m)
	return w.answer
}

// toNear is the peer of the far end, which is always inside an entry of the near
// end's Domain.
type toNear struct{ w *wall }

// Post implements remote.Peer.
func (p toNear) Post(msg []byte) {
	m := p.w.copy(msg)
	spoil(p.w.near.Handle(m))
	p.w.give(m)
}

// Call implements remote.Peer.
func (p toNear) Call(msg []byte) []byte {
	w := p.w
	m := w.copy(msg)
	answer := w.near.Handle(m)
	w.give(m)
	w.answers[1] = append(w.answers[1][:0], answer...)
	spoil(answer)
	return w.answers[1]
}

// copy is a copy of msg, to be given back.
func (w *wall) copy(msg []byte) []byte {
	var m []byte
	if n := len(w.spare); n > 0 {
		m, w.spare = w.spare[n-1], w.spare[:n-1]
	}
	return append(m[:0], msg...)
}

func (w *wall) give(m []byte) {
	spoil(m)
	w.spare = append(w.spare, m)
}

// spoil overwrites what nobody may look at any more.
func spoil(b []byte) {
	for i := range b {
		b[i] = 0xdb
	}
}
