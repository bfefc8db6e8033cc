package shim

import (
	"fmt"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
)

// Wrap returns a device that reaches dev by messages only. Its error is that of
// properties that cannot be encoded.
func Wrap(dev core.Device) (core.Device, error) {
	r := remote.NewReader(remote.AppendProperties(nil, dev.Properties()))
	n := &near{props: r.Properties(), inner: dev}
	if err := r.End(); err != nil {
		return nil, fmt.Errorf("properties of the device: %w", err)
	}
	return n, nil
}

// near is the stack's side of the wall.
type near struct {
	remote.NearDevice
	props  core.Properties
	inner  core.Device // handed to far, not used here
	ifc    *core.Interface
	far    *remote.FarDevice // nil before Attach, and if it does not start
	closed bool
	in     lane // from far
	out    lane // to far
}

// Properties implements core.Device.
func (n *near) Properties() core.Properties { return n.props }

// Attach implements core.Device.
func (n *near) Attach(ifc *core.Interface) {
	n.ifc = ifc
	n.NearDevice.Attach(ifc)
	d := ifc.Instance().Domain()
	n.in.init(d, n.receive)
	far, err := remote.NewFarDevice(d.Host(), ifc.Instance().Name(), ifc.Name(), n.inner, &n.in)
	if err != nil {
		d.Host().Log().Error("device: the far side does not start", "interface", ifc.Name(), "error", err)
		n.Disconnect()
		return
	}
	n.far = far
	n.out.init(far.Domain(), far.Handle)
	n.Connect(&n.out, n.props.QueueLen)
}

// receive runs inside an entry of the stack's Domain.
func (n *near) receive(msg []byte) error {
	if n.closed {
		return nil
	}
	return n.Handle(msg)
}

// Close implements core.Device.
func (n *near) Close() error {
	if n.ifc == nil {
		return n.inner.Close()
	}
	was := false
	n.ifc.Instance().Domain().Do(func() { was, n.closed = n.closed, true })
	if was || n.far == nil {
		return nil
	}
	return n.far.Close()
}
