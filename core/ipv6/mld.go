package ipv6

import (
	"slices"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// Multicast listener discovery, the host's side (RFC 3810; RFC 2710 towards
// queriers of version 1). Sockets have no source filters, so each group is
// listened to for all sources: EXCLUDE of nothing.

const (
	robustness         = 2           // RFC 3810 §9.1
	unsolicitedReport  = time.Second // §9.11
	olderQuerierExpiry = 260 * time.Second
	maxAnswers         = 64 // pending answers to queries for a group
)

// listener is what an interface has to report.
type listener struct {
	timer    timer.Timer
	device   *device
	changes  []change
	changeAt core.Time
	general  core.Time // when to answer a general query, 0 for not
	answers  []answer
	old      core.Time // a querier of version 1 counts until then
}

// change is a group that was joined or left and not told often enough yet.
type change struct {
	group wire.Addr
	join  bool
	left  int // reports to send
}

// answer is due to a query for a group, of those sources if there are any.
type answer struct {
	group   wire.Addr
	sources []wire.Addr
	at      core.Time
}

// reported tells whether membership of a group is told at all (RFC 3810 §6:
// not all-nodes, nor what stays on the node).
func reported(group wire.Addr) bool {
	return group != wire.IPv6AllNodes() && group.Scope() > wire.ScopeInterfaceLocal
}

func (d *device) listens() bool {
	return d.ifc.Link() != core.LinkLoopback && (discovers(d.ifc) || d.ifc.Flags()&core.FlagMulticast != 0)
}

func (d *device) joined(group wire.Addr) { d.changed(group, true) }
func (d *device) left(group wire.Addr)   { d.changed(group, false) }

// changed reports a join or leave now and once more later (RFC 3810 §6.1).
func (d *device) changed(group wire.Addr, join bool) {
	if !d.up || !reported(group) || !d.listens() {
		return
	}
	l := d.mld
	if l == nil {
		l = &listener{device: d}
		d.mld = l
	}
	l.changes = slices.DeleteFunc(l.changes, func(c change) bool { return c.group == group })
	l.changes = append(l.changes, change{group, join, robustness})
	l.changeAt = d.net.in.Now()
	l.arm()
}

// startListener tells the link of all groups when the interface comes up.
func (d *device) startListener() {
	for _, g := range d.ifc.Groups() {
		if g.Is6() {
			d.changed(g, true)
		}
	}
}

func (d *device) stopListener() {
	if d.mld != nil {
		d.net.in.CancelTimer(&d.mld.timer)
		d.mld = nil
	}
}

// arm sets the timer for what is due next.
func (l *listener) arm() {
	next := core.Never
	if len(l.changes) > 0 {
		next = l.changeAt
	}
	if l.general != 0 {
		next = min(next, l.general)
	}
	for i := range l.answers {
		next = min(next, l.answers[i].at)
	}
	l.device.net.in.SetTimer(&l.timer, next, l)
}

// version is the version of MLD to speak now (RFC 3810 §8.2.1).
func (l *listener) version(now core.Time) int {
	if v := l.device.net.forceMLDVersion(l.device.ifc); v != 0 {
		return v
	}
	if l.old > now {
		return 1
	}
	return 2
}

// Expire implements timer.Expirer.
func (l *listener) Expire(_ *timer.Timer, now core.Time) {
	d := l.device
	var records []record
	if len(l.changes) > 0 && l.changeAt <= now {
		for i := range l.changes {
			c := &l.changes[i]
			typ := uint8(wire.RecordChangeToInclude)
			if c.join {
				typ = wire.RecordChangeToExclude
			}
			records = append(records, record{typ: typ, group: c.group})
			c.left--
		}
		l.changes = slices.DeleteFunc(l.changes, func(c change) bool { return c.left == 0 })
		l.changeAt = now.Add(1 + time.Duration(d.net.within(int64(unsolicitedReport))))
	}
	if l.general != 0 && l.general <= now {
		l.general = 0
		l.answers = nil
		for _, g := range d.ifc.Groups() {
			if g.Is6() && reported(g) {
				records = append(records, record{typ: wire.RecordModeIsExclude, group: g})
			}
		}
	}
	l.answers = slices.DeleteFunc(l.answers, func(a answer) bool {
		if a.at > now {
			return false
		}
		if d.ifc.InGroup(a.group) {
			typ := uint8(wire.RecordModeIsExclude)
			if len(a.sources) > 0 { // RFC 3810 §6.3: those of the sources that are listened to
				typ = wire.RecordModeIsInclude
			}
			records = append(records, record{typ, a.group, a.sources})
		}
		return true
	})
	l.report(records, l.version(now))
	if len(l.changes) == 0 && l.general == 0 && len(l.answers) == 0 && l.old <= now {
		d.mld = nil // nothing to remember
		return
	}
	l.arm()
}

// record is one group of a report.
type record struct {
	typ     uint8
	group   wire.Addr
	sources []wire.Addr
}

// report sends records: in as few messages as the MTU allows, or one by one to
// a querier of version 1.
func (l *listener) report(records []record, version int) {
	d := l.device
	n := d.net
	if version == 1 {
		for _, r := range records {
			typ, dst := uint8(wire.ICMPv6MLDReport), r.group
			if r.typ == wire.RecordChangeToInclude {
				typ, dst = wire.ICMPv6MLDDone, wire.IPv6AllRouters()
			}
			if p := n.newMessage(wire.MLDSize); p != nil {
				wire.MLD(p.Linear()).Encode(typ, 0, r.group)
				d.sendListener(p, dst)
			}
		}
		return
	}
	room := n.InterfaceMTU(d.ifc) - headerSize - 8
	for len(records) > 0 {
		size, count := wire.MLDv2ReportSize, 0
		for _, r := range records {
			s := wire.GroupRecordSize(r.group, len(r.sources))
			if size+s > room && count > 0 {
				break
			}
			size += s
			count++
		}
		p := n.newMessage(size)
		if p == nil {
			return
		}
		b := p.Linear()
		wire.MLD(b).EncodeV2Report(count)
		b = b[wire.MLDv2ReportSize:]
		for _, r := range records[:count] {
			b = b[wire.PutGroupRecord(b, r.typ, r.group, r.sources...):]
		}
		records = records[count:]
		d.sendListener(p, wire.IPv6AllMLDv2Routers())
	}
}

// sendListener sends a message with hop limit 1 and a router alert (RFC 3810
// §5), from the link-local address or, before there is one, from "::".
func (d *device) sendListener(p *core.Packet, dst wire.Addr) {
	n := d.net
	p.Src, p.Dst = n.linkLocal(d.ifc), dst
	checksumICMP(p)
	n.count.sentICMP(p.Linear()[0])
	p.SetTransportHeader()
	copy(p.Push(8), []byte{wire.ProtoICMPv6, 0, wire.IPv6OptRouterAlert, 2, 0, 0, wire.IPv6OptPadN, 0})
	size := p.Len()
	wire.IPv6(p.Push(headerSize)).Encode(&wire.IPv6Fields{PayloadLen: size, NextHeader: wire.ProtoHopByHop, HopLimit: wire.MLDHopLimit, Src: p.Src, Dst: dst})
	p.SetNetworkHeader()
	p.EtherType = wire.EtherTypeIPv6
	n.countSent(p)
	d.ifc.TransmitTo(p, wire.MulticastHWAddr(dst))
}

// listenerMessage takes a query (RFC 3810 §6.2) or a report of version 1,
// which makes ours needless (RFC 2710 §4).
func (n *network) listenerMessage(p *core.Packet, m wire.ICMPv6) bool {
	v, err := wire.ParseMLD(m, p.Src, p.HopLimit)
	if err != nil || p.Flags&core.FlagRouterAlert == 0 {
		return false
	}
	d := n.known(p.Interface)
	if d == nil || !d.up || !d.listens() {
		return true
	}
	if v.Type() == wire.ICMPv6MLDReport {
		if l := d.mld; l != nil && l.version(n.in.Now()) == 1 {
			l.answers = slices.DeleteFunc(l.answers, func(a answer) bool { return a.group == v.Group() })
			l.arm()
		}
		return true
	}
	n.query(d, v)
	return true
}

// query schedules the answer to a query within its maximum response time.
func (n *network) query(d *device, v wire.MLD) {
	now := n.in.Now()
	group := v.Group()
	if !group.IsUnspecified() && (!group.IsMulticast() || !d.ifc.InGroup(group) || !reported(group)) {
		return
	}
	if d.mld == nil {
		d.mld = &listener{device: d}
	}
	l := d.mld
	if v.QueryVersion() == 1 {
		l.old = now.Add(olderQuerierExpiry)
		l.changes = nil // RFC 3810 §8.2.1: pending reports of version 2 are dropped
	}
	at := now.Add(time.Duration(n.within(int64(v.MaxResponse()) * int64(time.Millisecond))))
	switch {
	case l.general != 0 && l.general <= at:
		// an answer that tells all comes sooner
	case group.IsUnspecified() && l.version(now) == 2:
		l.general = at
	case group.IsUnspecified():
		for _, g := range d.ifc.Groups() { // each on its own (RFC 2710 §4)
			if g.Is6() && reported(g) {
				l.answer(g, nil, now.Add(time.Duration(n.within(int64(v.MaxResponse())*int64(time.Millisecond)))))
			}
		}
	default:
		var sources []wire.Addr
		for i := range min(v.Sources().Len(), maxAnswers) {
			sources = append(sources, v.Sources().At(i))
		}
		l.answer(group, sources, at)
	}
	l.arm()
}

// answer adds a pending answer, or merges it with the one for the same group.
func (l *listener) answer(group wire.Addr, sources []wire.Addr, at core.Time) {
	for i := range l.answers {
		a := &l.answers[i]
		if a.group != group {
			continue
		}
		a.at = min(a.at, at)
		if len(sources) == 0 || len(a.sources) == 0 || len(a.sources)+len(sources) > maxAnswers {
			a.sources = nil // the whole group is told
			return
		}
		for _, s := range sources {
			if !slices.Contains(a.sources, s) {
				a.sources = append(a.sources, s)
			}
		}
		return
	}
	if len(l.answers) < maxAnswers {
		l.answers = append(l.answers, answer{group, sources, at})
	}
}
