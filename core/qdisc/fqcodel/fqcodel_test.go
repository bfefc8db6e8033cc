package fqcodel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/fqcodel"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/host"
)

const ms = time.Millisecond

// line sends a packet of 1,000 bytes in 1 ms.
func line(t testing.TB, options string) *qdisctest.Line {
	l := qdisctest.New(t, host.NewVirtual(1), fqcodel.Kind())
	l.Rate = 8e6
	l.Pace()
	l.TC("qdisc add dev q0 root handle 1: fq_codel " + options)
	return l
}

func count(ps []qdisctest.Packet) map[int]int {
	n := map[int]int{}
	for _, p := range ps {
		n[p.Flow]++
	}
	return n
}

// RFC 8290 §1.1: flows share the line by bytes, however much each sends.
func TestFlowsShareTheLine(t *testing.T) {
	l := line(t, "quantum 1000")
	for range 100 {
		l.Send(1, 20, 1000)
		l.Send(2, 3, 1000)
		l.Send(3, 12, 250) // as many bytes as flow 2
		l.Pass(6 * ms)
	}
	n := count(l.Take())
	if n[1] < 180 || n[1] > 220 || n[2] < 180 || n[2] > 220 || n[3] < 4*180 || n[3] > 4*220 {
		t.Errorf("of 600 ms the flows got %v packets of 1, 1 and 1/4 ms", n)
	}
}

// RFC 8290 §4.2: a flow that begins goes before those that have a queue.
func TestANewFlowGoesFirst(t *testing.T) {
	l := line(t, "")
	l.Send(1, 60, 1000)
	l.Send(2, 60, 1000)
	l.Pass(20*ms + ms/2)
	l.Take()
	l.Send(3, 1, 100)
	l.Pass(3 * ms)
	// The line is in a packet, and a turn of two packets may follow.
	if got := l.Take(); got[0].Flow != 3 {
		t.Errorf("flow %d left before the new one", got[0].Flow)
	}
}

// A new flow that runs empty becomes an old one for a turn: it does not starve the
// others by coming back at once.
func TestASparseFlowThatReturnsIsNotNewAgain(t *testing.T) {
	l := line(t, "quantum 1000")
	l.Send(1, 50, 1000)
	l.Pass(ms / 2)
	l.Take()
	for range 40 {
		l.Send(2, 1, 1000)
		l.Pass(ms)
	}
	if n := count(l.Take()); n[1] < 15 {
		t.Errorf("the old flow got %d turns beside one that comes back at each", n[1])
	}
}

// The longest queue pays for what is above the limit, from its head.
func TestTheLongestFlowPaysForTheLimit(t *testing.T) {
	l := line(t, "limit 100 drop_batch 4")
	l.Send(1, 1, 1000)
	l.Send(1, 80, 1000)
	l.Send(2, 40, 1000)
	l.Shut = true
	n := l.Root()
	if n.Len > 100 || n.Counts.Dropped == 0 || n.Counts.Dropped%4 != 0 || l.Detail("drop_overlimit") != n.Counts.Dropped {
		t.Errorf("%d packets wait, %d are dropped", n.Len, n.Counts.Dropped)
	}
	l.Shut = false
	l.Interface.Resume()
	l.Pass(100 * ms)
	first := map[int]int{}
	for _, p := range l.Take()[1:] {
		if _, seen := first[p.Flow]; !seen {
			first[p.Flow] = p.Number
		}
	}
	if first[1] <= 1 || first[2] != 0 {
		t.Errorf("the first packets that were left are %v, want the drops at the head of flow 1", first)
	}
}

func TestMemoryIsLimited(t *testing.T) {
	l := line(t, "memory_limit 20000 drop_batch 1")
	l.Send(1, 100, 1000)
	if n := l.Root(); n.Len == 0 || n.Len > 20 || l.Detail("drop_overmemory") != n.Counts.Dropped {
		t.Errorf("%+v", n)
	}
	l.Pass(time.Second)
	for _, f := range l.Root().Qdisc.Details() {
		if f.Key == "memory_used" {
			t.Errorf("an empty queue holds %v bytes", f.Value)
		}
	}
}

// Each flow is under CoDel's law by itself: the one that fills its queue is marked,
// the other is not.
func TestOnlyTheFlowWithAStandingQueueIsMarked(t *testing.T) {
	l := line(t, "quantum 1000")
	l.ECN = 2
	for range 150 {
		l.Send(1, 5, 1000)
		l.Send(2, 1, 100)
		l.Pass(4 * ms)
	}
	marked := map[int]int{}
	for _, p := range l.Take() {
		if p.ECN == 3 {
			marked[p.Flow]++
		}
	}
	if marked[1] < 5 || marked[2] != 0 || l.Root().Counts.Dropped != 0 {
		t.Errorf("marks by flow: %v", marked)
	}
}

func TestATableWithoutPacketsIsSmall(t *testing.T) {
	l := line(t, "")
	for f := range 500 {
		l.Send(f, 1, 100)
	}
	l.Pass(time.Second)
	if n := len(count(l.Take())); n != 500 {
		t.Fatalf("%d flows of 500 left", n)
	}
	if l.Detail("new_flow_count").(uint64) < 350 { // some share a queue
		t.Errorf("%v flows were new", l.Detail("new_flow_count"))
	}
	if l.Detail("old_flows_len") != 0 || l.Detail("new_flows_len") != 0 {
		t.Error("flows are listed though nothing waits")
	}
	l.Send(1, 3, 100)
	l.Pass(time.Second)
	if n := count(l.Take()); n[1] != 3 {
		t.Errorf("after the table was given back %d packets of 3 left", n[1])
	}
}

func TestShowIsWhatTcPrints(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1)), core.LinkEthernet, fqcodel.Kind())
	l.TC("qdisc add dev q0 root handle 1: fq_codel")
	want := "qdisc fq_codel 1: root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn drop_batch 64 \n" +
		" Sent 0 bytes 0 pkt (dropped 0, overlimits 0 requeues 0) \n backlog 0b 0p requeues 0\n" +
		"  maxpacket 0 drop_overlimit 0 new_flow_count 0 ecn_mark 0\n  new_flows_len 0 old_flows_len 0\n"
	if got := l.TC("-s qdisc show dev q0"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	l.TC("qdisc change dev q0 root fq_codel noecn limit 50")
	if got := l.TC("qdisc show dev q0"); !strings.Contains(got, "limit 50p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb drop_batch 64") {
		t.Errorf("after a change: %s", got)
	}
	if _, err := tc.Run(l.Instance, strings.Fields("qdisc change dev q0 root fq_codel flows 10")); err == nil || !strings.Contains(err.Error(), "flows cannot be changed") {
		t.Errorf("another number of flows: %v", err)
	}
	if _, err := tc.Run(l.Instance, strings.Fields("qdisc replace dev q0 root handle 2: fq_codel flows 100000")); err == nil {
		t.Error("100,000 flows were taken")
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, fqcodel.Kind())
	l.Discard = true
	if n := qdisctest.Allocs(l, "fq_codel"); n > 0 {
		t.Errorf("%v allocations for 64 packets", n)
	}
}
