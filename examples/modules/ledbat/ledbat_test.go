package ledbat_test

import (
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"

	"github.com/libos-go/libos/examples/modules/ledbat"
)

const (
	megabyte      = 1 << 20
	tcpCongestion = 13 // TCP_CONGESTION
)

// flow is one transfer and what came of it, in virtual time.
type flow struct {
	control string // of the sender
	bytes   int
	start   time.Duration

	took   time.Duration
	resent uint64
}

// share runs transfers over one link of 20 Mbit/s, 20 ms there and back, with room
// for 400 frames: 240 ms.
func share(t *testing.T, flows ...flow) []flow {
	t.Helper()
	rig := coretest.New(t, host.NewVirtual(1))
	w := libos.Wiring()
	to := rig.Instance("to", w)
	da, db := pipe.New(pipe.Config{Wire: pipe.Wire{Rate: 20e6, Delay: 10 * time.Millisecond, QueueLen: 400}})
	from := rig.Instance("from", w)
	rig.Attach(from, da, "eth0", "10.0.0.1/24")
	rig.Attach(to, db, "eth0", "10.0.0.2/24")
	rig.Domain.Do(func() {
		for _, x := range from.Transports() {
			if tcp, ok := x.(interface {
				AddCongestionControl(congestion.Algorithm) error
			}); ok {
				if err := tcp.AddCongestionControl(ledbat.Algorithm()); err != nil {
					t.Error(err)
				}
			}
		}
	})
	v := rig.Host.(*host.Virtual)
	left := len(flows)
	rig.Do(func() {
		for i := range flows {
			f := &flows[i]
			at := fmt.Sprint("10.0.0.2:", 80+i)
			l, err := to.Listen("tcp4", at)
			if err != nil {
				t.Fatal(err)
			}
			rig.Go("receiver", func() {
				defer func() { left-- }()
				defer l.Close()
				c, err := l.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				start := v.Now()
				if n, err := io.Copy(io.Discard, c); err != nil || n != int64(f.bytes) {
					t.Errorf("%d bytes of %d, %v", n, f.bytes, err)
				}
				f.took = v.Now().Sub(start)
			})
			rig.Go("sender", func() {
				_ = v.Sleep(f.start)
				c, err := from.Dial("tcp4", at)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if err := c.(*core.Conn).Socket().SetOption(core.SolTCP, tcpCongestion, []byte(f.control)); err != nil {
					t.Error(err)
					return
				}
				if _, err := c.Write(make([]byte, f.bytes)); err != nil {
					t.Error(err)
				}
			})
		}
		for left > 0 {
			_ = v.Sleep(10 * time.Millisecond)
		}
	})
	return flows
}

// Alone on a link it fills it, and loses nothing.
func TestAloneItFillsTheLink(t *testing.T) {
	got := share(t, flow{control: "ledbat", bytes: 10 * megabyte})[0]
	ideal := time.Duration(10 * megabyte * 8 * 1514 / 1448 * int64(time.Second) / 20e6)
	t.Logf("%v of %v", got.took, ideal)
	if got.took > ideal*11/10 {
		t.Errorf("it took %v, the link alone %v", got.took, ideal)
	}
}

// Beside a connection that looks at losses it takes little.
func TestItLeavesTheLinkToOthers(t *testing.T) {
	alone := share(t, flow{control: "reno", bytes: 10 * megabyte})[0].took
	both := share(t, flow{control: "ledbat", bytes: 20 * megabyte}, flow{control: "reno", bytes: 10 * megabyte, start: 2 * time.Second})
	equal := share(t, flow{control: "reno", bytes: 20 * megabyte}, flow{control: "reno", bytes: 10 * megabyte, start: 2 * time.Second})
	t.Logf("Reno takes %v alone, %v beside LEDBAT, %v beside Reno", alone, both[1].took, equal[1].took)
	if both[1].took > alone*3/2 {
		t.Errorf("Reno takes %v beside LEDBAT, %v alone", both[1].took, alone)
	}
	if both[1].took*5 > equal[1].took*4 {
		t.Errorf("Reno takes %v beside LEDBAT, %v beside Reno", both[1].took, equal[1].took)
	}
}

// RFC 6817 §2.4.2: the window moves in proportion to the distance from the target.
func TestTheWindowFollowsTheDelay(t *testing.T) {
	for _, x := range []struct {
		rtt  time.Duration
		want uint32 // after a window was acknowledged, from 100 segments
	}{
		{20 * time.Millisecond, 101000}, // nothing queued: a segment more
		{50 * time.Millisecond, 100500}, // half of the target
		{80 * time.Millisecond, 100000}, // at the target
		{110 * time.Millisecond, 99500},
		{140 * time.Millisecond, 99000}, // twice the target: a segment less
		{260 * time.Millisecond, 97000},
	} {
		c := ledbat.Algorithm().New()
		d := congestion.Decision{Cwnd: 100000, Ssthresh: 50000} // past slow start
		e := congestion.Event{Kind: congestion.Ack, MSS: 1000, InFlight: 100000, Cwnd: 100000, Ssthresh: 50000}
		e.LastRTT = int64(20 * time.Millisecond) // the base
		c.Event(&e, &d)
		e.LastRTT = int64(x.rtt)
		for range 4 { // the filter of the last four
			c.Event(&e, &d)
		}
		e.Acked = 1000
		for range 100 {
			e.Cwnd = d.Cwnd
			c.Event(&e, &d)
		}
		if got := d.Cwnd; max(got, x.want)-min(got, x.want) > 50 {
			t.Errorf("round trips of %v: %d, want %d", x.rtt, got, x.want)
		}
	}
}

// The base is forgotten after ten minutes: the way may have become longer.
func TestTheBaseIsForgotten(t *testing.T) {
	c := ledbat.Algorithm().New()
	d := congestion.Decision{Cwnd: 100000, Ssthresh: 50000}
	e := congestion.Event{Kind: congestion.Ack, MSS: 1000, InFlight: 200000, Acked: 1000, LastRTT: int64(20 * time.Millisecond), Cwnd: d.Cwnd}
	c.Event(&e, &d)
	e.LastRTT = int64(200 * time.Millisecond)
	for minute := range 12 {
		before := d.Cwnd
		for i := range 10 {
			e.Now = int64(time.Duration(minute)*time.Minute + time.Duration(i)*time.Second)
			e.Cwnd = d.Cwnd
			c.Event(&e, &d)
		}
		if grew := d.Cwnd > before; grew != (minute >= 10) && minute > 0 {
			t.Errorf("minute %d: from %d to %d", minute, before, d.Cwnd)
		}
	}
}

func TestALossHalvesTheWindow(t *testing.T) {
	c := ledbat.Algorithm().New()
	d := congestion.Decision{Cwnd: 100000, Ssthresh: congestion.Infinite}
	c.Event(&congestion.Event{Kind: congestion.EnterRecovery, MSS: 1000, InFlight: 100000}, &d)
	if d.Cwnd != 50000 || d.Ssthresh != 50000 {
		t.Errorf("after a loss: %+v", d)
	}
	c.Event(&congestion.Event{Kind: congestion.Undo, MSS: 1000}, &d)
	if d.Cwnd != 100000 {
		t.Errorf("after it was none: %+v", d)
	}
	c.Event(&congestion.Event{Kind: congestion.Timeout, MSS: 1000, InFlight: 100000}, &d)
	if d.Cwnd != 1000 {
		t.Errorf("after a timeout: %+v", d)
	}
}
