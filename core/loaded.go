package core

import (
	"fmt"
	"slices"
	"syscall"
)

// loaded are the transport protocols that an instance got after it was made, as
// modules are. The instance then has a wiring of its own, which asks the tables
// of the first and searches these after.
type loaded struct {
	first   int // place of the first of them among the wiring's protocols
	entries []ProtocolEntry
}

// AddProtocol gives a running instance one more transport protocol. EEXIST if it
// has one of that name, or one that takes the same protocol number; ENETDOWN if
// it is closed.
func (in *Instance) AddProtocol(e ProtocolEntry) error {
	if (e.Protocol.New == nil) == (e.Protocol.NewHandler == nil) || e.Protocol.Name == "" {
		return fmt.Errorf("core: %s: a protocol needs a name and one of New and NewHandler: %w", in.name, syscall.EINVAL)
	}
	var err error
	in.domain.Do(func() { err = in.addProtocol(e) })
	return err
}

func (in *Instance) addProtocol(e ProtocolEntry) error {
	if in.closed {
		return syscall.ENETDOWN
	}
	for i := range in.wiring.Protocols {
		p := &in.wiring.Protocols[i].Protocol
		if p.Name == e.Protocol.Name {
			return fmt.Errorf("core: %s has the protocol %s already: %w", in.name, p.Name, syscall.EEXIST)
		}
		for _, n := range e.Protocol.Numbers {
			if slices.Contains(p.Numbers, n) {
				return fmt.Errorf("core: %s: protocol number %d of %s is taken by %s: %w", in.name, n, e.Protocol.Name, p.Name, syscall.EEXIST)
			}
		}
	}
	l := in.ownWiring()
	at := slices.IndexFunc(l.entries, func(x ProtocolEntry) bool { return x.Protocol.Name == "" })
	if at < 0 {
		at = len(l.entries)
		l.entries = append(l.entries, ProtocolEntry{})
		in.transports = append(in.transports, nil)
		in.sysctls.insert(len(in.networks) + l.first + at)
	}
	l.entries[at] = e
	in.wiring.Protocols = append(in.wiring.Protocols[:l.first:l.first], l.entries...)
	table := len(in.networks) + l.first + at
	var block any
	if e.Sysctls != nil {
		block = e.Sysctls.Default
	}
	in.sysctls.set(table, block)
	in.transports[l.first+at] = absent{} // while the protocol opens
	t := e.Protocol.open(in, SysctlView{in, table})
	in.transports[l.first+at] = t
	if s, ok := t.(*separable); ok {
		s.News()
	}
	return nil
}

// RemoveProtocol takes a protocol away that AddProtocol gave. ENOENT if there is
// none of that name, EBUSY while it has sockets.
func (in *Instance) RemoveProtocol(name string) error {
	var err error
	in.domain.Do(func() { err = in.removeProtocol(name) })
	return err
}

func (in *Instance) removeProtocol(name string) error {
	l := in.loaded
	at := -1
	if l != nil && !in.closed {
		at = slices.IndexFunc(l.entries, func(x ProtocolEntry) bool { return x.Protocol.Name == name && name != "" })
	}
	if at < 0 {
		return fmt.Errorf("core: %s: no protocol %s was added: %w", in.name, name, syscall.ENOENT)
	}
	if n := in.socketsOf(l.first + at); n > 0 {
		return fmt.Errorf("core: %s: the protocol %s is in use by %d sockets: %w", in.name, name, n, syscall.EBUSY)
	}
	in.domain.deliverLocal() // what was gathered for it
	in.transports[l.first+at].Close()
	in.transports[l.first+at] = absent{}
	l.entries[at] = ProtocolEntry{}
	in.wiring.Protocols = append(in.wiring.Protocols[:l.first:l.first], l.entries...)
	in.sysctls.set(len(in.networks)+l.first+at, nil)
	return nil
}

// SocketsOf is how many sockets of a protocol are open, by its name.
func (in *Instance) SocketsOf(name string) int {
	n := 0
	in.domain.Do(func() {
		for i := range in.wiring.Protocols {
			if in.wiring.Protocols[i].Protocol.Name == name {
				n += in.socketsOf(i)
			}
		}
	})
	return n
}

func (in *Instance) socketsOf(protocol int) int {
	n := 0
	for _, s := range in.Sockets() {
		if s.place == uint16(protocol) {
			n++
		}
	}
	return n
}

// ownWiring gives the instance a wiring of its own.
func (in *Instance) ownWiring() *loaded {
	if in.loaded != nil {
		return in.loaded
	}
	base := in.wiring
	l := &loaded{first: len(base.Protocols)}
	w := *base
	w.IPProtocol = func(n uint8) int {
		if i := base.IPProtocol(n); i >= 0 {
			return i
		}
		return l.find(func(p *Protocol) bool { return slices.Contains(p.Numbers, n) })
	}
	w.SocketKind = func(family, typ, protocol int) int {
		if i := base.SocketKind(family, typ, protocol); i >= 0 {
			return i
		}
		return l.find(func(p *Protocol) bool { return p.Serves(family, typ, protocol) })
	}
	in.wiring, in.loaded = &w, l
	return l
}

func (l *loaded) find(same func(*Protocol) bool) int {
	for i := range l.entries {
		if same(&l.entries[i].Protocol) {
			return l.first + i
		}
	}
	return -1
}

// insert makes place for one more table before the i-th.
func (s *sysctlState) insert(i int) {
	b := s.write()
	b.blocks = slices.Insert(b.blocks, i, nil)
	b.device++
	if b.qdisc > i { // it counts from 1
		b.qdisc++
	}
	if b.ports >= i {
		b.ports++
	}
	if b.buffers >= i {
		b.buffers++
	}
}

// absent is the transport in the place of a protocol that was removed.
type absent struct{}

func (absent) Input(batch []*Packet) {
	for _, p := range batch {
		p.Free()
	}
}
func (absent) Error(*ErrorReport) {}
func (absent) Event(*Event)       {}
func (absent) NewEndpoint(*Socket) (Endpoint, error) {
	return nil, syscall.EPROTONOSUPPORT
}
func (absent) Close() {}

// load asks for the protocol of a kind of socket that the instance lacks.
func (in *Instance) load(k SocketKind) {
	missing := false
	in.domain.Do(func() { missing = !in.closed && in.wiring.SocketKind(k.Family, k.Type, k.Protocol) < 0 })
	if missing {
		in.autoload(in, k)
	}
}
