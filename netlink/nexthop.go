package netlink

import (
	"encoding/binary"
	"slices"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Next hop objects: struct nhmsg and NHA_… attributes (include/uapi/linux/nexthop.h;
// net/ipv4/nexthop.c).

const (
	newNexthop       = 104
	delNexthop       = 105
	getNexthop       = 106
	getNexthopBucket = 118

	groupNexthop = 32

	nhaID        = 1
	nhaGroup     = 2
	nhaGroupType = 3
	nhaBlackhole = 4
	nhaOif       = 5
	nhaGateway   = 6
	nhaEncapType = 7
	nhaEncap     = 8
	nhaGroups    = 9
	nhaMaster    = 10
	nhaFDB       = 11
	nhaResGroup  = 12
	nhaOpFlags   = 14
	nhaHWStats   = 16

	sizeofMember = 8       // struct nexthop_grp
	wholeWeights = 1 << 31 // NHA_OP_FLAG_RESP_GRP_RESVD_0: weights have 16 bits
	groupByHash  = 0       // NEXTHOP_GRP_TYPE_MPATH
	groupOfSlots = 1       // NEXTHOP_GRP_TYPE_RES
)

// writeNexthop writes a next hop (nh_fill_node).
func writeNexthop(w *writer, o *core.NexthopObject) {
	family, scope, flags := uint8(afUnspec), uint8(0), uint32(0)
	if len(o.Group) == 0 {
		if family = afInet; o.V6 {
			family = afInet6
		}
		if !o.Blackhole {
			scope = uint8(o.Scope)
		}
		if o.OnLink {
			flags = nexthopOnLink
		}
	}
	w.u8(family, scope, uint8(o.Protocol), 0)
	w.u32(flags)
	w.attr32(nhaID, o.ID)
	if len(o.Group) > 0 {
		w.header(nhaGroupType, 2)
		w.u16(groupByHash)
		w.pad()
		w.header(nhaGroup, sizeofMember*len(o.Group))
		for _, m := range o.Group {
			w.u32(m.ID)
			w.u8(uint8(m.Weight-1), uint8((m.Weight-1)>>8), 0, 0)
		}
		w.attr32(nhaOpFlags, wholeWeights)
		return
	}
	if o.Blackhole {
		w.attr(nhaBlackhole, nil)
		return
	}
	w.attr32(nhaOif, uint32(o.Interface.Index()))
	if !o.Gateway.IsUnspecified() {
		w.addr(nhaGateway, o.Gateway)
	}
}

// NexthopChanged implements core.NexthopWatcher.
func (t *transport) NexthopChanged(o *core.NexthopObject, gone bool) {
	if len(t.sockets) == 0 {
		return
	}
	typ, flags := uint16(newNexthop), uint16(0)
	if gone {
		typ = delNexthop
	}
	if t.cause != nil {
		flags = t.cause.flags
	}
	t.tellAs(typ, flags, groupNexthop, func(w *writer) { writeNexthop(w, o) })
}

// only refuses attributes that a request does not have.
func (r *request) only(types ...int) error {
	for _, x := range r.attrs {
		if !slices.Contains(types, x.typ) {
			return refuseAt(x.at, syscall.EINVAL, "the request has no such attribute")
		}
	}
	return nil
}

// nexthopID reads the number that a request to get or remove a next hop names
// (__nh_valid_get_del_req).
func (r *request) nexthopID() (uint32, error) {
	if r.fixed[1]|r.fixed[2]|r.fixed[3] != 0 || binary.NativeEndian.Uint32(r.fixed[4:]) != 0 {
		return 0, refuse(syscall.EINVAL, "a next hop is named by its number alone")
	}
	id, err := r.attrs.u32(nhaID)
	if err == nil && id == 0 {
		err = refuse(syscall.EINVAL, "the request names no next hop")
	}
	return id, err
}

// getNexthop answers ip nexthop get.
func (r *request) getNexthop() error {
	if err := r.only(nhaID, nhaOpFlags); err != nil {
		return err
	}
	id, err := r.nexthopID()
	if err != nil {
		return err
	}
	o, ok := r.in.NexthopLocked(id)
	if !ok {
		return syscall.ENOENT
	}
	return r.answer(func(w *writer) {
		w.begin(newNexthop, 0, r.seq, r.pid)
		writeNexthop(w, &o)
		w.end()
	})
}

// removeNexthop is RTM_DELNEXTHOP.
func (r *request) removeNexthop() error {
	if err := r.only(nhaID); err != nil {
		return err
	}
	id, err := r.nexthopID()
	if err != nil {
		return err
	}
	return r.in.RemoveNexthopLocked(id)
}

// dumpNexthops tells of next hops by number: of a family, of an interface, or groups
// (nh_dump_filtered).
func (r *request) dumpNexthops() (*dump, error) {
	if err := r.only(nhaOif, nhaMaster, nhaGroups, nhaFDB, nhaOpFlags); err != nil {
		return nil, err
	}
	if r.fixed[1]|r.fixed[2]|r.fixed[3] != 0 || binary.NativeEndian.Uint32(r.fixed[4:]) != 0 {
		return nil, refuse(syscall.EINVAL, "next hops are listed by family, interface or as groups")
	}
	oif, err := r.attrs.u32(nhaOif)
	if err != nil {
		return nil, err
	}
	master, err := r.attrs.u32(nhaMaster)
	if err != nil {
		return nil, err
	}
	if int32(oif) < 0 || int32(master) < 0 {
		return nil, refuse(syscall.EINVAL, "no interface has a negative index")
	}
	var list []core.NexthopObject
	family := r.family()
	for _, o := range r.in.NexthopsLocked() {
		group := len(o.Group) > 0
		if r.attrs.has(nhaGroups) && !group || (oif|master != 0 || family != afUnspec) && group ||
			master != 0 || // no interface here is of another
			oif != 0 && (o.Interface == nil || o.Interface.Index() != int(oif)) ||
			family != afUnspec && family != familyOfNexthop(&o) {
			continue
		}
		list = append(list, o)
	}
	return listOf(list, func(w *writer, begin func(uint16), o core.NexthopObject) {
		begin(newNexthop)
		writeNexthop(w, &o)
	}), nil
}

func familyOfNexthop(o *core.NexthopObject) uint8 {
	if o.V6 {
		return afInet6
	}
	return afInet
}

// getBucket and dumpBuckets are of resilient groups, of which there are none.
func (r *request) getBucket() error {
	id, err := r.nexthopID()
	if err != nil {
		return err
	}
	if _, ok := r.in.NexthopLocked(id); !ok {
		return syscall.ENOENT
	}
	return refuse(syscall.EINVAL, "the next hop is no resilient group")
}

func (r *request) dumpBuckets() (*dump, error) {
	if r.attrs.has(nhaID) {
		return nil, r.getBucket()
	}
	return none(), nil
}

// addNexthop is RTM_NEWNEXTHOP (rtm_new_nexthop).
func (r *request) addNexthop() error {
	o, err := r.nexthopObject()
	if err != nil {
		return err
	}
	replace := r.flags&flagReplace != 0
	if replace && o.ID == 0 {
		return refuse(syscall.EINVAL, "what is to be replaced has a number")
	}
	if _, ok := r.in.NexthopLocked(o.ID); replace && !ok && r.flags&flagCreate == 0 {
		return refuse(syscall.ENOENT, "there is no such next hop to replace")
	}
	return r.in.AddNexthopLocked(o, replace)
}

// nexthopObject is what a request says of a next hop (rtm_to_nh_config).
func (r *request) nexthopObject() (o core.NexthopObject, err error) {
	family, flags := r.family(), binary.NativeEndian.Uint32(r.fixed[4:])
	no := func(errno syscall.Errno, text string) (core.NexthopObject, error) { return o, refuse(errno, text) }
	if err := r.only(nhaID, nhaGroup, nhaGroupType, nhaBlackhole, nhaOif, nhaGateway, nhaEncapType, nhaEncap, nhaFDB, nhaResGroup, nhaHWStats); err != nil {
		return o, err
	}
	group, grouped := r.attrs.find(nhaGroup)
	switch {
	case r.fixed[1] != 0 || r.fixed[3] != 0:
		return no(syscall.EINVAL, "a next hop has no scope of its own")
	case flags&^nexthopOnLink != 0:
		return no(syscall.EINVAL, "a next hop has no such flags")
	case family != afInet && family != afInet6 && (family != afUnspec || !grouped):
		return no(syscall.EINVAL, "no next hop is of that family")
	}
	for _, typ := range [...]struct {
		typ int
		why string
	}{{nhaFDB, "there is no bridge whose table leads to next hops"}, {nhaEncap, "there are no tunnels to put packets into"},
		{nhaEncapType, "there are no tunnels to put packets into"}} {
		if x, ok := r.attrs.find(typ.typ); ok {
			return o, refuseAt(x.at, syscall.EOPNOTSUPP, typ.why)
		}
	}
	if o.ID, err = r.attrs.u32(nhaID); err != nil {
		return o, err
	}
	o.Protocol, o.V6, o.OnLink = core.RouteProtocol(r.fixed[2]), family == afInet6, flags&nexthopOnLink != 0
	if grouped {
		if family != afUnspec {
			return no(syscall.EINVAL, "a group is of no family")
		}
		o.OnLink = false
		o.Group, err = r.members(group)
		return o, err
	}
	if r.attrs.has(nhaBlackhole) {
		if r.attrs.has(nhaGateway) || r.attrs.has(nhaOif) {
			return no(syscall.EINVAL, "a blackhole leads nowhere")
		}
		o.Blackhole = true
		return o, nil
	}
	oif, err := r.attrs.u32(nhaOif)
	if err != nil {
		return o, err
	}
	if !r.attrs.has(nhaOif) {
		return no(syscall.EINVAL, "a next hop names its interface")
	}
	ifc := r.in.InterfaceByIndex(int(int32(oif)))
	switch {
	case oif == 0 || ifc == nil:
		return no(syscall.EINVAL, "there is no interface with that index")
	case !ifc.Up():
		return no(syscall.ENETDOWN, "the interface of the next hop is down")
	case !ifc.Carrier():
		return no(syscall.ENETDOWN, "the interface of the next hop has no carrier")
	}
	o.Interface, o.Scope = ifc, core.ScopeLink
	if x, ok := r.attrs.find(nhaGateway); ok {
		if len(x.data) != 4 && !o.V6 || len(x.data) != 16 && o.V6 {
			return o, refuseAt(x.at, syscall.EINVAL, "the gateway is no address of the family")
		}
		if o.Gateway, _, err = r.attrs.addr(nhaGateway, family); err != nil {
			return o, err
		}
	} else if o.OnLink {
		return no(syscall.EINVAL, "there is no gateway that could be on the link")
	}
	if o.Gateway.IsUnspecified() {
		if o.Gateway = (wire.Addr{}); !o.V6 {
			o.Scope = core.ScopeHost
		}
	}
	return o, r.checkHop(core.Nexthop{Gateway: o.Gateway, Interface: ifc}, o.OnLink)
}

// members reads NHA_GROUP.
func (r *request) members(x attribute) ([]core.NexthopMember, error) {
	if t, ok := r.attrs.find(nhaGroupType); ok {
		if len(t.data) < 2 {
			return nil, refuseAt(t.at, syscall.EINVAL, "attribute is shorter than its two bytes")
		}
		switch binary.NativeEndian.Uint16(t.data) {
		case groupByHash:
		case groupOfSlots:
			return nil, refuseAt(t.at, syscall.EOPNOTSUPP, "there are no resilient groups: flows are shared out by their hash alone")
		default:
			return nil, refuseAt(t.at, syscall.EINVAL, "no group is of that type")
		}
	}
	for _, typ := range [...]int{nhaBlackhole, nhaOif, nhaGateway, nhaResGroup, nhaHWStats} {
		if y, ok := r.attrs.find(typ); ok {
			return nil, refuseAt(y.at, syscall.EINVAL, "a group has nothing beside its members")
		}
	}
	if len(x.data) == 0 || len(x.data)%sizeofMember != 0 {
		return nil, refuseAt(x.at, syscall.EINVAL, "a group is a list of members, each of eight bytes")
	}
	var list []core.NexthopMember
	for b := x.data; len(b) > 0; b = b[sizeofMember:] {
		if b[6]|b[7] != 0 {
			return nil, refuseAt(x.at, syscall.EINVAL, "a member of the group has bytes that mean nothing")
		}
		list = append(list, core.NexthopMember{ID: binary.NativeEndian.Uint32(b), Weight: (int(b[4]) | int(b[5])<<8) + 1})
	}
	return list, nil
}
