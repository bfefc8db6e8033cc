package fifo_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/qdisc/qdisctest"
	"github.com/libos-go/libos/host"
)

func line(t testing.TB) *qdisctest.Line {
	return qdisctest.New(t, host.NewVirtual(1), fifo.Packets(), fifo.Bytes(), fifo.Fast())
}

// numbers are those of the packets of flow.
func numbers(ps []qdisctest.Packet, flow int) (n []int) {
	for _, p := range ps {
		if p.Flow == flow {
			n = append(n, p.Number)
		}
	}
	return n
}

func TestAFullFifoDropsAtItsTail(t *testing.T) {
	for _, tt := range []struct {
		command string
		sent    int // of 10 packets of 1,000 bytes
	}{
		{"pfifo limit 4", 5}, // one is on the line
		{"bfifo limit 4000", 5},
		{"bfifo limit 3999b", 4},
		{"pfifo", 10},
		{"pfifo_fast", 10},
	} {
		l := line(t)
		l.Rate = 8e6
		l.TC("qdisc add dev q0 root " + tt.command)
		l.Send(1, 1, 1000)
		l.Send(1, 9, 1000)
		if n := l.Root(); n.Len != tt.sent-1 || n.Backlog != 1000*(tt.sent-1) || n.Counts.Dropped != uint64(10-tt.sent) {
			t.Errorf("%s: %d packets and %d bytes wait, %d are dropped", tt.command, n.Len, n.Backlog, n.Counts.Dropped)
		}
		l.Pass(time.Second)
		got := l.Take()
		if len(got) != tt.sent {
			t.Errorf("%s: %d packets left, want %d", tt.command, len(got), tt.sent)
		}
		for i, p := range got {
			if p.Number != i || p.At != time.Duration(i)*time.Millisecond {
				t.Errorf("%s: packet %d left as number %d at %v", tt.command, p.Number, i, p.At)
			}
		}
		if n := l.Root(); n.Len != 0 || n.Backlog != 0 || n.Counts.Packets != uint64(tt.sent) || n.Counts.Bytes != uint64(1000*tt.sent) {
			t.Errorf("%s: at the end %+v", tt.command, n)
		}
	}
}

// The TOS of interactive traffic goes before, that of bulk traffic after.
func TestPfifoFastServesItsFirstBandFirst(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root pfifo_fast")
	l.Shut = true
	for _, tos := range []uint8{0x08, 0x00, 0x10} { // throughput, normal, low delay
		l.ECN = tos
		l.Send(int(tos), 3, 100)
	}
	l.Shut = false
	l.Interface.Resume()
	var order []int
	for _, p := range l.Take() {
		order = append(order, p.Flow)
	}
	// The device refused the first, which waits at its door.
	want := []int{8, 16, 16, 16, 0, 0, 0, 8, 8}
	for i := range want {
		if i >= len(order) || order[i] != want[i] {
			t.Fatalf("flows left in the order %v, want %v", order, want)
		}
	}
}

func TestARefusedPacketGoesFirst(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root handle 1: pfifo")
	l.Shut = true
	l.Send(1, 5, 1000)
	want := "qdisc pfifo 1: root refcnt 2 limit 1000p\n Sent 1000 bytes 1 pkt (dropped 0, overlimits 0 requeues 1) \n backlog 5000b 5p requeues 1\n"
	if got := l.TC("-s qdisc show dev q0"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	l.Shut = false
	l.Interface.Resume()
	if got := numbers(l.Take(), 1); len(got) != 5 || got[0] != 0 || got[4] != 4 {
		t.Errorf("packets left in the order %v", got)
	}
}

func TestAnInterfaceThatGoesDownForgetsItsPackets(t *testing.T) {
	l := line(t)
	l.TC("qdisc add dev q0 root pfifo")
	l.Shut = true
	l.Send(1, 5, 1000)
	if err := l.Interface.SetUp(false); err != nil {
		t.Fatal(err)
	}
	if n := l.Root(); n.Len != 0 || n.Backlog != 0 {
		t.Errorf("%d packets wait", n.Len)
	}
}

func TestNewInterfacesHaveTheDefaultDiscipline(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	w := fifoWiring()
	in := r.Instance("host", w)
	if err := in.SetSysctl("net.core.default_qdisc", "nosuch"); err == nil {
		t.Error("a discipline that the wiring lacks was taken")
	}
	before := r.Wire(in, "before", core.LinkRaw).Interface
	if err := in.SetSysctl("net.core.default_qdisc", "pfifo_fast"); err != nil {
		t.Fatal(err)
	}
	after := r.Wire(in, "after", core.LinkRaw).Interface
	queueless := r.WireWith(in, "free", core.Properties{Kind: "wire", Link: core.LinkRaw, MTU: 1500, NoQueue: true}).Interface
	r.Domain.Do(func() {
		if len(before.Qdiscs()) != 0 || len(queueless.Qdiscs()) != 0 {
			t.Error("an interface that was there before, or has no queue, got a discipline")
		}
		q := after.Qdiscs()
		if len(q) != 1 || q[0].Qdisc.Config().Kind() != "pfifo_fast" || q[0].Handle != 0 {
			t.Errorf("the new interface has %+v", q)
		}
	})
	other := r.Instance("other", w)
	if v, _ := other.Sysctl("net.core.default_qdisc"); v != "noqueue" {
		t.Errorf("another instance has %q", v)
	}
}

func TestPacketsPassWithoutAllocation(t *testing.T) {
	for _, c := range []string{"pfifo", "bfifo", "pfifo_fast"} {
		l := qdisctest.NewOn(coretest.New(t, host.NewVirtual(1), coretest.Release()), core.LinkRaw, fifo.Packets(), fifo.Bytes(), fifo.Fast())
		l.Discard = true
		if n := qdisctest.Allocs(l, c); n > 0 {
			t.Errorf("%s: %v allocations for 64 packets", c, n)
		}
	}
}
