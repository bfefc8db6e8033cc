package packet

import (
	"encoding/binary"
	"math"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/bpf"
	"github.com/libos-go/libos/core/wire"
)

// How a group chooses which member gets a frame, and flags beside it, as PACKET_FANOUT has
// them in the low and the high byte of its second word (linux/if_packet.h).
const (
	fanoutHash     = 0
	fanoutBalance  = 1
	fanoutCPU      = 2
	fanoutRollover = 3
	fanoutRandom   = 4
	fanoutQueue    = 5
	fanoutProgram  = 6 // PACKET_FANOUT_CBPF
	fanoutExtended = 7 // PACKET_FANOUT_EBPF

	fanoutFlagRollover = 0x10
	fanoutFlagUnique   = 0x20
	fanoutFlagIgnore   = 0x40
	fanoutFlagDefrag   = 0x80
)

// Members of a group: how many it has if nobody said, and at most (PACKET_FANOUT_MAX).
const (
	fanoutMembers    = 256
	maxFanoutMembers = 1 << 16
)

// group is sockets among which frames are shared out: each goes to one of them (Linux:
// struct packet_fanout). Who makes it decides for all of what interface and ethertype
// the frames are.
type group struct {
	t        *transport
	id       uint16
	mode     uint8
	flags    uint8
	most     int
	uses     int         // sockets that belong to it
	members  []*endpoint // those of them that are linked: their interface is up
	ifindex  int
	protocol wire.EtherType
	next     uint32       // fanoutBalance
	program  *bpf.Program // fanoutProgram
	defrag   *defragmenter
}

// rollover is what a socket keeps that passes on frames for which it has no room.
type rollover struct {
	at                int // member that got the last
	all, huge, failed uint64
	history           [16]uint64 // hashes of flows lately
}

// joinFanout is PACKET_FANOUT: struct fanout_args, or its first word (fanout_add).
// EALREADY for a member, EINVAL for a mode that is none, a group of another mode,
// interface or ethertype and a socket that hears nothing, ENOSPC for a full group,
// ENOMEM when no number is free.
func (e *endpoint) joinFanout(b []byte) error {
	if len(b) != 4 && len(b) != 8 {
		return syscall.EINVAL
	}
	id, mode, flags := binary.NativeEndian.Uint16(b), uint8(0), uint8(0)
	word := binary.NativeEndian.Uint16(b[2:])
	mode, flags = uint8(word), uint8(word>>8)
	most := 0
	if len(b) == 8 {
		most = int(min(binary.NativeEndian.Uint32(b[4:]), math.MaxInt32))
	}
	switch {
	case mode > fanoutExtended, mode == fanoutRollover && flags&fanoutFlagRollover != 0:
		return syscall.EINVAL
	case e.group != nil:
		return syscall.EALREADY
	}
	t := e.t
	if flags&fanoutFlagUnique != 0 {
		if id != 0 {
			return syscall.EINVAL
		}
		var ok bool
		if id, ok = t.freeID(); !ok {
			return syscall.ENOMEM
		}
		flags &^= fanoutFlagUnique // it is of who makes the group only
	}
	g := t.groupOf(id)
	switch {
	case g == nil && most > maxFanoutMembers,
		g != nil && (g.flags != flags || most != 0 && most != g.most),
		e.protocol == 0,
		g != nil && (g.mode != mode || g.ifindex != e.ifindex || g.protocol != e.protocol):
		return syscall.EINVAL
	case g != nil && g.uses >= g.most:
		return syscall.ENOSPC
	}
	if g == nil {
		if most == 0 {
			most = fanoutMembers
		}
		g = &group{t: t, id: id, mode: mode, flags: flags, most: most, ifindex: e.ifindex, protocol: e.protocol}
		if flags&fanoutFlagDefrag != 0 {
			g.defrag = newDefragmenter(t.in)
		}
		if t.hashKey == 0 {
			t.hashKey = t.in.Random().Uint64() | 1
		}
		t.groups = append(t.groups, g)
	}
	e.group = g
	g.uses++
	if mode == fanoutRollover || flags&fanoutFlagRollover != 0 {
		e.rollover = new(rollover)
	}
	if !e.down {
		g.link(e, true)
	}
	return nil
}

// leaveFanout takes a socket that is closed out of its group, which ends with its last.
func (e *endpoint) leaveFanout() {
	g := e.group
	if g == nil {
		return
	}
	g.link(e, false)
	e.group = nil
	if g.uses--; g.uses > 0 {
		return
	}
	if g.defrag != nil {
		g.defrag.close()
	}
	for i, x := range g.t.groups {
		if x == g {
			g.t.groups = append(g.t.groups[:i:i], g.t.groups[i+1:]...)
			break
		}
	}
}

// setFanoutData is PACKET_FANOUT_DATA: the program by which a group chooses, an array of
// struct sock_filter as in SO_ATTACH_FILTER. There are no programs of the other kind
// (eBPF): EOPNOTSUPP, as of a kernel without bpf(2).
func (e *endpoint) setFanoutData(b []byte) error {
	g := e.group
	switch {
	case g == nil || g.mode != fanoutProgram && g.mode != fanoutExtended:
		return syscall.EINVAL
	case e.socket.Options().FilterLocked():
		return syscall.EPERM
	case g.mode == fanoutExtended && len(b) != 4:
		return syscall.EINVAL
	case g.mode == fanoutExtended:
		return syscall.EOPNOTSUPP
	}
	f, err := bpf.Parse(b)
	if err == nil {
		g.program = f
	}
	return err
}

// fanoutValue is what getsockopt gives.
func (e *endpoint) fanoutValue() int32 {
	g := e.group
	if g == nil {
		return 0
	}
	return int32(uint32(g.id) | uint32(g.mode)<<16 | uint32(g.flags)<<24)
}

func (t *transport) groupOf(id uint16) *group {
	for _, g := range t.groups {
		if g.id == id {
			return g
		}
	}
	return nil
}

// freeID is a number that no group has (fanout_find_new_id).
func (t *transport) freeID() (uint16, bool) {
	for range 1 << 16 {
		id := t.nextID
		t.nextID++
		if t.groupOf(id) == nil {
			return id, true
		}
	}
	return 0, false
}

// link puts a socket among those that get frames, or takes it away: the last takes its
// place (__fanout_link, __fanout_unlink).
func (g *group) link(e *endpoint, on bool) {
	for i, x := range g.members {
		if x != e {
			continue
		}
		if !on {
			last := len(g.members) - 1
			g.members[i] = g.members[last]
			g.members[last] = nil
			g.members = g.members[:last]
		}
		return
	}
	if on {
		g.members = append(g.members, e)
	}
}

// hears tells whether a frame is one that the group is for; frames of its sockets are not.
func (g *group) hears(f *frame) bool {
	if len(g.members) == 0 || g.ifindex != 0 && g.ifindex != f.ifc.Index() {
		return false
	}
	if f.from.Type != core.PacketOutgoing {
		return g.protocol == allTypes || g.protocol == f.from.Protocol
	}
	if g.protocol != allTypes || g.flags&fanoutFlagIgnore != 0 {
		return false
	}
	if f.own {
		for _, e := range g.t.sockets {
			if e.group == g && uint32(e.socket.ID()) == f.p.FlowLabel {
				return false
			}
		}
	}
	return true
}

// receive gives a frame to one of the sockets (packet_rcv_fanout).
func (g *group) receive(f *frame) {
	if g.defrag != nil {
		if whole := g.defrag.frame(f); whole == nil {
			return
		} else if whole != f {
			defer whole.p.Free()
			f = whole
		}
	}
	i := g.choose(f)
	if g.flags&fanoutFlagRollover != 0 {
		i = g.roll(f, i, true)
	}
	g.members[i].receive(f)
}

// choose is the number of the member whose turn it is by the group's mode. There is one
// processor and one queue here.
func (g *group) choose(f *frame) int {
	n := uint64(len(g.members))
	switch g.mode {
	case fanoutHash:
		return int(f.hash(g.t) % n)
	case fanoutBalance:
		g.next++
		return int(uint64(g.next) % n)
	case fanoutRandom:
		return int(g.t.in.Random().Uint64() % n)
	case fanoutRollover:
		return g.roll(f, 0, false)
	case fanoutProgram:
		if g.program == nil {
			return 0
		}
		// Of a received frame a program sees what is behind the link header.
		v := g.t.see(f)
		if f.from.Type != core.PacketOutgoing {
			v.Before, v.LinkAt, v.NetworkAt = -f.header, -f.header, 0
		}
		return int(uint64(g.program.Run(v)) % n)
	}
	return 0
}

// hash is of the frame's flow, the same in both directions.
func (f *frame) hash(t *transport) uint64 { return f.p.FlowHashBothWays(f.ifc.Link(), t.hashKey) }

// roll looks for a member with room for a frame that member i should get, or which has
// none that should; with self it may be i (fanout_demux_rollover).
func (g *group) roll(f *frame, i int, self bool) int {
	e, state := g.members[i], full
	var skip *endpoint
	if self {
		state = e.room(f.p)
		if state == roomy || state == tight && !e.rollover.busy(f.hash(g.t), g.t.in) {
			return i
		}
		skip = e
	}
	r := e.rollover
	first := min(r.at, len(g.members)-1)
	for j := first; ; {
		if x := g.members[j]; x != skip && !x.pressed && x.room(f.p) == roomy {
			r.at = j
			r.all++
			if state == tight {
				r.huge++
			}
			return j
		}
		if j++; j == len(g.members) {
			j = 0
		}
		if j == first {
			r.failed++
			return i
		}
	}
}

// busy tells whether more than half of the flows lately was this one (fanout_flow_is_huge).
func (r *rollover) busy(hash uint64, in *core.Instance) bool {
	n := 0
	for _, h := range r.history {
		if h == hash {
			n++
		}
	}
	r.history[in.Random().Uint64()%uint64(len(r.history))] = hash
	return n > len(r.history)/2
}

// roomState is how much a socket can still take: little is less than a quarter.
type roomState uint8

const (
	full roomState = iota
	tight
	roomy
)

// room tells how much room the socket has beside p, which may be nil, and notes it
// (packet_rcv_has_room).
func (e *endpoint) room(p *core.Packet) roomState {
	s := full
	if r := e.ring; r != nil {
		s = r.room()
	} else {
		most := int(e.socket.Options().ReceiveBuffer)
		left := most - e.queued
		if p != nil {
			left -= p.TrueSize()
		}
		switch {
		case left > most/4:
			s = roomy
		case left > 0:
			s = tight
		}
	}
	e.pressed = s != roomy
	return s
}

// relax looks whether a socket that had not much room has it again
// (packet_rcv_try_clear_pressure).
func (e *endpoint) relax() {
	if e.pressed {
		e.room(nil)
	}
}
