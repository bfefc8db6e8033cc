package netlink

import (
	"encoding/binary"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// What programs change of links (do_setlink, net/core/rtnetlink.c).

// changeLink is RTM_SETLINK, and RTM_NEWLINK, which makes an interface that is not there.
func (r *request) changeLink() error {
	index := int32(binary.NativeEndian.Uint32(r.fixed[4:]))
	creates := r.typ == newLink && r.flags&flagCreate != 0
	if r.typ == newLink && !r.namesLink() {
		switch {
		case creates:
			return r.makeLink()
		case r.attrs.has(iflaGroup):
			return r.changeGroup()
		}
		return syscall.ENODEV // and not EINVAL, which ip takes for a stack that lacks the request
	}
	if creates && index > 0 && r.in.InterfaceByIndex(int(index)) == nil {
		return r.makeLink()
	}
	ifc, _, err := r.link()
	switch {
	case err != nil:
		return err
	case ifc == nil && creates:
		return r.makeLink()
	case ifc == nil:
		return syscall.ENODEV
	case r.typ == newLink && r.flags&flagExcl != 0:
		return syscall.EEXIST
	case r.typ == newLink && r.flags&flagReplace != 0:
		return syscall.EOPNOTSUPP
	}
	if x, ok := r.attrs.find(iflaLinkinfo); ok {
		info, err := parseAttributes(x.data, x.at+4)
		if err != nil {
			return err
		}
		if x, ok := info.find(iflaInfoData); ok {
			return refuseAt(x.at, syscall.EOPNOTSUPP, "no kind has what could be changed")
		}
	}
	return r.setLink(ifc, index > 0)
}

// changeGroup changes the interfaces of a group (rtnl_group_changelink).
func (r *request) changeGroup() error {
	group, err := r.attrs.u32(iflaGroup)
	for _, ifc := range r.in.Interfaces() {
		if err == nil && ifc.Group() == group {
			err = r.setLink(ifc, false)
		}
	}
	return err
}

// setLink changes what the request says of ifc, and its name if it may.
func (r *request) setLink(ifc *core.Interface, rename bool) error {
	for _, typ := range [...]int{iflaNetNSPID, iflaNetNSFD, iflaLink} {
		if x, ok := r.attrs.find(typ); ok {
			return refuseAt(x.at, syscall.EOPNOTSUPP, "an interface stays where it is")
		}
	}
	if m, err := r.attrs.u32(iflaMaster); err != nil || m != 0 {
		if err == nil {
			err = refuse(syscall.EOPNOTSUPP, "there is no interface that has others below")
		}
		return err
	}
	if x, ok := r.attrs.find(iflaAddress); ok {
		var a wire.HWAddr
		if len(x.data) < len(a) {
			return refuseAt(x.at, syscall.EINVAL, "link-layer address is too short")
		}
		copy(a[:], x.data)
		if err := ifc.SetHWAddrLocked(a); err != nil {
			return err
		}
	}
	if r.attrs.has(iflaMTU) {
		v, err := r.attrs.u32(iflaMTU)
		if err == nil && v != uint32(ifc.MTU()) {
			if err = fitsMTU(v, ifc.MaxMTU()); err == nil {
				err = ifc.SetMTULocked(int(v))
			}
		}
		if err != nil {
			return err
		}
	}
	if r.attrs.has(iflaGroup) {
		v, err := r.attrs.u32(iflaGroup)
		if err != nil {
			return err
		}
		ifc.SetGroupLocked(v)
	}
	if name, has, err := r.attrs.text(iflaIfname, 15); err != nil {
		return err
	} else if has && rename {
		if err := ifc.SetNameLocked(name); err != nil {
			return err
		}
	}
	if r.attrs.has(iflaTxqlen) {
		v, err := r.attrs.u32(iflaTxqlen)
		if err == nil {
			err = ifc.SetQueueLenLocked(int(int32(v)))
		}
		if err != nil {
			return err
		}
	}
	return applyFlags(ifc, r.fixed)
}

// applyFlags sets the flags of a struct ifinfomsg (rtnl_dev_combine_flags).
func applyFlags(ifc *core.Interface, ifinfo []byte) error {
	flags, mask := binary.NativeEndian.Uint32(ifinfo[8:]), binary.NativeEndian.Uint32(ifinfo[12:])
	if mask == 0 && flags != 0 {
		mask = ^uint32(0)
	}
	return ifc.SetFlagsLocked(core.InterfaceFlags(flags), core.InterfaceFlags(mask))
}

// fitsMTU has Linux's words for an MTU that the device does not take (dev_validate_mtu,
// net/core/dev.c).
func fitsMTU(mtu uint32, most int) error {
	switch {
	case int32(mtu) < leastMTU:
		return refuse(syscall.EINVAL, "mtu less than device minimum")
	case int64(mtu) > int64(most):
		return refuse(syscall.EINVAL, "mtu greater than device maximum")
	}
	return nil
}

// addLinkNames is RTM_NEWLINKPROP (ip link property add … altname).
func (r *request) addLinkNames() error {
	return r.eachLinkName((*core.Interface).AddAltNameLocked)
}

// removeLinkNames is RTM_DELLINKPROP.
func (r *request) removeLinkNames() error {
	return r.eachLinkName((*core.Interface).RemoveAltNameLocked)
}

// eachLinkName does something with the names of a request's list (rtnl_linkprop).
func (r *request) eachLinkName(do func(*core.Interface, string) error) error {
	ifc, _, err := r.link()
	if err != nil {
		return err
	}
	if ifc == nil {
		return syscall.ENODEV
	}
	x, ok := r.attrs.find(iflaPropList)
	if !ok {
		return nil
	}
	list, err := parseAttributes(x.data, x.at+4)
	if err != nil {
		return err
	}
	changed := false
	for i := range list {
		if list[i].typ != iflaAltIfname {
			continue
		}
		name, _, err := list[i:i+1].text(iflaAltIfname, 127)
		if err == nil {
			err = do(ifc, name)
		}
		if err != nil {
			return err
		}
		changed = true
	}
	if changed {
		ifc.ChangedLocked()
	}
	return nil
}
