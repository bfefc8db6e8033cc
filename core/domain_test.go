package core_test

import (
	"sync"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// sink is a device that swallows what it is sent, up to a limit at a time.
type sink struct {
	ifc    *core.Interface
	accept int
	sent   int
	closed bool
}

func (s *sink) Properties() core.Properties {
	return core.Properties{Kind: "sink", Link: core.LinkRaw, MTU: 1500, QueueLen: 10}
}
func (s *sink) Attach(ifc *core.Interface) { s.ifc = ifc }
func (s *sink) Close() error               { s.closed = true; return nil }
func (s *sink) Send(batch []*core.Packet) int {
	n := min(len(batch), s.accept)
	for _, p := range batch[:n] {
		p.Free()
	}
	s.sent += n
	return n
}

// counting is a network protocol that counts its packets and may answer each by
// the same interface.
type counting struct {
	core.Network
	got    int
	events int
	input  func(p *core.Packet)
}

func (c *counting) Input(p *core.Packet) {
	c.got++
	if c.input != nil {
		c.input(p)
		return
	}
	p.Free()
}
func (c *counting) Event(*core.Event) { c.events++ }
func (c *counting) Close()            {}

func countingWiring(c *counting) *core.Wiring {
	return &core.Wiring{Networks: []core.NetworkEntry{{Network: core.NetworkProtocol{
		Name: "counting", Family: core.AFInet, EtherTypes: []wire.EtherType{wire.EtherTypeIPv4},
		New: func(*core.Instance, core.SysctlView) core.Network { return c },
	}}}}
}

// up makes an instance of one counting protocol with a sink that is up.
func up(t testing.TB, h core.Host, c *counting) (*core.Instance, *core.Interface, *sink) {
	t.Helper()
	dev := &sink{accept: 1 << 30}
	t.Cleanup(func() { // after the Rig's
		if !dev.closed {
			t.Error("closing the instance left its device open")
		}
	})
	r := coretest.New(t, h, coretest.Release())
	in := r.Instance("a", countingWiring(c))
	return in, r.Attach(in, dev, ""), dev
}

var ipv4Frame = append([]byte{0x45}, make([]byte, 99)...)

func TestFramesFromManyGoroutinesAllArrive(t *testing.T) {
	c := &counting{}
	h := host.NewRealTime()
	in, ifc, _ := up(t, h, c)
	const workers, rounds = 8, 500
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			batch := []core.Frame{{Data: ipv4Frame}, {Data: ipv4Frame}}
			for range rounds {
				for rest := batch; len(rest) > 0; {
					rest = rest[ifc.Deliver(rest):]
				}
				in.Domain().Do(func() {})
			}
		})
	}
	wg.Wait()
	in.Domain().Run()
	in.Domain().Do(func() {
		if c.got != workers*rounds*2 || ifc.Stats().RxPackets != workers*rounds*2 {
			t.Errorf("%d frames reached the protocol, %d the interface, of %d", c.got, ifc.Stats().RxPackets, workers*rounds*2)
		}
	})
}

func TestAnEntryHandsALongQueueToTheHost(t *testing.T) {
	c := &counting{}
	h := host.NewVirtual(1)
	in, ifc, _ := up(t, h, c)
	in.Domain().Do(func() {
		for range 1000 {
			p := in.NewPacket(0, 100)
			copy(p.Put(100), ipv4Frame)
			ifc.Receive(p)
		}
	})
	if c.got == 0 || c.got > 300 {
		t.Errorf("one entry carried %d of 1000 frames, want some 256", c.got)
	}
	if err := h.Run(); err != nil {
		t.Fatal(err)
	}
	if c.got != 1000 {
		t.Errorf("after Run %d frames of 1000 were carried", c.got)
	}
}

func TestFramesForADownInterfaceAreDropped(t *testing.T) {
	c := &counting{}
	_, ifc, _ := up(t, host.NewVirtual(1), c)
	if err := ifc.SetUp(false); err != nil {
		t.Fatal(err)
	}
	ifc.Deliver([]core.Frame{{Data: ipv4Frame}})
	if c.got != 0 || ifc.Stats().RxDropped != 1 {
		t.Errorf("got %d, dropped %d", c.got, ifc.Stats().RxDropped)
	}
}

func TestGarbageOnARawLinkIsAnError(t *testing.T) {
	c := &counting{}
	_, ifc, _ := up(t, host.NewVirtual(1), c)
	ifc.Deliver([]core.Frame{{Data: nil}, {Data: []byte{0x00}}, {Data: []byte{0x70, 1, 2}}})
	if c.got != 0 || ifc.Stats().RxErrors != 3 {
		t.Errorf("got %d, errors %d of 3", c.got, ifc.Stats().RxErrors)
	}
	ifc.Deliver([]core.Frame{{Data: []byte{0x60, 0}}})
	if ifc.Stats().RxUnknown != 1 {
		t.Errorf("IPv6 on an instance without it: unknown %d, want 1", ifc.Stats().RxUnknown)
	}
}

func TestADeviceThatStallsKeepsTheQueueUntilItResumes(t *testing.T) {
	c := &counting{}
	in, ifc, dev := up(t, host.NewVirtual(1), c)
	dev.accept = 3
	transmit := func(n int) {
		in.Domain().Do(func() {
			for range n {
				p := in.NewPacket(0, 10)
				p.Put(10)
				ifc.Transmit(p)
			}
		})
	}
	transmit(8)
	if dev.sent != 3 {
		t.Fatalf("sent %d, want 3", dev.sent)
	}
	transmit(8) // the queue holds 10
	if drops := ifc.Stats().TxDropped; drops != 3 {
		t.Errorf("dropped %d, want the 3 that found the queue full", drops)
	}
	dev.accept = 100
	ifc.Resume()
	if dev.sent != 13 || ifc.Stats().TxPackets != 13 || ifc.Stats().TxBytes != 130 {
		t.Errorf("sent %d, counted %d packets and %d bytes", dev.sent, ifc.Stats().TxPackets, ifc.Stats().TxBytes)
	}
}

type alarm struct {
	in    *core.Instance
	timer timer.Timer
	at    []core.Time
	again time.Duration
}

func (a *alarm) Expire(_ *timer.Timer, now core.Time) {
	a.at = append(a.at, a.in.Now())
	if a.again > 0 && len(a.at) < 3 {
		a.in.SetTimer(&a.timer, now.Add(a.again), a)
	}
}

func TestTimersFireInVirtualTimeAtTheirInstant(t *testing.T) {
	h := host.NewVirtual(1)
	in, _, _ := up(t, h, &counting{})
	a := &alarm{in: in, again: time.Second}
	in.Domain().Do(func() { in.SetTimer(&a.timer, core.Time(5*time.Second), a) })
	if err := h.Run(); err != nil {
		t.Fatal(err)
	}
	if len(a.at) != 3 || a.at[0] != core.Time(5*time.Second) || a.at[2] != core.Time(7*time.Second) {
		t.Errorf("fired at %v", a.at)
	}
}

func TestTimersFireInRealTime(t *testing.T) {
	h := host.NewRealTime()
	in, _, _ := up(t, h, &counting{})
	done := make(chan struct{})
	r := &ring{done: done}
	in.Domain().Do(func() { in.SetTimer(&r.timer, in.Now().Add(time.Millisecond), r) })
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("a timer of 1 ms did not fire in 10 s")
	}
}

type ring struct {
	timer timer.Timer
	done  chan struct{}
}

func (r *ring) Expire(*timer.Timer, core.Time) { close(r.done) }

func TestSleepInATaskTakesVirtualTime(t *testing.T) {
	h := host.NewVirtual(1)
	in, _, _ := up(t, h, &counting{})
	if err := h.Do(func() {
		if err := in.Sleep(time.Minute); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if h.Now() != core.Time(time.Minute) {
		t.Errorf("the clock stands at %v", time.Duration(h.Now()))
	}
	if err := in.Sleep(time.Second); err == nil {
		t.Error("Sleep outside of a task did not fail")
	}
}

func TestTransmittingAllocatesNothing(t *testing.T) {
	in, ifc, _ := up(t, host.NewVirtual(1), &counting{})
	send := func() {
		p := in.NewPacket(0, 10)
		p.Put(10)
		ifc.Transmit(p)
	}
	in.Domain().Do(send)
	if n := testing.AllocsPerRun(100, func() { in.Domain().Do(send) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestNamesAndIndicesOfInterfaces(t *testing.T) {
	in, first, _ := up(t, host.NewVirtual(1), &counting{})
	second, err := in.AddDevice(&sink{}, "eth0")
	if err != nil {
		t.Fatal(err)
	}
	if first.Name() != "sink0" || first.Index() != 1 || second.Index() != 2 {
		t.Errorf("%s %d, %s %d", first.Name(), first.Index(), second.Name(), second.Index())
	}
	if _, err := in.AddDevice(&sink{}, "eth0"); err == nil {
		t.Error("two interfaces got one name")
	}
	if err := in.RemoveDevice(second); err != nil {
		t.Fatal(err)
	}
	if in.InterfaceByName("eth0") != nil || in.InterfaceByIndex(2) != nil {
		t.Error("a removed interface can still be found")
	}
	third, err := in.AddDevice(&sink{}, "eth0")
	if err != nil || third.Index() != 3 {
		t.Errorf("the index of a removed interface was used again: %v, %v", third.Index(), err)
	}
}
