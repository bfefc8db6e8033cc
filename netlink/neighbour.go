package netlink

import (
	"encoding/binary"
	"slices"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Neighbours: struct ndmsg and NDA_… attributes (neigh_fill_info,
// net/core/neighbour.c).

func writeNeighbour(w *writer, n *core.Neighbour) {
	flags := uint8(0)
	if n.Router {
		flags = neighRouter
	}
	w.u8(familyOf(n.Addr), 0, 0, 0)
	w.u32(uint32(n.Interface.Index()))
	w.u16(uint16(n.State))
	w.u8(flags, uint8(core.RouteUnicast))
	w.addr(ndaDst, n.Addr)
	if n.State&(core.NeighbourIncomplete|core.NeighbourFailed) == 0 {
		w.attr(ndaLLAddr, n.HWAddr[:])
	}
	now := n.Interface.Instance().Now()
	confirmed, used, updated, probes := n.Times()
	w.attr32(ndaProbes, uint32(probes))
	w.header(ndaCacheinfo, 16)
	for _, t := range [...]core.Time{confirmed, used, updated} {
		w.u32(uint32(max(0, now.Sub(t)) / (time.Second / userHZ)))
	}
	w.u32(0)
}

// dumpNeighbours tells of the neighbours of a family, by interface and address.
func (r *request) dumpNeighbours() (*dump, error) {
	family := r.family()
	index, err := r.attrs.u32(ndaIfindex)
	if err != nil {
		return nil, err
	}
	var list []*core.Neighbour
	for _, f := range [...]uint8{afInet, afInet6} {
		if family != afUnspec && family != f || r.fixed[10]&neighProxy != 0 {
			continue
		}
		for _, ifc := range r.in.Interfaces() {
			if index != 0 && ifc.Index() != int(int32(index)) {
				continue
			}
			all := ifc.Neighbours()
			slices.SortFunc(all, func(a, b *core.Neighbour) int { return a.Addr.Compare(b.Addr) })
			for _, n := range all {
				if familyOf(n.Addr) == f {
					list = append(list, n)
				}
			}
		}
	}
	return listOf(list, func(w *writer, begin func(uint16), n *core.Neighbour) {
		begin(newNeigh)
		writeNeighbour(w, n)
	}), nil
}

// neighbour is the interface and the address that a request names.
func (r *request) neighbour() (ifc *core.Interface, a wire.Addr, err error) {
	family := r.family()
	if family != afInet && family != afInet6 {
		return nil, a, refuse(syscall.EAFNOSUPPORT, "no neighbour is of that family")
	}
	a, has, err := r.attrs.addr(ndaDst, family)
	if err != nil {
		return nil, a, err
	}
	if !has {
		return nil, a, refuse(syscall.EINVAL, "the request names no address")
	}
	index := int32(binary.NativeEndian.Uint32(r.fixed[4:]))
	if index == 0 {
		return nil, a, refuse(syscall.EINVAL, "the request names no interface")
	}
	if ifc = r.in.InterfaceByIndex(int(index)); ifc == nil {
		return nil, a, refuse(syscall.ENODEV, "there is no interface with that index")
	}
	if r.fixed[10]&neighProxy != 0 {
		return nil, a, refuse(syscall.EOPNOTSUPP, "nothing is answered for others")
	}
	return ifc, a, nil
}

func (r *request) getNeighbour() error {
	ifc, a, err := r.neighbour()
	if err != nil {
		return err
	}
	n := ifc.Neighbour(a)
	if n == nil {
		return refuse(syscall.ENOENT, "there is no such neighbour")
	}
	return r.answer(func(w *writer) {
		w.begin(newNeigh, 0, r.seq, r.pid)
		writeNeighbour(w, n)
		w.end()
	})
}

// addNeighbour is RTM_NEWNEIGH (neigh_add).
func (r *request) addNeighbour() error {
	ifc, a, err := r.neighbour()
	if err != nil {
		return err
	}
	state := core.NeighbourState(binary.NativeEndian.Uint16(r.fixed[8:]))
	var hw wire.HWAddr
	x, hasHW := r.attrs.find(ndaLLAddr)
	if hasHW {
		if len(x.data) < len(hw) {
			return refuseAt(x.at, syscall.EINVAL, "link-layer address is too short")
		}
		copy(hw[:], x.data)
	}
	n := ifc.Neighbour(a)
	switch {
	case n == nil && r.flags&flagCreate == 0:
		return refuse(syscall.ENOENT, "there is no such neighbour")
	case n != nil && r.flags&flagExcl != 0:
		return refuse(syscall.EEXIST, "there is such a neighbour")
	case !hasHW && n != nil && n.State&(core.NeighbourIncomplete|core.NeighbourFailed) == 0:
		hw, hasHW = n.HWAddr, true
	}
	if !hasHW {
		return refuse(syscall.EINVAL, "the neighbour has no link-layer address")
	}
	if a.IsMulticast() || a.IsUnspecified() {
		return refuse(syscall.EINVAL, "the address is no neighbour's")
	}
	if !ifc.PutNeighbour(a, hw, state) {
		return refuse(syscall.ENOBUFS, "the neighbour cache is full")
	}
	return nil
}

// removeNeighbour is RTM_DELNEIGH.
func (r *request) removeNeighbour() error {
	ifc, a, err := r.neighbour()
	if err != nil {
		return err
	}
	if !ifc.RemoveNeighbour(a) {
		return refuse(syscall.ENOENT, "there is no such neighbour")
	}
	return nil
}
