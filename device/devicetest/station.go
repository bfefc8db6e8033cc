package devicetest

import (
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
)

// Received is one packet that a station got, complete from its network header.
type Received struct {
	At   core.Time
	Data []byte
	Meta core.FrameMeta
}

// Station is one end of a link under test: an instance with one device.
type Station struct {
	t         testing.TB
	Rig       *coretest.Rig
	Instance  *core.Instance
	Interface *core.Interface
	// Addr is the source of what the station sends, To the destination, ToHW the
	// link-layer destination (Ethernet).
	Addr, To wire.Addr
	ToHW     wire.HWAddr

	next uint32

	mu       sync.Mutex
	received []Received
	notice   chan struct{}
	events   []bool // FlagRunning after each interface event
	peak     int64
}

// NewStation makes an instance on h (in the Domain of rig, or in one of its own
// for nil) and gives it dev. The interface is up. At the end of the test the
// instance is closed, which fails the test if anything is left in its slabs.
func NewStation(t testing.TB, h core.Host, rig *coretest.Rig, name string, dev core.Device) *Station {
	t.Helper()
	s := &Station{t: t, Addr: wire.FromV4(0x0a000001), To: wire.FromV4(0x0a000002), ToHW: wire.HWBroadcast(),
		notice: make(chan struct{}, 1)}
	w := &core.Wiring{Name: "station", Networks: []core.NetworkEntry{{Network: core.NetworkProtocol{
		Name: "probe", Family: 2, EtherTypes: []wire.EtherType{wire.EtherTypeIPv4, wire.EtherTypeIPv6},
		New: func(*core.Instance, core.SysctlView) core.Network { return probe{s} },
	}}}}
	if rig == nil {
		rig = coretest.New(t, h)
	}
	s.Rig, s.Instance = rig, rig.Instance(name, w)
	t.Cleanup(s.Close)
	s.Interface = rig.Attach(s.Instance, dev, "")
	return s
}

// Close ends the instance; later calls do nothing.
func (s *Station) Close() {
	s.t.Helper()
	if err := s.Instance.Close(); err != nil {
		s.t.Errorf("closing station %s: %v", s.Instance.Name(), err)
	}
}

// Send sends n packets of size bytes, numbered on from the last, in one entry.
// What the interface's queue has no place for is dropped and counted there.
func (s *Station) Send(n, size int) {
	s.Instance.Domain().Do(func() {
		for range n {
			s.sendOne(size)
		}
		s.peak = max(s.peak, s.Instance.Account().Bytes())
	})
}

func (s *Station) sendOne(size int) {
	b := make([]byte, size)
	Fill(b, s.Addr, s.To, s.next)
	p := s.Instance.NewInput(core.Frame{Data: b})
	if p == nil {
		s.t.Errorf("station %s: no memory for a packet", s.Instance.Name())
		return
	}
	s.next++
	p.EtherType = wire.EtherTypeIPv4
	s.Interface.TransmitTo(p, s.ToHW)
}

// Blast sends bursts of n packets of size bytes that are not numbered and whose
// contents are not written, for benchmarks; the other
// station does not keep them.
func (s *Station) Blast(bursts, n, size int) {
	for range bursts {
		s.Instance.Domain().Do(func() {
			for range n {
				p := s.Instance.NewPacket(core.Headroom, size)
				if p == nil {
					s.t.Fatal("no memory for a packet")
				}
				p.Put(size)[0] = blasted
				p.EtherType = wire.EtherTypeIPv4
				s.Interface.TransmitTo(p, s.ToHW)
			}
		})
	}
}

// blasted is the first byte of a packet that stations drop unseen.
const blasted = 0x4f

// Sent is how many packets were numbered so far.
func (s *Station) Sent() uint32 { return s.next }

// Peak is the largest number of slab bytes seen at a send or a receipt.
func (s *Station) Peak() (bytes int64) {
	s.Instance.Domain().Do(func() { bytes = s.peak })
	return bytes
}

// Received takes what came since the last call.
func (s *Station) Received() []Received {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.received
	s.received = nil
	return r
}

// Count is how many packets Received would return.
func (s *Station) Count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.received)
}

// Notice has a value after packets came.
func (s *Station) Notice() <-chan struct{} { return s.notice }

// Numbers takes what came, checks every byte and returns the numbers in the
// order of arrival.
func (s *Station) Numbers() []uint32 {
	s.t.Helper()
	var ns []uint32
	for _, r := range s.Received() {
		n, err := Number(r.Data)
		if err != nil {
			s.t.Errorf("station %s received %v", s.Instance.Name(), err)
			continue
		}
		ns = append(ns, n)
	}
	return ns
}

// Running are the values of FlagRunning after each interface event so far.
func (s *Station) Running() []bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// Stats is a copy of the interface's counters.
func (s *Station) Stats() (st core.InterfaceStats) {
	s.Instance.Domain().Do(func() { st = *s.Interface.Stats() })
	return st
}

// Range is from, from+1, … to-1.
func Range(from, to uint32) []uint32 {
	var r []uint32
	for ; from < to; from++ {
		r = append(r, from)
	}
	return r
}

// probe is the network protocol of a station.
type probe struct{ s *Station }

func (n probe) Input(p *core.Packet) {
	n.s.peak = max(n.s.peak, n.s.Instance.Account().Bytes())
	if p.LinearLen() > 0 && p.Linear()[0] == blasted {
		p.Free()
		return
	}
	r := Received{At: n.s.Instance.Now(), Data: make([]byte, p.Len()),
		Meta: core.FrameMeta{Checksum: p.Checksum, ChecksumStart: p.ChecksumStart, ChecksumField: p.ChecksumField, SegmentSize: p.SegmentSize}}
	p.CopyOut(0, r.Data)
	p.Free()
	n.s.mu.Lock()
	n.s.received = append(n.s.received, r)
	n.s.mu.Unlock()
	select {
	case n.s.notice <- struct{}{}:
	default:
	}
}

func (n probe) Event(e *core.Event) {
	if e.Kind == core.EventInterface {
		n.s.mu.Lock()
		n.s.events = append(n.s.events, e.Interface.Flags()&core.FlagRunning != 0)
		n.s.mu.Unlock()
	}
}

func (n probe) Output(p *core.Packet) error {
	p.Free()
	return syscall.EOPNOTSUPP
}
func (n probe) Failed(_ *core.Neighbour, p *core.Packet)            { p.Free() }
func (n probe) Unreachable(*core.Packet, core.Unreachable)          {}
func (n probe) Solicit(*core.Neighbour, bool)                       {}
func (n probe) Source(*core.Interface, wire.Addr) (wire.Addr, bool) { return wire.Addr{}, false }
func (n probe) Close()                                              {}
