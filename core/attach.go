package core

import (
	"fmt"

	"github.com/libos-go/libos/core/wire"
)

// Attach gives the instance a device under a name ("" lets it choose), with
// addresses as text, and sets it up: AddDevice and Interface.Configure in one. The
// instance owns dev from now on: it closes it when it closes, or here if there is
// an error.
func (in *Instance) Attach(dev Device, name string, addresses ...string) (*Interface, error) {
	ifc, err := in.AddDevice(dev, name)
	if err != nil {
		_ = dev.Close()
		return nil, err
	}
	if err := ifc.Configure(addresses...); err != nil {
		_ = in.RemoveDevice(ifc)
		return nil, err
	}
	return ifc, nil
}

// Configure gives the interface addresses as text ("10.0.0.1/24", "fd00::1/64")
// and sets it up. It is the part of Instance.Attach after AddDevice, for who has
// something to do before the first frame, such as AddTap. IPv6 addresses are usable
// at once, without the second that duplicate address detection takes: who calls
// this knows that nobody else on the link has them; where that is not so, add them
// by Interface.AddAddress. After an error, addresses before the one that failed stay.
func (ifc *Interface) Configure(addresses ...string) error {
	in := ifc.instance
	for _, text := range addresses {
		p, err := wire.ParsePrefix(text)
		if err == nil {
			in.domain.Do(func() {
				err = ifc.AddAddressLocked(&Address{Prefix: p, Flags: AddressPermanent | AddressNoDAD})
			})
		}
		if err != nil {
			return fmt.Errorf("device %s of %s: address %s: %w", ifc.name, in.name, text, err)
		}
	}
	if err := ifc.SetUp(true); err != nil {
		return fmt.Errorf("device %s of %s: %w", ifc.name, in.name, err)
	}
	return nil
}

// AddRoutes adds routes in the words of ip route: see ParseRoute. Those before
// one that fails stay.
func (in *Instance) AddRoutes(texts ...string) error {
	for _, text := range texts {
		e, dev, err := ParseRoute(text)
		if err == nil && dev != "" {
			if e.Interface = in.InterfaceByName(dev); e.Interface == nil {
				err = fmt.Errorf("there is no device %s", dev)
			}
		}
		if err == nil {
			err = in.AddRoute(e)
		}
		if err != nil {
			return fmt.Errorf("route %q of %s: %w", text, in.name, err)
		}
	}
	return nil
}
