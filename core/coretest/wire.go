package coretest

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/core/wire/wiretest"
)

// Wire is a device whose other end is the test: what the instance sends is
// kept, what the test injects arrives.
type Wire struct {
	// Interface is the device's place in its instance.
	Interface *core.Interface
	// Refuse makes the device accept nothing until it is unset and
	// Interface.Resume is called.
	Refuse bool

	rig        *Rig
	properties core.Properties
	sent       []core.Frame
}

// Wire gives in a device of kind "wire", up and with addresses: MTU 1500, and
// for Ethernet the hardware address 02:00:00:00:00:01.
func (r *Rig) Wire(in *core.Instance, name string, link core.Link, addresses ...string) *Wire {
	r.T.Helper()
	p := core.Properties{Kind: "wire", Link: link, MTU: 1500, Flags: core.FlagMulticast}
	if link == core.LinkEthernet {
		p.Flags |= core.FlagBroadcast
		p.HWAddr = wire.MustHWAddr("02:00:00:00:00:01")
	} else {
		p.Flags |= core.FlagPointToPoint | core.FlagNoARP
	}
	return r.WireWith(in, name, p, addresses...)
}

// WireWith is Wire with all properties of the device said.
func (r *Rig) WireWith(in *core.Instance, name string, p core.Properties, addresses ...string) *Wire {
	r.T.Helper()
	w := &Wire{rig: r, properties: p}
	w.Interface = r.Attach(in, w, name, addresses...)
	return w
}

// Properties implements core.Device.
func (w *Wire) Properties() core.Properties { return w.properties }

// Attach implements core.Device.
func (w *Wire) Attach(ifc *core.Interface) { w.Interface = ifc }

// Send implements core.Device: it copies the frames and frees the packets.
func (w *Wire) Send(batch []*core.Packet) int {
	if w.Refuse {
		return 0
	}
	for _, p := range batch {
		f := core.Frame{Data: make([]byte, p.Len())}
		p.CopyOut(0, f.Data)
		f.Meta = core.FrameMeta{Checksum: p.Checksum, ChecksumStart: uint16(max(0, p.ChecksumOffset())),
			ChecksumField: p.ChecksumField, SegmentSize: p.SegmentSize}
		w.sent = append(w.sent, f)
		p.Free()
	}
	return len(batch)
}

// Close implements core.Device.
func (w *Wire) Close() error { return nil }

// Inject lets packets arrive as one batch of frames.
func (w *Wire) Inject(packets ...wiretest.Packet) {
	w.rig.T.Helper()
	frames := make([]core.Frame, len(packets))
	for i := range packets {
		frames[i].Data = packets[i].Bytes()
	}
	w.InjectFrames(frames...)
}

// InjectBytes lets one frame arrive.
func (w *Wire) InjectBytes(frame []byte) {
	w.rig.T.Helper()
	w.InjectFrames(core.Frame{Data: frame})
}

// InjectFrames lets frames with what their device knows of them arrive.
func (w *Wire) InjectFrames(frames ...core.Frame) {
	w.rig.T.Helper()
	if n := w.Interface.Deliver(frames); n != len(frames) {
		w.rig.T.Fatalf("coretest: the inbox took %d of %d frames", n, len(frames))
	}
}

// Next takes the oldest frame that the instance sent, false if there is none.
func (w *Wire) Next() (core.Frame, bool) {
	if len(w.sent) == 0 {
		return core.Frame{}, false
	}
	f := w.sent[0]
	w.sent = w.sent[1:]
	return f, true
}

// Sent takes all frames that the instance sent, oldest first.
func (w *Wire) Sent() []core.Frame {
	out := w.sent
	w.sent = nil
	return out
}

// Expect takes the oldest frame that the instance sent and checks it as
// wiretest.Check does: lengths and checksums right, the named fields equal.
func (w *Wire) Expect(want ...wiretest.Packet) []byte {
	w.rig.T.Helper()
	f, ok := w.Next()
	if !ok {
		w.rig.T.Errorf("coretest: no frame was sent on %s", w.Interface.Name())
		return nil
	}
	wiretest.Check(w.rig.T, f.Data, want...)
	return f.Data
}

// ExpectNothing checks that no frame is left.
func (w *Wire) ExpectNothing() {
	w.rig.T.Helper()
	for f, ok := w.Next(); ok; f, ok = w.Next() {
		w.rig.T.Errorf("coretest: a frame nobody asked for on %s: %s", w.Interface.Name(), wire.Summary(f.Data, w.link()))
	}
}

func (w *Wire) link() wire.LinkType {
	if w.properties.Link == core.LinkEthernet {
		return wire.LinkEthernet
	}
	return wire.LinkRaw
}
