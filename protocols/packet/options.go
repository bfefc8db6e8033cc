package packet

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/vnethdr"
)

// Options of SOL_PACKET with Linux's numbers (linux/if_packet.h). PACKET_RECV_OUTPUT and
// PACKET_TX_TIMESTAMP are names without an option behind them there, too: ENOPROTOOPT.
const (
	solPacket = 263

	packetAddMembership  = 1
	packetDropMembership = 2
	packetRxRing         = 5
	packetStatistics     = 6
	packetCopyThreshold  = 7
	packetAuxdata        = 8
	packetOriginalDevice = 9
	packetVersion        = 10
	packetHeaderLength   = 11
	packetReserve        = 12
	packetTxRing         = 13
	packetLoss           = 14
	packetVnetHeader     = 15
	packetTimestamp      = 17
	packetFanout         = 18
	packetTxHasOffset    = 19
	packetQdiscBypass    = 20
	packetRolloverStats  = 21
	packetFanoutData     = 22
	packetIgnoreOutgoing = 23
	packetVnetHeaderSize = 24

	memberMulticast   = 0
	memberPromiscuous = 1
	memberAllMulti    = 2
	memberUnicast     = 3
)

// settings are what options of one number hold.
type settings struct {
	copyThreshold  int32 // PACKET_COPY_THRESH: frames that a ring cuts are queued whole, too
	auxdata        bool
	originalDevice bool  // no interface here is the slave of another: it changes nothing
	version        int32 // PACKET_VERSION
	reserve        int   // PACKET_RESERVE
	timestamp      int32 // PACKET_TIMESTAMP: which clock of a card; there is none
	loss           bool  // PACKET_LOSS
	vnet           uint8 // PACKET_VNET_HDR_SZ: bytes before each frame, 0 for none
	hasOffset      bool  // PACKET_TX_HAS_OFF
	bypass         bool  // PACKET_QDISC_BYPASS
	ignore         bool  // PACKET_IGNORE_OUTGOING
}

// maxMembers bounds the memberships of a socket, maxMemberAddress is the longest address
// of one (MAX_ADDR_LEN).
const (
	maxMembers       = 512
	maxMemberAddress = 32
)

// membership is one of PACKET_ADD_MEMBERSHIP.
type membership struct {
	ifc  *core.Interface
	kind uint16
	addr [8]byte
	n    uint8
	uses int
}

// SetOption implements core.Endpoint (packet_setsockopt).
func (e *endpoint) SetOption(level, name int, b []byte) error {
	if level != solPacket {
		return syscall.ENOPROTOOPT
	}
	switch name {
	case packetAddMembership, packetDropMembership:
		return e.member(b, name == packetAddMembership)
	case packetRxRing, packetTxRing:
		return e.setRing(b, name == packetTxRing)
	case packetFanout:
		return e.joinFanout(b)
	case packetFanoutData:
		return e.setFanoutData(b)
	case packetVnetHeader, packetVnetHeaderSize, packetAuxdata, packetOriginalDevice: // may be longer than a number
		if len(b) < 4 || !e.raw && name != packetAuxdata && name != packetOriginalDevice {
			return syscall.EINVAL
		}
	case packetCopyThreshold, packetVersion, packetReserve, packetLoss, packetTimestamp, packetTxHasOffset, packetQdiscBypass, packetIgnoreOutgoing:
		if len(b) != 4 {
			return syscall.EINVAL
		}
	default:
		return syscall.ENOPROTOOPT
	}
	return e.setNumber(name, int32(binary.NativeEndian.Uint32(b)))
}

// ringed tells whether the socket has a ring.
func (e *endpoint) ringed() bool { return e.ring != nil || e.tx != nil }

// setNumber sets an option of one number. EBUSY for one of a ring's layout once there is
// a ring.
func (e *endpoint) setNumber(name int, v int32) error {
	o := &e.settings
	switch name {
	case packetCopyThreshold:
		o.copyThreshold = v
	case packetAuxdata:
		o.auxdata = v != 0
	case packetOriginalDevice:
		o.originalDevice = v != 0
	case packetVersion:
		if _, err := headerLength(v); err != nil {
			return err
		}
		if e.ringed() {
			return syscall.EBUSY
		}
		o.version = v
	case packetReserve:
		if v < 0 {
			return syscall.EINVAL
		}
		if e.ringed() {
			return syscall.EBUSY
		}
		o.reserve = int(v)
	case packetLoss:
		if e.ringed() {
			return syscall.EBUSY
		}
		o.loss = v != 0
	case packetVnetHeader, packetVnetHeaderSize:
		size := v
		if name == packetVnetHeader && v != 0 {
			size = vnethdr.HeaderSize
		}
		if size != 0 && size != vnethdr.HeaderSize && size != vnethdr.HeaderSize+2 {
			return syscall.EINVAL
		}
		if e.ringed() {
			return syscall.EBUSY
		}
		o.vnet = uint8(size)
	case packetTxHasOffset: // which Linux does without a word, too
		if !e.ringed() {
			o.hasOffset = v != 0
		}
	case packetTimestamp:
		o.timestamp = v
	case packetQdiscBypass:
		o.bypass = v != 0
	case packetIgnoreOutgoing:
		if v < 0 || v > 1 {
			return syscall.EINVAL
		}
		o.ignore = v != 0
	}
	return nil
}

// Option implements core.Endpoint (packet_getsockopt).
func (e *endpoint) Option(level, name int, buf []byte) (int, error) {
	if level != solPacket {
		return 0, syscall.ENOPROTOOPT
	}
	switch name {
	case packetStatistics:
		return copy(buf, e.statistics()), nil
	case packetRolloverStats: // struct tpacket_rollover_stats
		r := e.rollover
		if r == nil {
			return 0, syscall.EINVAL
		}
		ne := binary.NativeEndian
		return copy(buf, ne.AppendUint64(ne.AppendUint64(ne.AppendUint64(nil, r.all), r.huge), r.failed)), nil
	}
	v, err := e.number(name, buf)
	if err != nil {
		return 0, err
	}
	return copy(buf, binary.NativeEndian.AppendUint32(nil, uint32(v))), nil
}

// statistics is struct tpacket_stats, or tpacket_stats_v3; reading it begins anew.
func (e *endpoint) statistics() []byte {
	b := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, e.packets+e.drops), e.drops)
	if e.version == version3 {
		var frozen uint32
		if e.ring != nil {
			frozen, e.ring.block.frozen = e.ring.block.frozen, 0
		}
		b = binary.NativeEndian.AppendUint32(b, frozen)
	}
	e.packets, e.drops = 0, 0
	return b
}

// number is the value of an option of one number.
func (e *endpoint) number(name int, buf []byte) (int32, error) {
	o := &e.settings
	switch name {
	case packetCopyThreshold:
		return o.copyThreshold, nil
	case packetAuxdata:
		return number(o.auxdata), nil
	case packetOriginalDevice:
		return number(o.originalDevice), nil
	case packetVersion:
		return o.version, nil
	case packetHeaderLength: // of the version that is in buf
		if len(buf) < 4 {
			return 0, syscall.EINVAL
		}
		n, err := headerLength(int32(binary.NativeEndian.Uint32(buf)))
		return int32(n), err
	case packetReserve:
		return int32(o.reserve), nil
	case packetLoss:
		return number(o.loss), nil
	case packetVnetHeader:
		return number(o.vnet > 0), nil
	case packetVnetHeaderSize:
		return int32(o.vnet), nil
	case packetTxHasOffset:
		return number(o.hasOffset), nil
	case packetTimestamp:
		return o.timestamp, nil
	case packetFanout:
		return e.fanoutValue(), nil
	case packetQdiscBypass:
		return number(o.bypass), nil
	case packetIgnoreOutgoing:
		return number(o.ignore), nil
	}
	return 0, syscall.ENOPROTOOPT
}

func number(b bool) int32 {
	if b {
		return 1
	}
	return 0
}

// member is a struct packet_mreq, or a longer one with a longer address: what the
// interface is to let through beside what is for this host (packet_mc_add,
// packet_mc_drop). Links here let everything through, so that only the interface's flags
// tell of it.
func (e *endpoint) member(b []byte, add bool) error {
	if len(b) < 16 {
		return syscall.EINVAL
	}
	x := membership{kind: binary.NativeEndian.Uint16(b[4:])}
	length := int(binary.NativeEndian.Uint16(b[6:]))
	if length > maxMemberAddress || 8+length > len(b) {
		return syscall.EINVAL
	}
	if x.ifc = e.t.in.InterfaceByIndex(int(int32(binary.NativeEndian.Uint32(b)))); x.ifc == nil {
		if add {
			return syscall.ENODEV
		}
		return nil
	}
	own := 6 // bytes of the link's addresses
	if x.ifc.Link() == core.LinkRaw {
		own = 0
	}
	if length > own {
		if add {
			return syscall.EINVAL
		}
		return nil
	}
	x.n = uint8(length)
	copy(x.addr[:length], b[8:])
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
	case !add: // Linux has nothing against it
		return nil
	case (x.kind == memberMulticast || x.kind == memberUnicast) && length != own:
		return syscall.EINVAL
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
