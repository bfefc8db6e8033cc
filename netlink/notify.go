package netlink

import (
	"github.com/libos-go/libos/core"
)

// Announce implements core.Announcer.
func (t *transport) Announce(e *core.Event) { t.hear(e) }

// Event tells the members of a group what changed.
func (t *transport) Event(e *core.Event) {
	if e.Kind != core.EventInterface && e.Kind != core.EventAddress {
		t.hear(e)
	}
}

func (t *transport) hear(e *core.Event) {
	if len(t.sockets) == 0 {
		return
	}
	typ, group := uint16(0), uint32(0)
	var write func(w *writer)
	ifc := e.Interface
	switch e.Kind {
	case core.EventInterface, core.EventInterfaceGone:
		if typ = newLink; e.Kind == core.EventInterfaceGone {
			typ = delLink
		}
		if e.New || typ == delLink {
			t.tellNetconf(ifc, typ == delLink)
		}
		group, write = groupLink, func(w *writer) { writeLink(w, ifc, 0, 0, false) }
	case core.EventAddress, core.EventAddressChanged, core.EventAddressGone:
		if e.Address == nil {
			return
		}
		if typ = newAddr; e.Kind == core.EventAddressGone {
			typ = delAddr
		}
		if group = groupIPv6Addr; e.Addr.Is4() {
			group = groupIPv4Addr
		}
		a := e.Address
		write = func(w *writer) { writeAddress(w, ifc, a) }
	case core.EventRoute:
		if e.Route == nil {
			return
		}
		if typ = newRoute; e.Gone {
			typ = delRoute
		}
		if group = groupIPv6Route; e.Route.Prefix.Addr.Is4() {
			group = groupIPv4Route
		}
		route, gone := e.Route, e.Gone && !e.Route.Prefix.Addr.Is4()
		write = func(w *writer) { writeRouteAs(w, t.in, route, gone) }
	default:
		return
	}
	t.tell(typ, group, write)
}

// NeighbourChanged implements core.NeighbourWatcher.
func (t *transport) NeighbourChanged(n *core.Neighbour, gone bool) {
	if len(t.sockets) == 0 {
		return
	}
	typ := uint16(newNeigh)
	if gone {
		typ = delNeigh
	}
	t.tell(typ, groupNeigh, func(w *writer) { writeNeighbour(w, n) })
}

// tell sends a message to the members of a group, and to who asked for an echo of
// what it caused.
func (t *transport) tell(typ uint16, group uint32, write func(w *writer)) {
	t.tellAs(typ, 0, group, write)
}

// tellAs is tell with flags of the message.
func (t *transport) tellAs(typ, flags uint16, group uint32, write func(w *writer)) {
	var w *writer
	for _, e := range t.sockets {
		echo := t.cause != nil && t.cause.e == e && t.cause.flags&flagEcho != 0
		if e.protocol != protoRoute || !e.member(group) && !echo {
			continue
		}
		if w == nil { // all readers share the bytes, which nobody changes
			w = &writer{}
			seq, pid := uint32(0), uint32(0)
			if t.cause != nil && group != groupLink && group != groupNetconf4 && group != groupNetconf6 {
				seq, pid = t.cause.seq, t.cause.pid
			}
			w.begin(typ, flags, seq, pid)
			write(w)
			w.end()
		}
		e.put(datagram{b: w.b, group: group})
	}
}
