package ipcommon_test

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
)

func TestBucket(t *testing.T) {
	var b ipcommon.Bucket
	now := core.Time(5)
	take := func(n int) (ok int) {
		for range n {
			if b.Allow(now, 100, 10) {
				ok++
			}
		}
		return ok
	}
	if got := take(20); got != 10 {
		t.Errorf("a burst of %d, want 10", got)
	}
	now = now.Add(25 * time.Millisecond)
	if got := take(20); got != 2 {
		t.Errorf("%d after 25 ms at 100 in a second", got)
	}
	now = now.Add(5 * time.Millisecond) // the half that was left over counts
	if got := take(20); got != 1 {
		t.Errorf("%d after 5 ms more", got)
	}
	now = now.Add(1000 * time.Hour)
	if got := take(20); got != 10 {
		t.Errorf("%d after a long rest, want the burst", got)
	}
	now -= 1000 // a clock that stands still gives nothing
	if got := take(1); got != 0 {
		t.Errorf("%d", got)
	}
}

func TestPeerLimiter(t *testing.T) {
	var l ipcommon.PeerLimiter
	now := core.Time(0)
	peer := wire.MustAddr("2001:db8::1")
	take := func(n int) (ok int) {
		for range n {
			if l.Allow(now, peer, time.Second) {
				ok++
			}
		}
		return ok
	}
	for _, x := range []struct {
		after time.Duration
		want  int
	}{{0, 6}, {999 * time.Millisecond, 0}, {time.Millisecond, 1}, {3 * time.Second, 3}, {time.Hour, 6}} {
		now = now.Add(x.after)
		if got := take(20); got != x.want {
			t.Errorf("after %v: %d, want %d", x.after, got, x.want)
		}
	}
}

func TestIdentificationsOfAFlowCountUp(t *testing.T) {
	rig, in := newInstance(t)
	rig.Domain.Do(func() {
		var g ipcommon.Identifications
		a, b, c := wire.FromV4(1), wire.FromV4(2), wire.FromV4(3)
		seen := map[uint32]bool{}
		for range 5000 {
			id := g.Next(in.Random(), a, b, 17)
			if seen[id] {
				t.Fatalf("%d came twice", id)
			}
			seen[id] = true
		}
		var busy ipcommon.Identifications // its counters double again and again under these flows
		flows := make([]map[uint32]bool, 20)
		for i := range 100 * len(flows) {
			flow := i % len(flows)
			id := busy.Next(in.Random(), a, wire.FromV4(uint32(100+flow)), 17)
			if flows[flow] == nil {
				flows[flow] = map[uint32]bool{}
			}
			if flows[flow][id] {
				t.Fatalf("%d came twice in flow %d", id, flow)
			}
			flows[flow][id] = true
		}
		if x, y := g.Next(in.Random(), a, b, 17), g.Next(in.Random(), a, c, 17); y == x+1 {
			t.Error("two flows count together where all can see")
		}
	})
}
