package fq_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/fq"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/host"
)

const ms = time.Millisecond

func line(t testing.TB, options string) *qdisctest.Line {
	l := qdisctest.New(t, host.NewVirtual(1), fq.Kind())
	l.TC("qdisc add dev q0 root handle 1: fq " + options)
	return l
}

func times(ps []qdisctest.Packet) (at []time.Duration) {
	for _, p := range ps {
		at = append(at, p.At)
	}
	return at
}

func TestFlowsTakeTurnsByBytes(t *testing.T) {
	l := line(t, "quantum 1000 initial_quantum 1000")
	l.Rate = 8e6
	l.Pace()
	l.Send(1, 90, 1000)
	l.Send(2, 90, 500)
	l.Pass(60 * ms)
	bytes := map[int]int{}
	for _, p := range l.Take() {
		bytes[p.Flow] += p.Size
	}
	if bytes[1] < 29_000 || bytes[1] > 32_000 || bytes[2] < 29_000 || bytes[2] > 32_000 {
		t.Errorf("bytes by flow: %v, want 30,000 each", bytes)
	}
}

func TestANewFlowGoesFirst(t *testing.T) {
	l := line(t, "")
	l.Rate = 8e6
	l.Pace()
	l.Send(1, 50, 1000)
	l.Send(2, 50, 1000)
	l.Pass(45*ms + ms/2) // both have used their initial quanta
	l.Take()
	l.Send(3, 1, 1000)
	l.Pass(ms)
	if got := l.Take(); len(got) != 1 || got[0].Flow != 3 {
		t.Errorf("%+v left before the new flow", got)
	}
}

// 8 Mbit/s for packets of 1,000 bytes: one a millisecond.
func TestAFlowKeepsItsRate(t *testing.T) {
	for _, tt := range []struct {
		name, options string
		own           uint64 // of the socket, bytes a second
	}{
		{"of the discipline", "maxrate 8mbit", 0},
		{"of its socket", "", 1e6},
		{"the lower of the two", "maxrate 80mbit", 1e6},
		{"the lower of the two again", "maxrate 8mbit", 1e7},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := line(t, "quantum 1000 initial_quantum 1000 "+tt.options)
			for range 20 {
				l.SendWith(1, 1000, func(p *core.Packet) { p.PacingRate = tt.own })
			}
			l.Send(2, 1, 1000) // another flow is not held back
			l.Pass(time.Second)
			var one []time.Duration
			for _, p := range l.Take() {
				if p.Flow == 1 {
					one = append(one, p.At)
				} else if p.At != 0 {
					t.Errorf("the other flow left at %v", p.At)
				}
			}
			if len(one) != 20 {
				t.Fatalf("%d packets of 20 left", len(one))
			}
			for i, at := range one {
				if at != time.Duration(i)*ms {
					t.Fatalf("packets left at %v", one)
				}
			}
		})
	}
	l := line(t, "nopacing maxrate 8mbit")
	l.Send(1, 20, 1000)
	if got := l.Take(); len(got) != 20 {
		t.Errorf("without pacing %d packets of 20 left at once", len(got))
	}
}

func TestAPacketLeavesAtItsDeparture(t *testing.T) {
	l := line(t, "")
	for i, d := range []time.Duration{30 * ms, 10 * ms, 20 * ms, 0} {
		l.SendWith(1, 100+i, func(p *core.Packet) { p.Departure = core.Time(d) })
	}
	l.Pass(time.Second)
	// A flow that waits for its first packet is not looked at before: all leave then,
	// in the order of their times.
	want := []int{103, 101, 102, 100}
	got := l.Take()
	for i, size := range want {
		if i >= len(got) || got[i].Size != size || got[i].At != 30*ms {
			t.Fatalf("left: %+v", got)
		}
	}
	l.Instance.Domain().Do(func() { // those of one entry leave at their own times
		for i, d := range []time.Duration{30 * ms, 10 * ms, 20 * ms, 0} {
			l.Queue(1, 100+i, func(p *core.Packet) {
				if d != 0 {
					p.Departure = l.Instance.Now() + core.Time(d)
				}
			})
		}
	})
	start := time.Duration(l.Rig.Host.Now())
	l.Pass(time.Second)
	due := map[int]time.Duration{100: 30 * ms, 101: 10 * ms, 102: 20 * ms, 103: 0}
	for _, p := range l.Take() {
		if p.At != start+due[p.Size] {
			t.Errorf("packet of %d bytes left at %v, want %v", p.Size, p.At-start, due[p.Size])
		}
		delete(due, p.Size)
	}
	if len(due) != 0 {
		t.Errorf("%d packets did not leave", len(due))
	}
}

func TestBeyondTheHorizonPacketsAreDroppedOrCapped(t *testing.T) {
	far := func(p *core.Packet) { p.Departure = core.Time(time.Hour) }
	l := line(t, "horizon 2s")
	l.SendWith(1, 100, far)
	l.Pass(time.Minute)
	if n := l.Root(); len(l.Take()) != 0 || n.Counts.Dropped != 1 || l.Detail("horizon_drops") != uint64(1) {
		t.Errorf("%+v", n)
	}
	l = line(t, "horizon 2s horizon_cap")
	l.SendWith(1, 100, far)
	l.Pass(time.Minute)
	if got := times(l.Take()); len(got) != 1 || got[0] != 2*time.Second || l.Detail("horizon_caps") != uint64(1) {
		t.Errorf("left at %v", got)
	}
}

func TestLimitsOfAFlowAndOfAll(t *testing.T) {
	l := line(t, "limit 20 flow_limit 5")
	l.Shut = true
	l.Pace()
	for f := range 5 {
		l.Send(f, 8, 100)
	}
	n := l.Root()
	if n.Len != 20 || n.Counts.Dropped != 20 || l.Detail("flows_plimit") != uint64(9) {
		t.Errorf("%d wait, %d are dropped, %v of them by the limit of a flow", n.Len, n.Counts.Dropped, l.Detail("flows_plimit"))
	}
}

func TestCeThresholdMarksWhatIsLate(t *testing.T) {
	l := line(t, "ce_threshold 3ms")
	l.Rate = 8e6
	l.ECN = 2
	l.Pace()
	l.Send(1, 10, 1000)
	l.Pass(time.Second)
	for _, p := range l.Take() {
		if late := p.At > 3*ms; late != (p.ECN == 3) {
			t.Errorf("a packet that left %v late has ECN %d", p.At, p.ECN)
		}
	}
}

// A flow that was idle for some time sends a quantum at once again, one that comes
// back at once does not.
func TestIdleFlowsAreForgottenInTheEnd(t *testing.T) {
	l := line(t, "buckets 32")
	for f := range 1000 {
		l.Send(f, 1, 100)
	}
	if n := l.Detail("flows").(int); n > 200 {
		t.Errorf("%d idle flows are remembered with 32 buckets", n)
	}
	if l.Detail("gc").(uint64) < 800 {
		t.Errorf("%v flows were forgotten", l.Detail("gc"))
	}
	if len(l.Take()) != 1000 {
		t.Error("packets are missing")
	}
}

func TestShowIsWhatTcPrints(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1)), core.LinkEthernet, fq.Kind())
	l.TC("qdisc add dev q0 root handle 1: fq maxrate 10mbit")
	want := "qdisc fq 1: root refcnt 2 limit 10000p flow_limit 100p buckets 1024 quantum 3028b initial_quantum 15140b maxrate 10Mbit low_rate_threshold 550Kbit refill_delay 40ms horizon 10s horizon_drop \n" +
		" Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n" +
		"  flows 0 (inactive 0 throttled 0)\n  gc 0 highprio 0 throttled 0\n"
	if got := l.TC("-s qdisc show dev q0"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	l.TC("qdisc change dev q0 root fq maxrate 0bit limit 7")
	if got := l.TC("qdisc show dev q0"); !strings.Contains(got, "limit 7p flow_limit 100p") || strings.Contains(got, "maxrate") {
		t.Errorf("after a change: %s", got)
	}
	for options, want := range map[string]string{"buckets 0": "no number between 1 and", "maxrate x": "no rate", "horizon 2000h": "no time", "horizon 4000s": "in 0…1h", "pace": "is no option"} {
		_, err := tc.Run(l.Instance, strings.Fields("qdisc replace dev q0 root handle 2: fq "+options))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("fq %s: %v, want %q in it", options, err, want)
		}
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, fq.Kind())
	l.Discard = true
	if n := qdisctest.Allocs(l, "fq maxrate 100mbit"); n > 0 {
		t.Errorf("%v allocations for 64 packets", n)
	}
}
