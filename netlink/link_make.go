package netlink

import (
	"encoding/binary"
	"errors"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Links that programs make and remove (rtnl_newlink_create, rtnl_dellink,
// net/core/rtnetlink.c), of the kinds that the wiring's devices have.

// madeLink is what a request says of one interface that is to be made.
type madeLink struct {
	options core.DeviceOptions
	ifinfo  []byte // flags are in it
}

// linkKind is a kind that the instance can make, by its name.
func linkKind(in *core.Instance, name string) *core.LinkKind {
	devices := in.Wiring().Devices
	for i := range devices {
		if k := &devices[i].Link; k.Make != nil && k.Name == name {
			return k
		}
	}
	return nil
}

// makeLink makes an interface, or two that are joined: then the partner comes first
// (veth_newlink, drivers/net/veth.c).
func (r *request) makeLink() error {
	for _, typ := range [...]int{iflaMap, iflaProtinfo} {
		if x, ok := r.attrs.find(typ); ok {
			return refuseAt(x.at, syscall.EOPNOTSUPP, "a new interface has none of that")
		}
	}
	var info attributes
	name := ""
	if x, ok := r.attrs.find(iflaLinkinfo); ok {
		var err error
		if info, err = parseAttributes(x.data, x.at+4); err != nil {
			return err
		}
		if name, _, err = info.text(iflaInfoKind, 31); err != nil {
			return err
		}
	}
	k := linkKind(r.in, name)
	if k == nil {
		return refuse(syscall.EOPNOTSUPP, "Unknown device type")
	}
	first, err := r.wanted(k.Name, r.fixed, r.attrs)
	if err != nil {
		return err
	}
	devices := k.Make()
	wishes := []madeLink{first}
	if len(devices) > 1 {
		partner, err := r.partner(k.Name, first, info)
		if err != nil {
			return err
		}
		wishes = append(wishes, partner)
	}
	var made *core.Interface
	for i := len(devices) - 1; i >= 0 && err == nil; i-- {
		var ifc *core.Interface
		if ifc, err = r.bringUp(devices[i], &wishes[i]); ifc != nil {
			made = ifc
		}
	}
	if m, _ := r.attrs.u32(iflaMaster); err == nil && m != 0 {
		err = syscall.EOPNOTSUPP // no interface has others below
	}
	if err != nil && made != nil {
		_ = r.in.RemoveLinkLocked(made) // and its partner
	}
	return err
}

// bringUp makes an interface of a device. With an error it may be there.
func (r *request) bringUp(dev core.LinkDevice, m *madeLink) (*core.Interface, error) {
	ifc, err := r.in.AddDeviceLocked(dev, m.options)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			return nil, errno // Linux has no words for it
		}
		return nil, err
	}
	if binary.NativeEndian.Uint32(m.ifinfo[8:])&uint32(core.FlagUp) != 0 && !ifc.Carrier() && ifc.Partner() == nil {
		return ifc, syscall.ENOTCONN // an end that is up before the other is there
	}
	return ifc, applyFlags(ifc, m.ifinfo)
}

// wanted reads what a request says of an interface (rtnl_create_link, veth_validate,
// dummy_validate).
func (r *request) wanted(kind string, ifinfo []byte, attrs attributes) (m madeLink, err error) {
	m.ifinfo = ifinfo
	o := &m.options
	o.Made = kind
	for _, typ := range [...]int{iflaNetNSPID, iflaNetNSFD} {
		if x, ok := attrs.find(typ); ok {
			return m, refuseAt(x.at, syscall.EOPNOTSUPP, "interfaces are made here")
		}
	}
	if x, ok := attrs.find(iflaAddress); ok {
		if len(x.data) != addressLength {
			return m, syscall.EINVAL
		}
		copy(o.HWAddr[:], x.data)
		if o.HWAddr == (wire.HWAddr{}) || o.HWAddr.IsMulticast() {
			return m, syscall.EADDRNOTAVAIL
		}
	}
	if attrs.has(iflaMTU) {
		v, err := attrs.u32(iflaMTU)
		if err == nil {
			if err = fitsMTU(v, mostMTU); err != nil && kind == "veth" {
				err = syscall.EINVAL // veth looks at it by itself, and says nothing
			}
		}
		if err != nil {
			return m, err
		}
		o.MTU = int(v)
	}
	for _, q := range [...]struct {
		typ  int
		text string
	}{{iflaNumTxQueues, "Invalid number of transmit queues"}, {iflaNumRxQueues, "Invalid number of receive queues"}} {
		v, err := attrs.u32(q.typ)
		if err != nil {
			return m, err
		}
		if attrs.has(q.typ) && (v < 1 || v > mostQueues) {
			return m, refuse(syscall.EINVAL, q.text)
		}
	}
	if o.Name, _, err = attrs.text(iflaIfname, 15); err != nil {
		return m, err
	}
	if attrs.has(iflaTxqlen) {
		v, err := attrs.u32(iflaTxqlen)
		switch {
		case err != nil:
			return m, err
		case int32(v) < 0:
			return m, syscall.EINVAL
		case v == 0:
			o.QueueLen = -1
		default:
			o.QueueLen = int(v)
		}
	}
	if o.Group, err = attrs.u32(iflaGroup); err != nil {
		return m, err
	}
	i := int32(binary.NativeEndian.Uint32(ifinfo[4:]))
	if o.Index = int(i); i < 0 {
		return m, refuse(syscall.EINVAL, "the interface's index is negative")
	}
	return m, nil
}

// partner is what a request says of the other end: a struct ifinfomsg and attributes of
// its own, or what it says of the first, but for name, number, address and flags.
func (r *request) partner(kind string, first madeLink, info attributes) (madeLink, error) {
	if x, ok := info.find(iflaInfoData); ok {
		data, err := parseAttributes(x.data, x.at+4)
		if err != nil {
			return madeLink{}, err
		}
		if x, ok := data.find(vethInfoPeer); ok {
			if len(x.data) < sizeofIfinfo {
				return madeLink{}, refuseAt(x.at, syscall.EINVAL, "the other end is shorter than its header")
			}
			attrs, err := parseAttributes(x.data[sizeofIfinfo:], x.at+4+sizeofIfinfo)
			if err != nil {
				return madeLink{}, err
			}
			return r.wanted(kind, x.data[:sizeofIfinfo], attrs)
		}
	}
	o := first.options
	o.Name, o.Index, o.HWAddr = "", 0, wire.HWAddr{}
	return madeLink{options: o, ifinfo: make([]byte, sizeofIfinfo)}, nil
}

// removeLink is RTM_DELLINK: what programs made they remove, the rest goes with the
// instance.
func (r *request) removeLink() error {
	if !r.namesLink() && r.attrs.has(iflaGroup) {
		return r.removeGroup()
	}
	ifc, _, err := r.link()
	switch {
	case err != nil:
		return err
	case ifc == nil:
		return syscall.ENODEV
	}
	return r.in.RemoveLinkLocked(ifc)
}

// removeGroup removes the interfaces of a group, or none (rtnl_group_dellink).
func (r *request) removeGroup() error {
	group, err := r.attrs.u32(iflaGroup)
	if err != nil {
		return err
	}
	if group == 0 {
		return syscall.EPERM
	}
	found := false
	for _, ifc := range r.in.Interfaces() {
		if ifc.Group() == group {
			if found = true; ifc.MadeAs() == "" {
				return syscall.EOPNOTSUPP
			}
		}
	}
	if !found {
		return syscall.ENODEV
	}
	for _, ifc := range r.in.Interfaces() {
		if ifc.Group() == group && r.in.InterfaceByIndex(ifc.Index()) == ifc { // it may have gone with its partner
			_ = r.in.RemoveLinkLocked(ifc)
		}
	}
	return nil
}
