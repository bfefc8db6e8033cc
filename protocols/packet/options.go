package packet

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Options of SOL_PACKET with Linux's numbers (linux/if_packet.h).
const (
	solPacket = 263

	packetAddMembership  = 1
	packetDropMembership = 2
	packetRxRing         = 5
	packetStatistics     = 6
	packetAuxdata        = 8
	packetVersion        = 10
	packetHeaderLength   = 11
	packetReserve        = 12
	packetIgnoreOutgoing = 23

	memberMulticast   = 0
	memberPromiscuous = 1
	memberAllMulti    = 2
	memberUnicast     = 3
)

// numKept are the options that a program may set and that change nothing here.
const numKept = 3

// kept is the place of such an option, -1 for another: PACKET_COPY_THRESH,
// PACKET_ORIGDEV, PACKET_QDISC_BYPASS.
func kept(name int) int {
	switch name {
	case 7:
		return 0
	case 9:
		return 1
	case 20:
		return 2
	}
	return -1
}

// maxMembers bounds the memberships of a socket.
const maxMembers = 512

// membership is one of PACKET_ADD_MEMBERSHIP.
type membership struct {
	ifc  *core.Interface
	kind uint16
	addr [8]byte
	n    uint8
	uses int
}

// SetOption implements core.Endpoint. Rings to send from (PACKET_TX_RING) and fanout do not
// exist: ENOPROTOOPT.
func (e *endpoint) SetOption(level, name int, b []byte) error {
	if level != solPacket {
		return syscall.ENOPROTOOPT
	}
	switch name {
	case packetAddMembership, packetDropMembership:
		return e.member(b, name == packetAddMembership)
	case packetRxRing:
		return e.setRing(b)
	case packetAuxdata, packetIgnoreOutgoing, packetVersion, packetReserve:
	default:
		if kept(name) < 0 {
			return syscall.ENOPROTOOPT
		}
	}
	if len(b) < 4 {
		return syscall.EINVAL
	}
	v := int32(binary.NativeEndian.Uint32(b))
	switch name {
	case packetAuxdata:
		e.auxdata = v != 0
	case packetIgnoreOutgoing:
		if v < 0 || v > 1 {
			return syscall.EINVAL
		}
		e.ignore = v != 0
	case packetVersion:
		if _, err := headerLength(v); err != nil {
			return err
		}
		if e.ring != nil {
			return syscall.EBUSY
		}
		e.version = v
	case packetReserve:
		if v < 0 {
			return syscall.EINVAL
		}
		if e.ring != nil {
			return syscall.EBUSY
		}
		e.reserve = int(v)
	default:
		e.kept[kept(name)] = v
	}
	return nil
}

// Option implements core.Endpoint. Reading the statistics begins them anew.
func (e *endpoint) Option(level, name int, buf []byte) (int, error) {
	if level != solPacket {
		return 0, syscall.ENOPROTOOPT
	}
	var v int32
	switch name {
	case packetStatistics: // struct tpacket_stats, or tpacket_stats_v3
		b := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, e.packets+e.drops), e.drops)
		if e.version == version3 {
			var frozen uint32
			if e.ring != nil {
				frozen, e.ring.block.frozen = e.ring.block.frozen, 0
			}
			b = binary.NativeEndian.AppendUint32(b, frozen)
		}
		e.packets, e.drops = 0, 0
		return copy(buf, b), nil
	case packetVersion:
		v = e.version
	case packetReserve:
		v = int32(e.reserve)
	case packetHeaderLength: // of the version that is in buf
		if len(buf) < 4 {
			return 0, syscall.EINVAL
		}
		n, err := headerLength(int32(binary.NativeEndian.Uint32(buf)))
		if err != nil {
			return 0, err
		}
		v = int32(n)
	case packetAuxdata:
		v = number(e.auxdata)
	case packetIgnoreOutgoing:
		v = number(e.ignore)
	default:
		k := kept(name)
		if k < 0 {
			return 0, syscall.ENOPROTOOPT
		}
		v = e.kept[k]
	}
	return copy(buf, binary.NativeEndian.AppendUint32(nil, uint32(v))), nil
}

func number(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// member is a struct packet_mreq: what the interface is to let through beside what is
// for this host. Links here let everything through, so that only the interface's flags
// tell of it.
func (e *endpoint) member(b []byte, add bool) error {
	if len(b) < 16 {
		return syscall.EINVAL
	}
	x := membership{kind: binary.NativeEndian.Uint16(b[4:])}
	alen := binary.NativeEndian.Uint16(b[6:])
	if alen > 8 || x.kind > memberUnicast {
		return syscall.EINVAL
	}
	x.n = uint8(alen)
	copy(x.addr[:alen], b[8:])
	if x.ifc = e.t.in.InterfaceByIndex(int(int32(binary.NativeEndian.Uint32(b)))); x.ifc == nil {
		return syscall.ENODEV
	}
	if add && (x.kind == memberMulticast || x.kind == memberUnicast) && (alen != 6 || x.ifc.Link() == core.LinkRaw) {
		return syscall.EINVAL
	}
	for i := range e.members {
		y := &e.members[i]
		if y.ifc != x.ifc || y.kind != x.kind || y.n != x.n || y.addr != x.addr {
			continue
		}
		if add {
			y.uses++
		} else if y.uses--; y.uses == 0 {
			e.leave(i)
		}
		return nil
	}
	switch {
	case !add: // packet_mc_drop: Linux has nothing against it
		return nil
	case len(e.members) == maxMembers:
		return syscall.ENOBUFS
	}
	x.uses = 1
	e.members = append(e.members, x)
	e.t.flags(x.ifc)
	return nil
}

// leave ends membership i.
func (e *endpoint) leave(i int) {
	ifc := e.members[i].ifc
	e.members = append(e.members[:i], e.members[i+1:]...)
	e.t.flags(ifc)
}

// forget drops what concerned an interface that is gone.
func (e *endpoint) forget(ifc *core.Interface) {
	for i := len(e.members) - 1; i >= 0; i-- {
		if e.members[i].ifc == ifc {
			e.members = append(e.members[:i], e.members[i+1:]...)
		}
	}
}

// flags brings IFF_PROMISC and IFF_ALLMULTI of an interface up to date.
func (t *transport) flags(ifc *core.Interface) {
	promiscuous, all := false, false
	for _, e := range t.sockets {
		for i := range e.members {
			if e.members[i].ifc == ifc {
				promiscuous = promiscuous || e.members[i].kind == memberPromiscuous
				all = all || e.members[i].kind == memberAllMulti
			}
		}
	}
	ifc.SetListening(promiscuous, all)
}
