package core

// socketTable finds sockets by their number: the low 20 bits are a place, the
// rest counts its users, so that the number of a closed socket finds nobody.
type socketTable struct {
	slots  []socketSlot
	free   uint32                    // first free place plus one
	groups map[SocketID][]membership // multicast groups joined
	owners map[SocketID]owner        // of sockets that programs of the system have
}

type socketSlot struct {
	socket *Socket
	next   uint32 // next free place plus one
	uses   uint32
}

const socketPlaces = 1 << 20

// add gives s a number; false when there are socketPlaces sockets.
func (t *socketTable) add(s *Socket) bool {
	at := t.free
	if at == 0 {
		if len(t.slots) == socketPlaces-1 {
			return false
		}
		t.slots = append(t.slots, socketSlot{})
		at = uint32(len(t.slots))
	}
	x := &t.slots[at-1]
	t.free, x.next = x.next, 0
	s.id = SocketID(x.uses*socketPlaces | at)
	x.uses++
	x.socket = s
	return true
}

func (t *socketTable) get(id SocketID) *Socket {
	at := id & (socketPlaces - 1)
	if at == 0 || int(at) > len(t.slots) {
		return nil
	}
	if s := t.slots[at-1].socket; s != nil && s.id == id {
		return s
	}
	return nil
}

func (t *socketTable) drop(s *Socket) {
	if t.get(s.id) != s {
		return
	}
	at := uint32(s.id & (socketPlaces - 1))
	x := &t.slots[at-1]
	x.socket, x.next, t.free = nil, t.free, at
	for _, m := range t.groups[s.id] {
		m.ifc.LeaveGroup(m.group)
	}
	delete(t.groups, s.id)
	delete(t.owners, s.id)
}

// closeAll closes every socket.
func (t *socketTable) closeAll() {
	for i := 0; i < len(t.slots); i++ {
		if s := t.slots[i].socket; s != nil {
			s.closeLocked()
		}
	}
}

// Sockets are the open sockets in the order of their places. Inside an entry.
func (in *Instance) Sockets() []*Socket {
	var out []*Socket
	for i := range in.sockets.slots {
		if s := in.sockets.slots[i].socket; s != nil {
			out = append(out, s)
		}
	}
	return out
}
