package remote

import (
	"bytes"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

func TestPropertiesSurviveEncodingAndNoPrefixDoes(t *testing.T) {
	p := core.Properties{Kind: "tun", Name: "eth7", Link: core.LinkEthernet, MTU: 9000, MaxMTU: 65535, HWAddr: wire.HWAddr{2, 3, 4, 5, 6, 7},
		Flags: core.FlagBroadcast | core.FlagMulticast, Offloads: core.OffloadScatter, QueueLen: 77}
	b := AppendProperties(nil, p)
	r := NewReader(b)
	if got := r.Properties(); r.End() != nil || got != p {
		t.Errorf("%+v, %v", got, r.End())
	}
	for i := range b {
		if r := NewReader(b[:i]); r.Properties() != (core.Properties{}) || r.End() == nil {
			t.Errorf("the first %d of %d bytes decode", i, len(b))
		}
	}
}

func TestPropertiesOfNoDeviceAreRefused(t *testing.T) {
	good := core.Properties{Kind: "x", MTU: 1500}
	for what, p := range map[string]func(*core.Properties){
		"no kind":                  func(p *core.Properties) { p.Kind = "" },
		"an MTU below IPv4's":      func(p *core.Properties) { p.MTU = 67 },
		"a largest MTU below it":   func(p *core.Properties) { p.MaxMTU = 1499 },
		"an interface that is up":  func(p *core.Properties) { p.Flags = core.FlagUp },
		"an offload nobody knows":  func(p *core.Properties) { p.Offloads = 1 << 20 },
		"a group's address":        func(p *core.Properties) { p.HWAddr[0] = 1 },
		"a queue without end":      func(p *core.Properties) { p.QueueLen = maxQueueLen + 1 },
		"a name of sixteen bytes":  func(p *core.Properties) { p.Name = "0123456789abcdef" },
		"a link layer nobody knew": func(p *core.Properties) { p.Link = core.LinkLoopback + 1 },
	} {
		x := good
		p(&x)
		if r := NewReader(AppendProperties(nil, x)); r.Properties() != (core.Properties{}) || r.End() == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

// bench is a device between two Domains of which the test carries the messages.
type bench struct {
	rig  *coretest.Rig
	ifc  *core.Interface
	dev  *stubbed // the true one
	near NearDevice
	far  *FarDevice
	out  way // to the device
	in   way // to the stack
}

// way keeps messages.
type way struct {
	full bool
	kept [][]byte
}

func (w *way) Offer(msg []byte) bool {
	if !w.full {
		w.Post(msg)
	}
	return !w.full
}
func (w *way) Post(msg []byte) { w.kept = append(w.kept, bytes.Clone(msg)) }

// stubbed is a device that takes as much as it is told.
type stubbed struct {
	ifc    *core.Interface
	takes  int
	got    int
	change int
}

func (d *stubbed) Properties() core.Properties {
	return core.Properties{Kind: "stub", MTU: 1500, MaxMTU: 9000}
}
func (d *stubbed) Attach(ifc *core.Interface) { d.ifc = ifc }
func (d *stubbed) Changed()                   { d.change++ }
func (d *stubbed) Close() error               { return nil }
func (d *stubbed) Send(batch []*core.Packet) int {
	n := min(len(batch), d.takes)
	for _, p := range batch[:n] {
		p.Free()
	}
	d.takes -= n
	d.got += n
	return n
}

// face is the stack's device.
type face struct{ *bench }

func (f face) Properties() core.Properties { return f.dev.Properties() }
func (f face) Attach(ifc *core.Interface)  { f.ifc = ifc; f.near.Attach(ifc); f.near.Connect(&f.out, 0) }
func (f face) Changed()                    { f.near.Changed() }
func (f face) Send(b []*core.Packet) int   { return f.near.Send(b) }
func (f face) Close() error                { return f.far.Close() }

func newBench(t *testing.T) *bench {
	h := host.NewVirtual(1)
	b := &bench{rig: coretest.New(t, h), dev: &stubbed{takes: 1 << 20}}
	var err error
	if b.far, err = NewFarDevice(h, "a", "eth0", b.dev, &b.in); err != nil {
		t.Fatal(err)
	}
	b.rig.Attach(b.rig.Instance("a", &core.Wiring{Name: "none"}), face{b}, "eth0")
	b.carry(t)
	return b
}

// carry has both ends work on what waits until nothing does.
func (b *bench) carry(t *testing.T) {
	t.Helper()
	for len(b.out.kept)+len(b.in.kept) > 0 {
		out, in := b.out.kept, b.in.kept
		b.out.kept, b.in.kept = nil, nil
		for _, m := range out {
			b.far.Domain().Do(func() {
				if err := b.far.Handle(m); err != nil {
					t.Error(err)
				}
			})
		}
		for _, m := range in {
			b.rig.Domain.Do(func() {
				if err := b.near.Handle(m); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// send has the stack send n frames.
func (b *bench) send(n int) {
	b.rig.Domain.Do(func() {
		for range n {
			b.ifc.Transmit(b.ifc.Instance().NewInput(core.Frame{Data: make([]byte, 100)}))
		}
	})
}

func (b *bench) stats() (st core.InterfaceStats) {
	b.rig.Domain.Do(func() { st = *b.ifc.Stats() })
	return st
}

func TestABusyDeviceHoldsTheStackBackAndLosesNothing(t *testing.T) {
	b := newBench(t)
	b.dev.takes = 10
	b.send(900)
	b.carry(t)
	if st := b.stats(); b.dev.got != 10 || st.TxPackets != SendWindow+10 || st.TxDropped != 0 {
		t.Errorf("%d were taken, the stack counts %+v", b.dev.got, st)
	}
	b.dev.takes = 1 << 20
	b.dev.ifc.Resume()
	b.carry(t)
	if st := b.stats(); b.dev.got != 900 || st.TxPackets != 900 || st.TxDropped != 0 {
		t.Errorf("%d were taken, the stack counts %+v", b.dev.got, st)
	}
}

func TestAWayWithoutRoomKeepsFramesInTheQueue(t *testing.T) {
	b := newBench(t)
	b.out.full = true
	b.send(5)
	if st := b.stats(); len(b.out.kept) != 0 || st.TxPackets != 0 || !b.near.Starved() {
		t.Errorf("%d messages, %+v", len(b.out.kept), st)
	}
	b.out.full = false
	b.rig.Domain.Do(b.near.Resume)
	if len(b.out.kept) != 1 {
		t.Errorf("%d messages for one batch", len(b.out.kept))
	}
	b.carry(t)
	if b.dev.got != 5 {
		t.Errorf("%d frames arrived", b.dev.got)
	}
}

func TestADeviceThatIsAwayHasNoCarrierAndItsFramesAreCounted(t *testing.T) {
	b := newBench(t)
	b.dev.takes = 0
	b.send(300)
	b.rig.Domain.Do(b.near.Disconnect)
	b.send(7)
	if st := b.stats(); st.TxDropped != 307 || b.ifc.Flags()&core.FlagRunning != 0 {
		t.Errorf("%+v, flags %#x", st, b.ifc.Flags())
	}
}

// delivered has the device receive n frames at once.
func (b *bench) delivered(n int) {
	frames := make([]core.Frame, n)
	for i := range frames {
		frames[i].Data = make([]byte, 60)
		frames[i].Data[0] = 0x45
	}
	b.dev.ifc.Deliver(frames)
}

func TestFramesThatComeAtOnceAreOneMessage(t *testing.T) {
	b := newBench(t)
	b.delivered(64)
	if len(b.in.kept) != 1 {
		t.Errorf("%d messages", len(b.in.kept))
	}
	b.carry(t)
	if st := b.stats(); st.RxPackets != 64 || b.near.Input != 64 {
		t.Errorf("%+v", st)
	}
}

func TestAStackThatTakesNothingLosesFramesAtTheDevice(t *testing.T) {
	b := newBench(t)
	for range receiveWindow/64 + 1 {
		b.delivered(64)
	}
	b.carry(t)
	b.delivered(1)
	b.carry(t)
	if st := b.stats(); st.RxPackets != receiveWindow+1 || st.RxDropped != 64 {
		t.Errorf("%+v", st)
	}
}

func TestMoreFramesThanTheWindowAreABreach(t *testing.T) {
	b := newBench(t)
	b.delivered(64)
	m := b.in.kept[0]
	b.in.kept = nil
	b.rig.Domain.Do(func() {
		for i := range receiveWindow / 64 {
			if err := b.near.Handle(m); err != nil {
				t.Fatalf("message %d: %v", i, err)
			}
		}
		if b.near.Handle(m) == nil {
			t.Error("more was taken")
		}
	})
	b.out.kept = nil // of a device that did not send that much
}

func TestUpAndMTUAreToldAndTheDevicesOwnMTUComesBack(t *testing.T) {
	b := newBench(t)
	if !b.dev.ifc.Up() || b.dev.change != 1 {
		t.Errorf("up %v, told %d times", b.dev.ifc.Up(), b.dev.change)
	}
	if err := b.ifc.SetMTU(4000); err != nil {
		t.Fatal(err)
	}
	b.carry(t)
	if b.dev.ifc.MTU() != 4000 {
		t.Errorf("the device has %d", b.dev.ifc.MTU())
	}
	if err := b.dev.ifc.SetMTU(2000); err != nil {
		t.Fatal(err)
	}
	b.far.Domain().Do(func() { b.dev.ifc.SetCarrier(false) })
	b.carry(t)
	if b.ifc.MTU() != 2000 || b.ifc.Flags()&core.FlagRunning != 0 {
		t.Errorf("MTU %d, flags %#x", b.ifc.MTU(), b.ifc.Flags())
	}
}

// choosy is a stubbed that refuses frames of one size.
type choosy struct{ *stubbed }

func (choosy) Admits(p *core.Packet) bool { return p.Len() != 61 }

func TestWhatADeviceRefusesDoesNotCross(t *testing.T) {
	h := host.NewVirtual(1)
	b := &bench{rig: coretest.New(t, h), dev: &stubbed{}}
	var err error
	if b.far, err = NewFarDevice(h, "a", "eth0", choosy{b.dev}, &b.in); err != nil {
		t.Fatal(err)
	}
	b.rig.Attach(b.rig.Instance("a", &core.Wiring{Name: "none"}), face{b}, "eth0")
	b.carry(t)
	b.dev.ifc.Deliver([]core.Frame{{Data: append([]byte{0x45}, make([]byte, 59)...)}, {Data: append([]byte{0x45}, make([]byte, 60)...)}})
	b.carry(t)
	if st := b.stats(); st.RxPackets != 1 || st.RxDropped != 1 || b.near.Input != 1 {
		t.Errorf("%+v", st)
	}
}

func TestFramesCrossWithoutAllocation(t *testing.T) {
	h := host.NewVirtual(1)
	in := coretest.New(t, h, coretest.Release()).Instance("a", &core.Wiring{})
	in.Domain().Do(func() {
		p := in.NewInput(core.Frame{Data: make([]byte, 1400)})
		var b []byte
		var frames []core.Frame
		cross := func() {
			b = Finish(appendFrame(Begin(b, KindFrames, 5), p))
			_, _, r, err := Open(b)
			if err == nil {
				frames, err = r.frames(frames[:0])
			}
			if err != nil || len(frames) != 1 {
				t.Fatal(len(frames), err)
			}
			in.NewInput(frames[0]).Free()
		}
		cross()
		if n := testing.AllocsPerRun(100, cross); n != 0 {
			t.Errorf("%v allocations", n)
		}
		p.Free()
	})
}

// What decodes is made of the message's own bytes and of nothing else.
func FuzzFrames(f *testing.F) {
	good := append([]byte{8, 0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0}, "12345678"...)
	f.Add(good)
	f.Add(append(bytes.Clone(good), good...))
	f.Add([]byte{255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, body []byte) {
		r := NewReader(body)
		frames, err := r.frames(nil)
		if err != nil {
			return
		}
		at := 0
		for _, x := range frames {
			at += frameSize
			if !bytes.Equal(x.Data, body[at:at+len(x.Data)]) {
				t.Errorf("frame % x is not at %d", x.Data, at)
			}
			at += len(x.Data)
			if m := x.Meta; m.Checksum == core.ChecksumPartial && int(m.ChecksumStart)+int(m.ChecksumField)+2 > len(x.Data) {
				t.Errorf("a checksum outside of the frame: %+v", m)
			}
		}
		if at != len(body) {
			t.Errorf("%d of %d bytes are frames", at, len(body))
		}
	})
}

// Whatever comes over the wall, neither end breaks nor keeps a packet.
func FuzzDevice(f *testing.F) {
	for k := KindFrames; k <= KindLosses; k++ {
		f.Add(byte(k), append([]byte{8, 0, 0, 0, 2, 0, 4, 0, 2, 0, 0, 0}, "12345678"...))
		f.Add(byte(k), []byte{1, 0, 0, 0})
		f.Add(byte(k), []byte{1, 0xdc, 5, 0, 0})
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		h := host.NewVirtual(1)
		b := &bench{rig: coretest.New(t, h), dev: &stubbed{takes: 1 << 20}}
		var err error
		if b.far, err = NewFarDevice(h, "a", "eth0", b.dev, &b.in); err != nil {
			t.Fatal(err)
		}
		b.rig.Attach(b.rig.Instance("a", &core.Wiring{Name: "none"}), face{b}, "eth0")
		msg := Finish(append(Begin(nil, Kind(kind), 1), body...))
		b.rig.Domain.Do(func() { _ = b.near.Handle(msg) })
		b.far.Domain().Do(func() { _ = b.far.Handle(msg) })
		h.RunFor(time.Second)
	})
}
