package session

import (
	"maps"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
)

// setting is an option of the protocol's own that a socket was given, with its last
// value: the core keeps all else that makes a socket.
type setting struct {
	level, name int
	data        []byte
}

// maxSettings bounds the options of one socket that are kept. One with more cannot
// be made again.
const maxSettings = 64

// settings are the options of a handler's sockets.
type settings struct {
	of    map[core.SocketID][]setting
	under map[uint32]underWay // by tag
}

// underWay is a setting whose operation has not ended.
type underWay struct {
	socket core.SocketID
	setting
}

// note remembers an operation that may set an option.
func (s *settings) note(op *core.Op) {
	switch op.Kind {
	case core.OpSetOption:
		if op.Level == core.SolSocket && (op.Name == core.SoReuseAddr || op.Name == core.SoReusePort || op.Name == core.SoBindToDevice) {
			return
		}
		if s.under == nil {
			s.under = make(map[uint32]underWay)
		}
		s.under[op.Tag] = underWay{op.Socket, setting{op.Level, op.Name, slices.Clone(op.Data)}}
	case core.OpClose:
		delete(s.of, op.Socket)
		maps.DeleteFunc(s.under, func(_ uint32, x underWay) bool { return x.socket == op.Socket })
	}
}

// ended takes the end of an operation, of which the module decides the error alone.
func (s *settings) ended(op *core.Op) {
	x, ok := s.under[op.Tag]
	if !ok || op.Kind != core.OpSetOption {
		return
	}
	delete(s.under, op.Tag)
	if op.Err != nil {
		return
	}
	list := slices.DeleteFunc(s.of[x.socket], func(o setting) bool { return o.level == x.level && o.name == x.name })
	if s.of == nil {
		s.of = make(map[core.SocketID][]setting)
	}
	if len(list) <= maxSettings {
		list = append(list, x.setting)
	}
	s.of[x.socket] = list
}

func (s *settings) clear() { s.of, s.under = nil, nil }

// asked is an operation that was repeated at another process.
type asked struct {
	port uint16 // that it must end with, 0 for any
	try  bool   // it may fail
}

// repeat has the handler at the other process know the sockets. All operations are
// on their way at once.
func (t *takeover) repeat(p *plan) error {
	st := p.st
	st.plan, p.asked = p, make(map[uint32]asked)
	st.env.(standingEnv).News()
	for i := range p.standing {
		x := &p.standing[i]
		own := st.settings.of[x.ID]
		if x.Connection || len(own) > maxSettings {
			p.lost[x.ID] = true
			continue
		}
		for j := range x.Ops {
			op := &x.Ops[j]
			var a asked
			switch op.Kind {
			case core.OpSetOption: // the flags as they are, once all are bound
				continue
			case core.OpBind:
				if a.port = op.Addr.Port; a.port == 0 {
					a.port = op.Ports.Low
				}
			}
			p.ask(op, a)
			if op.Kind == core.OpOpen { // some must be set before a bind
				p.set(x.ID, own, true)
			}
		}
		if len(x.Ops) > 0 { // and some after it: the last value holds
			p.set(x.ID, own, false)
		}
	}
	for i := range p.standing {
		x := &p.standing[i]
		if n := len(x.Ops); n > 0 && x.Ops[n-1].Kind == core.OpSetOption && !x.Connection {
			p.ask(&x.Ops[n-1], asked{try: true})
		}
	}
	if !t.barrier() {
		return t.failed
	}
	if t.close(p); !t.barrier() {
		return t.failed
	}
	st.plan = nil
	return nil
}

// close has the handler at the other process forget the sockets that it did not
// make as they are.
func (t *takeover) close(p *plan) {
	for i := range p.standing {
		if id := p.standing[i].ID; p.lost[id] {
			op := core.Op{Kind: core.OpClose, Socket: id, Value: -1}
			p.ask(&op, asked{try: true})
		}
	}
}

// set repeats the options of a socket.
func (p *plan) set(id core.SocketID, own []setting, try bool) {
	for _, o := range own {
		op := core.Op{Kind: core.OpSetOption, Socket: id, Level: o.level, Name: o.name, Data: o.data}
		p.ask(&op, asked{try: try})
	}
}

func (p *plan) ask(op *core.Op, a asked) {
	op.Tag = p.st.env.(standingEnv).Tag()
	p.asked[op.Tag] = a
	p.st.near.Ask(op)
}

// answered takes the end of an operation that was repeated; false if it is none.
func (p *plan) answered(op *core.Op) bool {
	a, ok := p.asked[op.Tag]
	if !ok {
		return false
	}
	delete(p.asked, op.Tag)
	if !a.try && (op.Err != nil || a.port != 0 && op.Local.Port != a.port) {
		p.lost[op.Socket] = true
	}
	return true
}

// commit makes what the stack keeps of the handler's sockets that of the handler at
// the other process.
func (p *plan) commit() (lost int) {
	if p.saved {
		return 0
	}
	env := p.st.env.(standingEnv)
	env.ClearTimers()
	p.st.before = p.counters
	for _, x := range p.standing {
		if p.lost[x.ID] {
			env.Abandon(x.ID, syscall.ECONNRESET)
			delete(p.st.settings.of, x.ID)
			lost++
		}
	}
	return lost
}

// resume asks again what the old process had not ended.
func (p *plan) resume() {
	for i := range p.standing {
		op := p.standing[i].Pending
		if op == nil || p.lost[op.Socket] || !p.st.open {
			continue
		}
		p.st.near.Control(op)
		if op.Done {
			p.st.env.Complete(op)
		}
	}
}
