package ipv4_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	. "github.com/libos-go/libos/core/wire/wiretest"
)

const group = "239.1.2.3"

// heard takes the IGMP messages that were sent, as text: "report2 239.1.2.3 to
// 239.1.2.3". It checks what all must have: TTL 1, Router Alert, checksums.
func heard(t testing.TB, w *coretest.Wire) string {
	t.Helper()
	var out []string
	for _, f := range w.Sent() {
		Check(t, f.Data, IPv4(nil, nil, TTL(1), Proto(wire.ProtoIGMP), IPOptions(148, 4, 0, 0)))
		h := wire.IPv4(f.Data)
		m, err := wire.ParseIGMP(h.Payload())
		if err != nil || !m.ChecksumOK() {
			t.Errorf("bad IGMP message % x", h.Payload())
			continue
		}
		names := map[uint8]string{wire.IGMPv1Report: "report1", wire.IGMPv2Report: "report2", wire.IGMPv2Leave: "leave2"}
		text := fmt.Sprintf("%s %v to %v", names[m.Type()], m.Group(), h.Dst())
		if m.Type() == wire.IGMPv3Report {
			text = "report3"
			records := m.Records()
			for r, ok := records.Next(); ok; r, ok = records.Next() {
				kind := map[uint8]string{2: "is", 3: "leave", 4: "join"}[r.Type]
				text += fmt.Sprintf(" %s %v", kind, r.Group)
			}
			text += fmt.Sprintf(" to %v", h.Dst())
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

func expectHeard(t testing.TB, w *coretest.Wire, want string) {
	t.Helper()
	if got := heard(t, w); got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func (b *bench) join(w *coretest.Wire, a string) {
	b.Domain.Do(func() { w.Interface.JoinGroup(addr(a)) })
}
func (b *bench) leave(w *coretest.Wire, a string) {
	b.Domain.Do(func() { w.Interface.LeaveGroup(addr(a)) })
}

// query is a query of a version for a group ("0.0.0.0": all) with ten seconds
// to answer.
func query(version int, a string) Packet {
	m := make(wire.IGMP, wire.IGMPv3QuerySize)
	switch version {
	case 1:
		m = m[:wire.IGMPSize]
		m.Encode(wire.IGMPQuery, 0, addr(a))
	case 2:
		m = m[:wire.IGMPSize]
		m.Encode(wire.IGMPQuery, 100, addr(a))
	case 3:
		m.EncodeV3Query(&wire.MulticastQuery{MaxResponse: 100, Group: addr(a), Robustness: 2, Interval: 125})
	}
	m.UpdateChecksum()
	dst := "224.0.0.1"
	if a != "0.0.0.0" {
		dst = a
	}
	return IPv4(peer, dst, TTL(1), Proto(wire.ProtoIGMP)).Payload(string(m))
}

func TestJoinAndLeaveAreReported(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.join(w, group)
	b.join(w, group) // a second user changes nothing
	expectHeard(t, w, "report3 join 239.1.2.3 to 224.0.0.22")
	b.Advance(1100 * time.Millisecond) // RFC 3376 §5.1: robustness 2
	expectHeard(t, w, "report3 join 239.1.2.3 to 224.0.0.22")
	b.Advance(time.Minute)
	expectHeard(t, w, "")
	b.leave(w, group)
	expectHeard(t, w, "")
	b.leave(w, group)
	expectHeard(t, w, "report3 leave 239.1.2.3 to 224.0.0.22")
	b.Advance(1100 * time.Millisecond)
	expectHeard(t, w, "report3 leave 239.1.2.3 to 224.0.0.22")
	b.Advance(time.Minute)
	expectHeard(t, w, "")
}

func TestJoinAfterLeaveStopsTheLeaving(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.join(w, group)
	b.Advance(2 * time.Second)
	b.leave(w, group)
	heard(t, w)
	b.join(w, group)
	b.Advance(2 * time.Second)
	expectHeard(t, w, "report3 join 239.1.2.3 to 224.0.0.22; report3 join 239.1.2.3 to 224.0.0.22")
}

func TestQueriesAreAnswered(t *testing.T) {
	for _, x := range []struct {
		version int
		about   string
		want    string
	}{
		{3, "0.0.0.0", "report3 is 239.1.2.3 is 239.9.9.9 to 224.0.0.22"},
		{3, group, "report3 is 239.1.2.3 to 224.0.0.22"},
		{2, group, "report2 239.1.2.3 to 239.1.2.3"},
		{1, "0.0.0.0", ""}, // both groups, in random order
		{3, "239.7.7.7", ""},
	} {
		b := newBench(t)
		w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
		b.join(w, group)
		b.join(w, "239.9.9.9")
		b.Advance(time.Minute)
		heard(t, w)
		w.Inject(query(x.version, x.about))
		expectHeard(t, w, "")
		b.Advance(10 * time.Second)
		got := heard(t, w)
		if x.version == 1 {
			if strings.Count(got, "report1") != 2 {
				t.Errorf("version 1 query: heard %q", got)
			}
			continue
		}
		if got != x.want {
			t.Errorf("version %d query about %s: heard %q, want %q", x.version, x.about, got, x.want)
		}
	}
}

func TestReportsOfOthersSuppressOurs(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.join(w, group)
	b.Advance(time.Minute)
	heard(t, w)
	w.Inject(query(2, "0.0.0.0"))
	m := make(wire.IGMP, wire.IGMPSize)
	m.Encode(wire.IGMPv2Report, 0, addr(group))
	m.UpdateChecksum()
	w.Inject(IPv4(other, group, TTL(1), Proto(wire.ProtoIGMP)).Payload(string(m)))
	b.Advance(11 * time.Second)
	expectHeard(t, w, "")
	b.leave(w, group) // not the last to report: no need to say so (RFC 2236 §3)
	expectHeard(t, w, "")
}

func TestLeaveOfVersion2(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.set(t, "net.ipv4.conf.w0.force_igmp_version", "2")
	b.join(w, group)
	expectHeard(t, w, "report2 239.1.2.3 to 239.1.2.3")
	b.leave(w, group)
	expectHeard(t, w, "leave2 239.1.2.3 to 224.0.0.2")
}

func TestOlderQuerierIsForgotten(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.join(w, group)
	b.Advance(time.Minute)
	w.Inject(query(2, "0.0.0.0"))
	b.Advance(11 * time.Second)
	heard(t, w)
	b.Advance(5 * time.Minute)
	b.join(w, "239.9.9.9")
	expectHeard(t, w, "report3 join 239.9.9.9 to 224.0.0.22")
}

func TestAllSystemsIsNeverReported(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.join(w, "224.0.0.1")
	b.set(t, "net.ipv4.conf.w0.igmp_link_local_mcast_reports", "0")
	b.join(w, "224.0.0.251")
	expectHeard(t, w, "")
}

func TestAHostWithoutAddressReports(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw)
	b.join(w, group)
	w.Expect(IPv4("0.0.0.0", "224.0.0.22", TTL(1)))
	b.Advance(time.Minute)
}
