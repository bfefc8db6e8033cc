package netlink

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Links: struct ifinfomsg and IFLA_… attributes (rtnl_fill_ifinfo,
// net/core/rtnetlink.c).

// writeLink writes an interface as an open message.
func writeLink(w *writer, ifc *core.Interface, change uint32, family uint8, skipStats bool) {
	pr := ifc.Device().Properties()
	loopback := ifc.Flags()&core.FlagIsLoopback != 0
	typ := uint16(arphrdEther)
	switch {
	case loopback:
		typ = arphrdLoopback
	case ifc.Link() != core.LinkEthernet:
		typ = arphrdNone
	}
	flags := uint32(ifc.Flags())
	if loopback {
		flags &^= uint32(core.FlagNoARP) // Linux's has no need to say so
	}
	state := uint8(operDown)
	partner := ifc.Partner()
	switch {
	case ifc.Up() && ifc.Carrier():
		flags |= flagLowerUp
		if state = operUp; ifc.Link() != core.LinkEthernet || pr.NoOperState {
			state = operUnknown
		}
	case ifc.Up() && partner != nil:
		state = operLowerDown
	}
	w.u8(family, 0)
	w.u16(typ)
	w.u32(uint32(ifc.Index()))
	w.u32(flags)
	w.u32(change)
	w.text(iflaIfname, ifc.Name())
	w.attr32(iflaTxqlen, uint32(ifc.QueueLen()))
	w.attr8(iflaOperstate, state)
	w.attr8(iflaLinkmode, 0)
	w.attr32(iflaMTU, uint32(ifc.MTU()))
	least, most := uint32(68), uint32(ifc.MaxMTU())
	if loopback {
		least, most = 0, 0
	}
	w.attr32(iflaMinMTU, least)
	w.attr32(iflaMaxMTU, most)
	w.attr32(iflaGroup, ifc.Group())
	w.attr32(iflaPromiscuity, bit(ifc.Flags()&core.FlagPromiscuous != 0))
	w.attr32(iflaAllmulti, bit(ifc.Flags()&core.FlagAllMulticast != 0))
	w.attr32(iflaNumTxQueues, 1)
	w.attr32(iflaGSOMaxSegs, 65535)
	w.attr32(iflaGSOMaxSize, 65536)
	w.attr32(iflaGROMaxSize, 65536)
	w.attr32(iflaTSOMaxSize, 524280) // GSO_MAX_SIZE: the stack cuts whatever there is
	w.attr32(iflaTSOMaxSegs, 65535)
	w.attr32(iflaNumRxQueues, 1)
	switch {
	case partner != nil:
		w.attr32(iflaLink, uint32(partner.Index()))
	case pr.Kind == "veth":
		w.attr32(iflaLink, 0)
	}
	w.attr8(iflaCarrier, uint8(bit(ifc.Carrier())))
	w.text(iflaQdisc, qdiscName(ifc))
	w.attr32(iflaCarrierMoves, 0)
	w.attr8(iflaProtoDown, 0)
	w.header(iflaMap, 32)
	w.zeros(32)
	if typ != arphrdNone {
		a, b := ifc.HWAddr(), wire.HWBroadcast()
		if loopback {
			b = wire.HWAddr{}
		}
		w.attr(iflaAddress, a[:])
		w.attr(iflaBroadcast, b[:])
	}
	if !skipStats {
		writeStats(w, ifc)
	}
	if !loopback {
		at := w.nest(iflaLinkinfo)
		w.text(iflaInfoKind, pr.Kind)
		w.endNest(at)
	}
	if serves(ifc.Instance(), afInet6) {
		at := w.nest(iflaAFSpec)
		six := w.nest(afInet6)
		w.attr32(iflaInet6Flags, 0)
		w.attr8(iflaInet6GenMode, 0)
		w.endNest(six)
		w.endNest(at)
	}
	if names := ifc.AltNames(); len(names) > 0 {
		at := w.nest(iflaPropList)
		for _, name := range names {
			w.text(iflaAltIfname, name)
		}
		w.endNest(at)
	}
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// qdiscName is the discipline at the root of an interface.
func qdiscName(ifc *core.Interface) string {
	if q := ifc.Qdiscs(); len(q) > 0 {
		return q[0].Qdisc.Config().Kind()
	}
	if !ifc.Activated() {
		return "noop"
	}
	return "noqueue"
}

// statsFields is how many counters struct rtnl_link_stats64 has, one more than
// struct rtnl_link_stats.
const statsFields = 25

func writeStats(w *writer, ifc *core.Interface) {
	s := ifc.StatsNow()
	all := [statsFields]uint64{s.RxPackets, s.TxPackets, s.RxBytes, s.TxBytes, s.RxErrors, s.TxErrors, s.RxDropped, s.TxDropped, s.Multicast}
	all[statsFields-2] = s.RxUnknown // rx_nohandler; the last is rx_otherhost_dropped
	w.header(iflaStats64, 8*statsFields)
	for _, v := range all {
		w.u64(v)
	}
	w.header(iflaStats, 4*(statsFields-1))
	for _, v := range all[:statsFields-1] {
		w.u32(uint32(v))
	}
}

// skipStats tells whether the program wants no counters.
func (r *request) skipStats() bool {
	v, err := r.attrs.u32(iflaExtMask)
	return err == nil && v&extSkipStats != 0
}

// writeLink6 writes what IPv6 knows of an interface as an open message
// (inet6_fill_ifinfo, net/ipv6/addrconf.c).
func writeLink6(w *writer, ifc *core.Interface) {
	full := &writer{}
	writeLink(full, ifc, 0, afInet6, true)
	const header = 16
	w.b = append(w.b, full.b[:header]...)
	all, _ := parseAttributes(full.b[header:], header) // it is our own
	for _, typ := range [...]int{iflaIfname, iflaAddress, iflaMTU, iflaLink, iflaOperstate} {
		if x, ok := all.find(typ); ok {
			w.attr(typ, x.data)
		}
	}
	at := w.nest(iflaProtinfo)
	w.attr32(iflaInet6Flags, inet6Ready)
	w.header(iflaInet6Stats, 8*ipCounters) // which are kept for the instance alone
	w.u64(ipCounters)
	w.zeros(8 * (ipCounters - 1))
	w.attr8(iflaInet6GenMode, 0)
	w.endNest(at)
}

// dumpLinks tells of all interfaces.
func (r *request) dumpLinks() (*dump, error) {
	if m, err := r.attrs.u32(iflaMaster); err != nil || m != 0 {
		return none(), err
	}
	switch r.family() {
	case afBridge: // ports of bridges
		return none(), nil
	case afInet6:
		return listOf(r.in.Interfaces(), func(w *writer, begin func(uint16), ifc *core.Interface) {
			begin(newLink)
			writeLink6(w, ifc)
		}), nil
	}
	skip, wanted := r.skipStats(), ""
	if x, ok := r.attrs.find(iflaLinkinfo); ok {
		nested, err := parseAttributes(x.data, x.at+4)
		if err != nil {
			return nil, err
		}
		if wanted, _, err = nested.text(iflaInfoKind, 31); err != nil {
			return nil, err
		}
	}
	return listOf(r.in.Interfaces(), func(w *writer, begin func(uint16), ifc *core.Interface) {
		if wanted != "" && (ifc.Device().Properties().Kind != wanted || ifc.Flags()&core.FlagIsLoopback != 0) {
			return
		}
		begin(newLink)
		writeLink(w, ifc, 0, 0, skip)
	}), nil
}

// link is the interface that a request names by index or name, nil with a name that
// nobody has.
func (r *request) link() (*core.Interface, string, error) {
	if i := int32(binary.NativeEndian.Uint32(r.fixed[4:])); i != 0 {
		if i < 0 {
			return nil, "", refuse(syscall.EINVAL, "the interface's index is negative")
		}
		ifc := r.in.InterfaceByIndex(int(i))
		if ifc == nil {
			return nil, "", syscall.ENODEV
		}
		return ifc, "", nil
	}
	name, has, err := r.attrs.text(iflaIfname, 15)
	if !has && err == nil {
		name, has, err = r.attrs.text(iflaAltIfname, 127)
	}
	switch {
	case err != nil:
		return nil, "", err
	case !has:
		return nil, "", refuse(syscall.EINVAL, "the request names no interface")
	}
	return r.in.InterfaceNamed(name), name, nil
}

// namesLink tells whether a request has anything that names an interface.
func (r *request) namesLink() bool {
	return binary.NativeEndian.Uint32(r.fixed[4:]) != 0 || r.attrs.has(iflaIfname) || r.attrs.has(iflaAltIfname)
}

func (r *request) getLink() error {
	ifc, _, err := r.link()
	if err != nil {
		return err
	}
	if ifc == nil {
		return syscall.ENODEV
	}
	return r.answer(func(w *writer) {
		w.begin(newLink, 0, r.seq, r.pid)
		writeLink(w, ifc, 0, 0, r.skipStats())
		w.end()
	})
}
