package netlink

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
)

// Sockets of AF_PACKET (net/packet/diag.c) and AF_NETLINK (net/netlink/diag.c).

const (
	packetShowInfo = 1

	packetInfo    = 0
	packetUID     = 5
	packetMemInfo = 6
	packetShowMem = 1 << 4

	netlinkMemInfo    = 0
	netlinkGroups     = 1
	netlinkFlags      = 4
	netlinkShowMem    = 1
	netlinkShowGroups = 2
	netlinkShowFlags  = 8
	netlinkAll        = 0xff
)

type otherSocket struct {
	core.SocketEntry
	cookie uint64
	memory [9]uint32
	flags  uint32
	pid    uint32
	peer   uint32
	groups uint64
}

func (r *request) others(family int, f func(*otherSocket) bool) (list []otherSocket) {
	for _, x := range r.in.SocketEntries() {
		if x.Family != family || x.Socket == nil {
			continue
		}
		if s := (otherSocket{SocketEntry: x, cookie: uint64(x.Socket.ID()), memory: x.Socket.MemInfo()}); f(&s) {
			list = append(list, s)
		}
	}
	return list
}

// dumpPacketSockets writes struct packet_diag_msg of each.
func (r *request) dumpPacketSockets() (*dump, error) {
	show := r.u32At(8)
	list := r.others(core.AFPacket, func(*otherSocket) bool { return true })
	return listOf(list, func(w *writer, begin func(uint16), s otherSocket) {
		begin(sockDiagByFamily)
		w.u8(afPacket, uint8(s.Type))
		w.u16(s.Local.Port)
		w.u32(uint32(s.Inode))
		w.cookie(s.cookie)
		if show&packetShowInfo != 0 {
			w.header(packetInfo, 24)
			w.u32(s.Local.Scope)
			w.zeros(20)
			w.attr32(packetUID, s.UID)
		}
		if show&packetShowMem != 0 {
			writeMemory(w, packetMemInfo, s.memory)
		}
	}), nil
}

// dumpNetlinkSockets writes struct netlink_diag_msg of each.
func (r *request) dumpNetlinkSockets() (*dump, error) {
	show, protocol := r.u32At(8), r.fixed[1]
	list := r.others(core.AFNetlink, func(s *otherSocket) bool {
		e, ok := s.Socket.Endpoint().(*endpoint)
		if !ok || protocol != netlinkAll && int(protocol) != s.Protocol {
			return false
		}
		s.pid, s.peer, s.groups, s.flags = e.pid, e.peer, e.groups, e.flagBits()
		return true
	})
	return listOf(list, func(w *writer, begin func(uint16), s otherSocket) {
		begin(sockDiagByFamily)
		state := uint8(0) // NETLINK_UNCONNECTED
		if s.peer != 0 {
			state = 1
		}
		w.u8(afNetlink, uint8(s.Type), uint8(s.Protocol), state)
		w.u32(s.pid)
		w.u32(s.peer)
		w.u32(0)
		w.u32(uint32(s.Inode))
		w.cookie(s.cookie)
		if show&netlinkShowGroups != 0 && s.groups != 0 {
			w.attr(netlinkGroups, binary.NativeEndian.AppendUint64(nil, s.groups))
		}
		if show&netlinkShowMem != 0 {
			writeMemory(w, netlinkMemInfo, s.memory)
		}
		if show&netlinkShowFlags != 0 {
			w.attr32(netlinkFlags, s.flags)
		}
	}), nil
}

func writeMemory(w *writer, typ int, memory [9]uint32) {
	w.header(typ, 4*len(memory))
	for _, v := range memory {
		w.u32(v)
	}
}

// flagBits are the NDIAG_FLAG_… of a socket.
func (e *endpoint) flagBits() (v uint32) {
	for i, on := range [...]bool{e.dump != nil, e.pktInfo, e.broadcastEr, e.noENOBUFS, e.allNSID, e.capAck} {
		v |= bit(on) << i
	}
	return v
}
