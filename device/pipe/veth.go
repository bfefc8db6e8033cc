package pipe

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// veth is an end of an ideal pipe within one instance, made by a program (ip link add
// … type veth): it has a carrier while both ends are up (veth_open, veth_close,
// drivers/net/veth.c), and goes with its partner.
type veth struct{ *End }

// NewVeth makes a pair for core.LinkKind.
func NewVeth() []core.LinkDevice {
	a, b := New(Config{})
	return []core.LinkDevice{&veth{a.(*End)}, &veth{b.(*End)}}
}

// Properties implements core.Device.
func (v *veth) Properties() core.Properties {
	p := v.End.Properties()
	p.Kind, p.HWAddr = "veth", wire.HWAddr{}
	return p
}

// Attach implements core.Device.
func (v *veth) Attach(ifc *core.Interface) {
	v.End.Attach(ifc)
	ifc.SetCarrier(false)
}

// Partner implements core.LinkDevice.
func (v *veth) Partner() *core.Interface {
	if p := v.peer.Load(); p != nil {
		return p.ifc
	}
	return nil
}

// UpChanged implements core.CarrierWatcher.
func (v *veth) UpChanged() {
	p := v.Partner()
	if p == nil {
		return
	}
	on := v.ifc.Up() && p.Up()
	v.ifc.SetCarrier(on)
	p.SetCarrier(on)
}

// CloseLocked implements core.LinkDevice. The partner, which goes too, hears nothing.
func (v *veth) CloseLocked() {
	if v.ifc == nil {
		return
	}
	v.unplug()
	v.quiet()
	v.box.close()
}
