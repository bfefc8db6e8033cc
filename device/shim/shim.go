package shim

import (
	"fmt"

	"github.com/libos-go/libos/core"
)

// sendWindow and receiveWindow bound the frames on their way through the wall.
// A stack that has used up the first waits for completions; frames that exceed
// the second are dropped and counted at the device's side.
const (
	sendWindow    = 256
	receiveWindow = 4096
)

// Wrap returns a device that reaches dev by messages only. Its error is that of
// properties that cannot be encoded.
func Wrap(dev core.Device) (core.Device, error) {
	props, err := decodeProperties(encodeProperties(dev.Properties()))
	if err != nil {
		return nil, fmt.Errorf("properties of the device: %w", err)
	}
	n := &near{props: props, inner: dev, credits: sendWindow}
	if q := props.QueueLen; q > 0 && q < sendWindow {
		n.credits = q // the queue at the device's side must hold them
	}
	return n, nil
}

// near is the stack's side of the wall.
type near struct {
	props   core.Properties
	inner   core.Device // handed to far, not used here
	ifc     *core.Interface
	far     *far
	credits int
	starved bool
	closed  bool
	in      lane // from far
}

// Properties implements core.Device.
func (n *near) Properties() core.Properties { return n.props }

// Attach implements core.Device.
func (n *near) Attach(ifc *core.Interface) {
	n.ifc = ifc
	d := ifc.Instance().Domain()
	n.in.init(d, n.receive)
	var err error
	if n.far, err = newFar(d.Host(), ifc.Instance().Name()+"/"+ifc.Name(), n.inner, &n.in); err != nil {
		d.Host().Log().Error("device: the far side does not start", "interface", ifc.Name(), "error", err)
		ifc.SetCarrier(false)
	}
}

// Send implements core.Device.
func (n *near) Send(batch []*core.Packet) int {
	if n.far == nil {
		for _, p := range batch {
			p.Free()
		}
		return len(batch)
	}
	k := min(len(batch), n.credits)
	if k > 0 {
		msg := header(msgFrames, k)
		for _, p := range batch[:k] {
			msg = appendFrame(msg, p)
			p.Free()
		}
		n.credits -= k
		n.far.in.send(msg)
	}
	n.starved = k < len(batch)
	return k
}

// receive runs inside an entry of the stack's Domain.
func (n *near) receive(msg []byte) {
	kind, count, frames, err := decode(msg)
	if err != nil {
		n.ifc.Stats().RxErrors++
		return
	}
	if n.closed {
		return
	}
	switch kind {
	case msgFrames:
		for _, f := range frames {
			p := n.ifc.Instance().NewInput(f)
			if p == nil {
				n.ifc.Stats().RxDropped++
				continue
			}
			n.ifc.Receive(p)
		}
		n.far.in.send(header(msgDone, count))
	case msgDone:
		n.credits += count
		if n.starved {
			n.starved = false
			n.ifc.ResumeLocked()
		}
	case msgCarrier:
		n.ifc.SetCarrier(count == 1)
	}
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
	return n.far.close()
}
