package ipv6

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

// heard is what listeners were told on w since the last call: "TYPE GROUP
// [SOURCES]" for each record, "report GROUP" and "done GROUP" for version 1.
func heard(t *testing.T, w *coretest.Wire) (out []string) {
	for _, f := range w.Sent() {
		h, err := wire.ParseIPv6(f.Data[wire.EthernetSize:])
		if err != nil {
			t.Fatal(err)
		}
		walk := wire.WalkIPv6(h)
		for walk.Next() {
		}
		if walk.Header != wire.ProtoICMPv6 {
			continue
		}
		m, err := wire.ParseMLD(wire.ICMPv6(walk.Rest()), h.Src(), h.HopLimit())
		if err != nil {
			continue
		}
		switch m.Type() {
		case wire.ICMPv6MLDv2Report:
			records := m.Records()
			for r, ok := records.Next(); ok; r, ok = records.Next() {
				s := fmt.Sprint(r.Type, " ", r.Group)
				for i := range r.Sources.Len() {
					s += " " + r.Sources.At(i).String()
				}
				out = append(out, s)
			}
		case wire.ICMPv6MLDReport:
			if h.Dst() != m.Group() {
				t.Errorf("a report for %v goes to %v", m.Group(), h.Dst())
			}
			out = append(out, "report "+m.Group().String())
		case wire.ICMPv6MLDDone:
			out = append(out, "done "+m.Group().String())
		}
	}
	return out
}

func expectHeard(t *testing.T, w *coretest.Wire, want ...string) {
	t.Helper()
	if got := heard(t, w); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

// query is a listener query of version 2, or of version 1.
func query(version int, group string, maxResponse uint32, sources ...wire.Addr) wt.Packet {
	q := wire.MulticastQuery{MaxResponse: maxResponse, Robustness: 2, Interval: 125}
	if group != "" {
		q.Group = wire.MustAddr(group)
	}
	m := make(wire.MLD, 256)
	if version == 1 {
		m = m[:wire.MLDSize]
		m.Encode(wire.ICMPv6MLDQuery, uint16(maxResponse), q.Group)
	} else {
		m = m[:m.EncodeV2Query(&q, sources...)]
	}
	wire.ICMPv6(m).UpdateChecksum(wire.MustAddr(routerLL), wire.IPv6AllNodes())
	hbh := string([]byte{wire.ProtoICMPv6, 0, 5, 2, 0, 0, 1, 0})
	return wt.Ethernet(them, "33:33:00:00:00:01").IPv6(routerLL, "ff02::1", wt.TTL(1), wt.Proto(wire.ProtoHopByHop)).Payload(hbh + string(m))
}

func (b *bed) join(w *coretest.Wire, group string, in bool) {
	b.Domain.Do(func() {
		if in {
			w.Interface.JoinGroup(wire.MustAddr(group))
		} else {
			w.Interface.LeaveGroup(wire.MustAddr(group))
		}
	})
}

func TestJoinsAndLeavesAreToldTwice(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0")
	b.join(w, "ff05::7", true)
	b.Advance(0)
	expectHeard(t, w, "4 ff05::7")
	b.Advance(1100 * time.Millisecond)
	expectHeard(t, w, "4 ff05::7")
	b.join(w, "ff05::7", true) // a second user
	b.join(w, "ff05::7", false)
	b.Advance(5 * time.Second)
	expectHeard(t, w)
	b.join(w, "ff05::7", false)
	b.Advance(5 * time.Second)
	expectHeard(t, w, "3 ff05::7", "3 ff05::7")
	b.join(w, "ff01::7", true) // stays on the node
	b.join(w, "ff02::1", true) // goes without saying
	b.Advance(5 * time.Second)
	expectHeard(t, w)
}

func TestQueriesAreAnswered(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fe80::5/64")
	b.join(w, "ff05::7", true)
	b.join(w, "ff05::8", true)
	b.Advance(5 * time.Second)
	w.Sent()
	w.Inject(query(2, "", 2000))
	b.Advance(2100 * time.Millisecond)
	expectHeard(t, w, "2 ff02::1:ff00:5", "2 ff05::7", "2 ff05::8")
	w.Inject(query(2, "ff05::8", 1000))
	b.Advance(1100 * time.Millisecond)
	expectHeard(t, w, "2 ff05::8")
	w.Inject(query(2, "ff05::8", 1000, wire.MustAddr("2001::1"), wire.MustAddr("2001::2")))
	b.Advance(1100 * time.Millisecond)
	expectHeard(t, w, "1 ff05::8 2001::1 2001::2")
	w.Inject(query(2, "ff05::99", 1000))
	b.Advance(1100 * time.Millisecond)
	expectHeard(t, w)
	b.join(w, "ff05::8", false)
	b.Advance(5 * time.Second)
	w.Sent()
	w.Inject(query(2, "ff05::8", 1000))
	b.Advance(2 * time.Second)
	expectHeard(t, w)
}

func TestQueriesWithoutRouterAlertAreIgnored(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fe80::5/64")
	m := make(wire.MLD, 64)
	m = m[:m.EncodeV2Query(&wire.MulticastQuery{MaxResponse: 1000})]
	wire.ICMPv6(m).UpdateChecksum(wire.MustAddr(routerLL), wire.IPv6AllNodes())
	w.Inject(wt.Ethernet(them, "33:33:00:00:00:01").IPv6(routerLL, "ff02::1", wt.TTL(1), wt.Proto(wire.ProtoICMPv6)).Payload(string(m)))
	b.Advance(5 * time.Second)
	expectHeard(t, w)
	if b.icmp("InErrors") != 1 {
		t.Error("it was not counted")
	}
}

func TestAnOldQuerierHearsVersionOne(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fe80::5/64")
	w.Inject(query(1, "", 1000))
	b.Advance(1100 * time.Millisecond)
	expectHeard(t, w, "report ff02::1:ff00:5")
	b.join(w, "ff05::7", true)
	b.Advance(5 * time.Second)
	expectHeard(t, w, "report ff05::7", "report ff05::7")
	b.join(w, "ff05::7", false)
	b.Advance(0)
	expectHeard(t, w, "done ff05::7")
	b.Advance(5 * time.Second)
	w.Sent()
	b.Advance(300 * time.Second) // it is gone
	b.join(w, "ff05::7", true)
	b.Advance(0)
	expectHeard(t, w, "4 ff05::7")
}

func TestAnothersReportIsEnoughForVersionOne(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fe80::5/64")
	b.join(w, "ff05::7", true)
	b.Advance(5 * time.Second)
	w.Sent()
	w.Inject(query(1, "ff05::7", 10000))
	m := make(wire.MLD, wire.MLDSize)
	m.Encode(wire.ICMPv6MLDReport, 0, wire.MustAddr("ff05::7"))
	wire.ICMPv6(m).UpdateChecksum(wire.MustAddr(routerLL), wire.MustAddr("ff05::7"))
	hbh := string([]byte{wire.ProtoICMPv6, 0, 5, 2, 0, 0, 1, 0})
	w.Inject(wt.Ethernet(them, "33:33:00:00:00:07").IPv6(routerLL, "ff05::7", wt.TTL(1), wt.Proto(wire.ProtoHopByHop)).Payload(hbh + string(m)))
	b.Advance(11 * time.Second)
	expectHeard(t, w)
}

func TestMulticastGoesToMembersOnly(t *testing.T) {
	b := newBed(t)
	w := b.wire("eth0", "fd00::1/64")
	in := wt.Ethernet(them, "33:33:00:00:00:07").IPv6("fd00::2", "ff05::7").UDP(wt.Ports(1, 2)).Payload("x")
	w.Inject(in)
	if len(b.udp.got) != 0 {
		t.Error("delivered without membership")
	}
	b.join(w, "ff05::7", true)
	w.Inject(in)
	if len(b.udp.got) != 1 {
		t.Error("not delivered to a member")
	}
	b.Advance(5 * time.Second)
	w.Sent()
	if err := b.send(to("ff05::7"), 3, nil); err != nil {
		t.Fatal(err)
	}
	w.Expect(wt.Ethernet(us, "33:33:00:00:00:07").IPv6("fd00::1", "ff05::7").UDP())
	if len(b.udp.got) != 2 {
		t.Error("what we send to a group that we are in does not come back")
	}
}
