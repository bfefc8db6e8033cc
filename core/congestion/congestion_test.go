package congestion_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/protocols/tcp/cubic"
	"github.com/libos-go/libos/protocols/tcp/reno"
)

// RFC 6928 §2.
func TestTheInitialWindowIsTenSegmentsUpToFourteenKilobytes(t *testing.T) {
	for mss, want := range map[uint32]uint32{536: 5360, 1460: 14600, 1461: 14600, 4000: 14600, 8960: 17920} {
		if got := congestion.InitialWindow(mss); got != want {
			t.Errorf("MSS %d: %d, want %d", mss, got, want)
		}
	}
}

func random(r *rand.Rand) congestion.Event {
	mss := 500 + r.Uint32N(8500)
	return congestion.Event{
		Now: r.Int64N(1 << 50), Sent: r.Uint64N(1 << 40), Delivered: r.Uint64N(1 << 40),
		SRTT: r.Int64N(1e9), MinRTT: r.Int64N(1e9), LastRTT: r.Int64N(1e9),
		Acked: r.Uint32N(4 * mss), Lost: r.Uint32N(mss), Marked: r.Uint32N(mss), InFlight: r.Uint32N(100 * mss), MSS: mss,
		Cwnd: mss * (1 + r.Uint32N(200)), Ssthresh: mss * (2 + r.Uint32N(200)),
		Kind: congestion.Kind(r.UintN(uint(congestion.NumKinds))), AppLimited: r.UintN(4) == 0,
	}
}

func TestAnEventCrossesAsBytesUnchanged(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		e := random(r)
		var b [congestion.EventSize]byte
		e.Encode(b[:])
		var got congestion.Event
		if !got.Decode(b[:]) || got != e {
			t.Fatalf("%+v became %+v", e, got)
		}
	}
}

// A field that is added to Event or Decision and forgotten in the encoding fails here.
func TestEveryFieldCrosses(t *testing.T) {
	fill := func(v reflect.Value) {
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Bool:
				f.SetBool(true)
			case reflect.Int64:
				f.SetInt(int64(i) + 1)
			case reflect.Uint8:
				f.SetUint(3)
			default:
				f.SetUint(uint64(i) + 1)
			}
		}
	}
	var e, e2 congestion.Event
	fill(reflect.ValueOf(&e).Elem())
	var b [congestion.EventSize]byte
	e.Encode(b[:])
	if !e2.Decode(b[:]) || e2 != e {
		t.Errorf("%+v became %+v", e, e2)
	}
	var d, d2 congestion.Decision
	fill(reflect.ValueOf(&d).Elem())
	d.Encode(b[:])
	if !d2.Decode(b[:]) || d2 != d {
		t.Errorf("%+v became %+v", d, d2)
	}
}

func TestWhatMakesNoSenseIsRefused(t *testing.T) {
	var b [congestion.EventSize]byte
	var e congestion.Event
	var d congestion.Decision
	if e.Decode(b[:congestion.EventSize-1]) || d.Decode(b[:congestion.DecisionSize-1]) {
		t.Error("a short message was read")
	}
	b[76] = byte(congestion.NumKinds)
	if e.Decode(b[:]) {
		t.Error("an unknown kind was read")
	}
	b[76], b[77] = 0, 2
	if e.Decode(b[:]) {
		t.Error("a flag that is neither 0 nor 1 was read")
	}
}

// The same algorithm behind bytes decides the same.
func TestARemoteControlDecidesAsALinkedOne(t *testing.T) {
	for _, a := range []congestion.Algorithm{cubic.Algorithm(), reno.Algorithm()} {
		near, far := a.New(), congestion.Remote(a).New()
		if name := congestion.Remote(a).Name; name != a.Name {
			t.Errorf("the remote %s is called %s", a.Name, name)
		}
		r := rand.New(rand.NewPCG(2, 2))
		now := int64(0)
		for i := range 10000 {
			e := random(r)
			now += r.Int64N(1e8)
			e.Now, e.MSS = now, 1000
			e1, e2 := e, e
			d1 := congestion.Decision{Cwnd: e.Cwnd, Ssthresh: e.Ssthresh}
			d2 := d1
			near.Event(&e1, &d1)
			far.Event(&e2, &d2)
			if d1 != d2 {
				t.Fatalf("%s, event %d %+v: %+v linked in, %+v remote", a.Name, i, e, d1, d2)
			}
		}
	}
}

func TestEveryKindHasAName(t *testing.T) {
	seen := map[string]bool{}
	for k := range congestion.NumKinds {
		if s := k.String(); s == "unknown" || seen[s] {
			t.Errorf("kind %d is called %s", k, s)
		} else {
			seen[s] = true
		}
	}
}

func FuzzEvent(f *testing.F) {
	f.Add(make([]byte, congestion.EventSize))
	f.Fuzz(func(t *testing.T, b []byte) {
		var e, again congestion.Event
		if !e.Decode(b) {
			return
		}
		var c [congestion.EventSize]byte
		e.Encode(c[:])
		if !again.Decode(c[:]) || again != e {
			t.Errorf("%+v became %+v", e, again)
		}
	})
}
