package ipv4

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// Intervals of the host side of IGMP (RFC 2236 §8, RFC 3376 §8).
const (
	igmpUnsolicitedV3 = time.Second      // RFC 3376 §8.11
	igmpUnsolicitedV2 = 10 * time.Second // RFC 2236 §8.10
	igmpOlderQuerier  = 400 * time.Second
	igmpDefaultQuery  = 125 * time.Second
)

// igmp is what an interface keeps of its groups and of the link's querier. Both
// exist only on interfaces with groups other than 224.0.0.1.
type igmp struct {
	s       *stack
	ifc     *core.Interface
	groups  []*igmpGroup
	leaving []*igmpGroup // left, with reports still to send
	v1, v2  core.Time    // until when a querier of that version counts as present
	general timer.Timer  // a version 3 general query waits for its answer
}

// igmpGroup is one group of an interface.
type igmpGroup struct {
	owner  *igmp
	addr   wire.Addr
	timer  timer.Timer
	left   int  // unsolicited reports still to send
	answer bool // the timer is for a query
	last   bool // we sent the last report that was heard (version 2)
	gone   bool // reports that it was left
}

// igmpVersion is the version to speak now (RFC 3376 §7.2.1).
func (g *igmp) version() int {
	if v := g.s.device(g.ifc).igmpVersion; v != 0 {
		return int(v)
	}
	now := g.s.in.Now()
	switch {
	case g.v1 > now:
		return 1
	case g.v2 > now:
		return 2
	}
	return 3
}

// reports tells whether IGMP speaks of the group on this interface.
func (s *stack) reports(ifc *core.Interface, a wire.Addr) bool {
	if ifc.Flags()&core.FlagIsLoopback != 0 || ifc.Flags()&core.FlagMulticast == 0 || a == wire.IPv4AllSystems() {
		return false
	}
	return !a.IsLinkLocalMulticast() || s.device(ifc).igmpLinkLocal
}

func (s *stack) igmpJoin(ifc *core.Interface, a wire.Addr) {
	if !s.reports(ifc, a) {
		return
	}
	d := s.device(ifc)
	if d.igmp == nil {
		d.igmp = &igmp{s: s, ifc: ifc}
	}
	for i, x := range d.igmp.leaving {
		if x.addr == a {
			s.in.CancelTimer(&x.timer)
			d.igmp.leaving = append(d.igmp.leaving[:i], d.igmp.leaving[i+1:]...)
			break
		}
	}
	g := &igmpGroup{owner: d.igmp, addr: a}
	d.igmp.groups = append(d.igmp.groups, g)
	if ifc.Up() {
		g.left = int(s.conf.IGMPQrv)
		g.report()
	}
}

func (s *stack) igmpLeave(ifc *core.Interface, a wire.Addr) {
	d := s.device(ifc)
	if d.igmp == nil {
		return
	}
	for i, g := range d.igmp.groups {
		if g.addr != a {
			continue
		}
		d.igmp.groups = append(d.igmp.groups[:i], d.igmp.groups[i+1:]...)
		s.in.CancelTimer(&g.timer)
		if !ifc.Up() {
			return
		}
		g.gone, g.answer = true, false
		switch d.igmp.version() {
		case 3:
			g.left = int(s.conf.IGMPQrv)
			d.igmp.leaving = append(d.igmp.leaving, g)
			g.report()
		case 2:
			if g.last { // RFC 2236 §3: otherwise others are there
				s.sendIGMP(ifc, wire.FromV4(0xe0000002), func(b []byte) []byte {
					wire.IGMP(b[:wire.IGMPSize]).Encode(wire.IGMPv2Leave, 0, a)
					return b[:wire.IGMPSize]
				})
			}
		}
		return
	}
}

// igmpUp reports all groups when the link comes up.
func (s *stack) igmpUp(ifc *core.Interface) {
	d := s.device(ifc)
	if d.igmp == nil {
		return
	}
	for _, g := range d.igmp.groups {
		g.left = int(s.conf.IGMPQrv)
		g.report()
	}
}

// igmpDown stops the timers of an interface that goes down.
func (s *stack) igmpDown(ifc *core.Interface) {
	d := s.device(ifc)
	if d.igmp == nil {
		return
	}
	s.in.CancelTimer(&d.igmp.general)
	for _, g := range append(d.igmp.groups, d.igmp.leaving...) {
		s.in.CancelTimer(&g.timer)
		g.left, g.answer = 0, false
	}
	d.igmp.leaving = nil
	d.igmp.v1, d.igmp.v2 = 0, 0
}

// report sends one unsolicited report and sets the timer for the next.
func (g *igmpGroup) report() {
	m := g.owner
	v := m.version()
	every := igmpUnsolicitedV2
	if v == 3 {
		every = igmpUnsolicitedV3
		typ := uint8(wire.RecordChangeToExclude)
		if g.gone {
			typ = wire.RecordChangeToInclude
		}
		m.sendRecords(typ, g)
	} else if !g.gone {
		m.sendReport(v, g)
	} else {
		g.left = 1 // an older querier came: no more to say
	}
	if g.left--; g.left > 0 {
		m.s.in.SetTimer(&g.timer, m.s.in.Now().Add(m.s.jitter(every)), g)
		return
	}
	if g.gone {
		for i, x := range m.leaving {
			if x == g {
				m.leaving = append(m.leaving[:i], m.leaving[i+1:]...)
				break
			}
		}
	}
}

// jitter is a random time in (0, d].
func (s *stack) jitter(d time.Duration) time.Duration {
	return time.Duration(s.in.Random().Uint64()%uint64(max(1, d))) + 1
}

// Expire implements timer.Expirer.
func (g *igmpGroup) Expire(*timer.Timer, core.Time) {
	if !g.answer {
		g.report()
		return
	}
	g.answer = false
	if v := g.owner.version(); v == 3 {
		g.owner.sendRecords(wire.RecordModeIsExclude, g)
	} else {
		g.owner.sendReport(v, g)
	}
	if g.left > 0 { // what the query interrupted
		g.owner.s.in.SetTimer(&g.timer, g.owner.s.in.Now().Add(g.owner.s.jitter(igmpUnsolicitedV2)), g)
	}
}

// Expire implements timer.Expirer: it answers a general query.
func (m *igmp) Expire(*timer.Timer, core.Time) {
	m.sendRecords(wire.RecordModeIsExclude, m.groups...)
}

// sendReport sends a version 1 or 2 report of one group.
func (m *igmp) sendReport(version int, g *igmpGroup) {
	typ := uint8(wire.IGMPv2Report)
	if version == 1 {
		typ = wire.IGMPv1Report
	}
	g.last = true
	m.s.sendIGMP(m.ifc, g.addr, func(b []byte) []byte {
		wire.IGMP(b[:wire.IGMPSize]).Encode(typ, 0, g.addr)
		return b[:wire.IGMPSize]
	})
}

// sendRecords sends version 3 reports with a record of this type for each group.
func (m *igmp) sendRecords(typ uint8, groups ...*igmpGroup) {
	most := max(1, (m.ifc.MTU()-24-wire.IGMPSize)/wire.GroupRecordSize(wire.IPv4Any(), 0))
	for len(groups) > 0 {
		n := min(len(groups), most)
		batch := groups[:n]
		groups = groups[n:]
		m.s.sendIGMP(m.ifc, wire.FromV4(0xe0000016), func(b []byte) []byte {
			wire.IGMP(b).EncodeV3Report(n)
			at := wire.IGMPSize
			for _, g := range batch {
				at += wire.PutGroupRecord(b[at:], typ, g.addr)
			}
			return b[:at]
		})
	}
}

// sendIGMP sends a message with Router Alert and TTL 1 (RFC 3376 §4). A host
// without an address speaks as 0.0.0.0.
func (s *stack) sendIGMP(ifc *core.Interface, dst wire.Addr, write func([]byte) []byte) {
	if !ifc.Up() {
		return
	}
	src, ok := s.Source(ifc, dst)
	if !ok {
		src = wire.IPv4Any()
	}
	// The group stands for the source, which may be none.
	r, err := s.in.Route(core.RouteQuery{Dst: dst, Src: dst, Interface: ifc.Index()})
	if err != nil {
		return
	}
	room := ifc.MTU() - 24
	p := s.in.NewPacket(core.Headroom, room)
	if p == nil {
		return
	}
	b := p.Put(room)
	m := wire.IGMP(write(b))
	m.UpdateChecksum()
	p.Trim(len(m))
	p.Src, p.Dst, p.Protocol, p.Route = src, dst, wire.ProtoIGMP, r
	p.TOS, p.HopLimit, p.Flags = 0xc0, 1, core.FlagDontFragment|core.FlagNoLoop
	_ = s.output(p, []byte{wire.IPv4OptRouterAlert, 4, 0, 0})
}

// igmpInput takes a message of a querier or another host. It owns p.
func (s *stack) igmpInput(p *core.Packet) {
	defer p.Free()
	if !p.Linearize() {
		return
	}
	m, err := wire.ParseIGMP(p.Linear())
	if err != nil || !m.ChecksumOK() {
		return
	}
	d := s.device(p.Interface)
	if d.igmp == nil || p.Flags&core.FlagLoopback != 0 {
		return
	}
	switch m.Type() {
	case wire.IGMPQuery:
		d.igmp.query(m)
	case wire.IGMPv1Report, wire.IGMPv2Report:
		for _, g := range d.igmp.groups {
			if g.addr == m.Group() { // RFC 2236 §3: one answer is enough
				if g.answer {
					s.in.CancelTimer(&g.timer)
					g.answer = false
				}
				g.last = false
			}
		}
	}
}

// query arranges for the answer to a query within its time.
func (m *igmp) query(q wire.IGMP) {
	now := m.s.in.Now()
	longest := time.Duration(q.MaxResponse()) * 100 * time.Millisecond
	switch q.QueryVersion() {
	case 1:
		m.v1 = now.Add(igmpOlderQuerier)
	case 2:
		m.v2 = now.Add(2*igmpDefaultQuery + longest)
	}
	group := q.Group()
	if group.IsUnspecified() && m.version() == 3 {
		at := now.Add(m.s.jitter(longest))
		if !m.general.Pending() || m.general.When() > at { // RFC 3376 §5.2, rule 1
			m.s.in.SetTimer(&m.general, at, m)
		}
		return
	}
	for _, g := range m.groups {
		if !group.IsUnspecified() && g.addr != group {
			continue
		}
		at := now.Add(m.s.jitter(longest))
		if g.timer.Pending() && g.timer.When() <= at {
			continue
		}
		g.answer = true
		m.s.in.SetTimer(&g.timer, at, g)
	}
}
