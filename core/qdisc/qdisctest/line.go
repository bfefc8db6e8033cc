package qdisctest

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// Line is an interface with a device that sends one packet at a time.
type Line struct {
	T         testing.TB
	Rig       *coretest.Rig
	Instance  *core.Instance
	Interface *core.Interface
	// Sent are the packets that left, in order.
	Sent []Packet
	// Discard leaves Sent empty, for tests that count allocations.
	Discard bool
	// Rate of the device in bits per second, 0 for one that takes all at once; Shut
	// makes it take nothing.
	Rate uint64
	Shut bool
	// ECN of what is sent next.
	ECN uint8

	next   map[int]int
	busy   timer.Timer
	until  core.Time
	link   core.Link
	header int
}

// Packet is one that left.
type Packet struct {
	At     time.Duration
	Flow   int // as Send was told
	Number int // counted by flow
	Size   int // with the link header
	ECN    uint8
	Data   []byte // complete
}

// New makes a line at an interface "q0", which is up, of an instance with kinds.
func New(t testing.TB, h core.Host, kinds ...core.QdiscKind) *Line {
	t.Helper()
	return NewOn(coretest.New(t, h), core.LinkRaw, kinds...)
}

// NewOn is New in a rig, on a link layer.
func NewOn(r *coretest.Rig, link core.Link, kinds ...core.QdiscKind) *Line {
	r.T.Helper()
	l := &Line{T: r.T, Rig: r, next: map[int]int{}, link: link, header: link.HeaderLen()}
	l.Instance = r.Instance("host", &core.Wiring{Name: "qdisc", Qdiscs: kinds})
	l.Interface = r.Attach(l.Instance, device{l}, "q0")
	return l
}

// TC runs a command of tc, without the word tc, that must succeed.
func (l *Line) TC(command string) string {
	l.T.Helper()
	out, err := tc.Run(l.Instance, strings.Fields(command))
	if err != nil {
		l.T.Fatalf("tc %s: %v", command, err)
	}
	return out
}

// Pace has the device asked for room, so that no packet is taken from the
// discipline before the line is idle.
func (l *Line) Pace() { l.Rig.Domain.Do(func() { l.Interface.SetPacer(device{l}) }) }

// Send hands n packets of a flow, each of size bytes of IP, to the interface in one
// entry.
func (l *Line) Send(flow, n, size int) {
	l.Instance.Domain().Do(func() {
		for range n {
			l.send(flow, size, nil)
		}
	})
}

// SendWith is Send of one packet that set may change before.
func (l *Line) SendWith(flow, size int, set func(p *core.Packet)) {
	l.Instance.Domain().Do(func() { l.send(flow, size, set) })
}

// Queue is SendWith inside an entry.
func (l *Line) Queue(flow, size int, set func(p *core.Packet)) { l.send(flow, size, set) }

func (l *Line) send(flow, size int, set func(p *core.Packet)) {
	p := l.Instance.NewPacket(core.Headroom, size)
	if p == nil {
		l.T.Error("no memory for a packet")
		return
	}
	b := p.Put(size)
	clear(b)
	h := wire.IPv4(b)
	h.SetHeaderLen(wire.IPv4MinSize)
	h.SetTOS(l.ECN)
	h.SetTotalLen(size)
	h.SetID(uint16(l.next[flow]))
	h.SetTTL(64)
	h.SetProtocol(wire.ProtoUDP)
	h.SetSrc(wire.FromV4(0x0a000001))
	h.SetDst(wire.FromV4(0x0a000002))
	b[20], b[21] = byte(flow>>8), byte(flow)
	h.UpdateChecksum()
	l.next[flow]++
	p.EtherType = wire.EtherTypeIPv4
	if set != nil {
		set(p)
	}
	l.Interface.TransmitTo(p, wire.HWBroadcast())
}

// Pass lets time pass.
func (l *Line) Pass(d time.Duration) { l.T.Helper(); l.Rig.Advance(d) }

// Take is what left since the last Take.
func (l *Line) Take() []Packet {
	s := l.Sent
	l.Sent = nil
	return s
}

// Root is the discipline of the interface.
func (l *Line) Root() (n core.QdiscNode) {
	l.T.Helper()
	l.Instance.Domain().Do(func() {
		q := l.Interface.Qdiscs()
		if len(q) == 0 {
			l.T.Fatal("the interface has no discipline")
		}
		n = q[0]
	})
	return n
}

// Detail is one of the root's own counters.
func (l *Line) Detail(key string) any {
	l.T.Helper()
	for _, f := range l.Root().Qdisc.Details() {
		if f.Key == key {
			return f.Value
		}
	}
	l.T.Fatalf("there is no counter %s", key)
	return nil
}

// device sends at the line's rate.
type device struct{ l *Line }

func (d device) Properties() core.Properties {
	p := core.Properties{Kind: "line", Link: d.l.link, MTU: 1500, Offloads: core.OffloadScatter | core.OffloadSegmentation | core.OffloadTxChecksum}
	if d.l.link == core.LinkEthernet {
		p.HWAddr = wire.HWAddr{2, 0, 0, 0, 0, 1}
	}
	return p
}
func (d device) Attach(*core.Interface) {}
func (d device) Close() error {
	l := d.l
	l.Instance.Domain().Do(func() { l.Instance.CancelTimer(&l.busy) })
	return nil
}

// Send implements core.Device.
func (d device) Send(batch []*core.Packet) int {
	l := d.l
	now := l.Instance.Now()
	for i, p := range batch {
		if l.Shut || now < l.until {
			return i
		}
		size, _ := p.WireLen(l.link)
		if l.Rate != 0 {
			l.until = now + core.Time(uint64(size)*8*1e9/l.Rate)
			l.Instance.SetTimer(&l.busy, l.until, d)
		}
		if !l.Discard {
			x := Packet{At: time.Duration(now), Size: p.Len(), Data: make([]byte, p.Len())}
			p.CopyOut(0, x.Data)
			if h := x.Data[l.header:]; len(h) >= 22 {
				x.ECN, x.Flow, x.Number = h[1]&3, int(h[20])<<8|int(h[21]), int(wire.IPv4(h).ID())
			}
			l.Sent = append(l.Sent, x)
		}
		p.Free()
	}
	return len(batch)
}

// Room implements core.Pacer.
func (d device) Room() int {
	switch {
	case d.l.Shut || d.l.Instance.Now() < d.l.until:
		return 0
	case d.l.Rate != 0:
		return 1
	}
	return 1 << 10
}

// Expire implements timer.Expirer: the line is idle again.
func (d device) Expire(*timer.Timer, core.Time) { d.l.Interface.ResumeLocked() }

// Allocs is how many allocations 64 packets of 8 flows cost that pass through a
// discipline, the test's own not counted. l was made in a rig with
// coretest.Release, and discards.
func Allocs(l *Line, options string) float64 {
	l.T.Helper()
	burst := func() {
		l.Instance.Domain().Do(func() {
			for i := range 64 {
				l.send(i&7, 1000, nil)
			}
		})
		l.Rig.Advance(100 * time.Millisecond)
	}
	l.next = map[int]int{0: 0, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0, 6: 0, 7: 0}
	burst()
	plain := testing.AllocsPerRun(20, burst)
	l.TC("qdisc replace dev q0 root " + options)
	for range 4 {
		burst()
	}
	return testing.AllocsPerRun(20, burst) - plain
}
