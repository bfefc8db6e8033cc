package ipv6

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func advertiseOn(t *testing.T, b *bed, w *coretest.Wire, a *Advertisement) {
	t.Helper()
	b.Domain.Do(func() {
		if err := Advertise(w.Interface, a); err != nil {
			t.Error(err)
		}
	})
}

// adverts are the times of the advertisements sent in the next d.
func (b *bed) adverts(w *coretest.Wire, d time.Duration) (at []core.Time) {
	step := 100 * time.Millisecond
	for ; d > 0; d -= step {
		b.Advance(step)
		for range count(w, wt.Ethernet(us, "33:33:00:00:00:01").IPv6(ownLL, "ff02::1", wt.TTL(255)).ICMP("router advertisement", wt.SourceLL(us))) {
			at = append(at, b.Host.Now())
		}
	}
	return at
}

func TestARouterAdvertisesItself(t *testing.T) {
	b := newBed(t)
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	w := b.ethernet("eth0")
	advertiseOn(t, b, w, &Advertisement{Fields: wire.RouterAdvertFields{Lifetime: 1800, CurHopLimit: 64}, Interval: 60 * time.Second, MTU: 1400,
		Prefixes: []wire.PrefixInfo{{Prefix: wire.MustPrefix("2001:db8:1::/64"), OnLink: true, Autonomous: true, Valid: 600, Preferred: 300}}})
	at := b.adverts(w, 30*time.Minute)
	if len(at) < 30 || len(at) > 91 {
		t.Fatalf("%d advertisements in half an hour", len(at))
	}
	for i := 1; i < len(at); i++ {
		if gap := at[i].Sub(at[i-1]); gap < 3*time.Second || gap > 61*time.Second || i < 3 && gap > 17*time.Second {
			t.Errorf("%v between the advertisements %d and %d", gap, i-1, i)
		}
	}
	solicit := wt.Ethernet(them, "33:33:00:00:00:02").IPv6(routerLL, "ff02::2", wt.TTL(255)).ICMP("router solicitation", wt.SourceLL(them))
	b.Advance(3 * time.Second)
	w.Sent()
	w.Inject(solicit, solicit, solicit)
	if n := len(b.adverts(w, 700*time.Millisecond)); n != 1 {
		t.Errorf("%d answers to three solicitations", n)
	}
	w.Inject(solicit)
	if n := len(b.adverts(w, 2*time.Second)); n != 0 {
		t.Error("two answers within three seconds")
	}
	advertiseOn(t, b, w, nil)
	if n := count(w, wt.ICMP("router advertisement", wt.Lifetime(0))); n != 1 {
		t.Errorf("%d farewells", n)
	}
	if n := len(b.adverts(w, time.Hour)); n != 0 {
		t.Errorf("%d advertisements after the end", n)
	}
}

func TestAHostDoesNotAdvertise(t *testing.T) {
	b := newBed(t)
	w := b.ethernet("eth0")
	advertiseOn(t, b, w, &Advertisement{Interval: 4 * time.Second})
	if n := len(b.adverts(w, time.Minute)); n != 0 {
		t.Errorf("%d advertisements", n)
	}
	set(b.in, "net.ipv6.conf.all.forwarding", "1")
	if n := len(b.adverts(w, time.Minute)); n == 0 {
		t.Error("none after it became a router")
	}
	b.Domain.Do(func() {
		if err := Advertise(w.Interface, &Advertisement{Interval: time.Second}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("an interval of a second: %v", err)
		}
		if err := Advertise(w.Interface, &Advertisement{Prefixes: make([]wire.PrefixInfo, 50)}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("fifty prefixes: %v", err)
		}
	})
}

// TestAHostConfiguresItselfFromOurRouter joins both sides.
func TestAHostConfiguresItselfFromOurRouter(t *testing.T) {
	b := newBed(t)
	router := b.Instance("router", wiring())
	set(router, "net.ipv6.conf.all.forwarding", "1")
	far := b.WireWith(router, "eth0", core.Properties{Kind: "wire", Link: core.LinkEthernet, MTU: 1500,
		Flags: core.FlagMulticast | core.FlagBroadcast, HWAddr: wire.MustHWAddr(them)}, "2001:db8:1::1/64")
	near := b.ethernet("eth0")
	advertiseOn(t, b, far, &Advertisement{Fields: wire.RouterAdvertFields{Lifetime: 1800}, Interval: 600 * time.Second,
		Prefixes: []wire.PrefixInfo{{Prefix: wire.MustPrefix("2001:db8:1::/64"), OnLink: true, Autonomous: true, Valid: 600, Preferred: 300}}})
	for range 100 {
		b.Advance(100 * time.Millisecond)
		near.InjectFrames(far.Sent()...)
		far.InjectFrames(near.Sent()...)
	}
	if f, ok := b.flags(near.Interface, formed); !ok || f&core.AddressTentative != 0 {
		t.Errorf("%s: flags %x, %v", formed, f, ok)
	}
	if err := b.send(to("2600::1"), 1, nil); err != nil {
		t.Errorf("no default route: %v", err)
	}
}
