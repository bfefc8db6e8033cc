package ipcommon_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipcommon"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// newInstance is an instance without any protocol.
func newInstance(t testing.TB) (*coretest.Rig, *core.Instance) {
	r := coretest.New(t, host.NewVirtual(1))
	return r, r.Instance("a", &core.Wiring{Name: "bare"})
}

func key(id uint32) ipcommon.FragmentKey {
	return ipcommon.FragmentKey{Src: wire.FromV4(1), Dst: wire.FromV4(2), ID: id}
}

// fragment is a packet with a header of four bytes, pulled, and this payload.
func fragment(t testing.TB, in *core.Instance, payload []byte) *core.Packet {
	p := in.NewPacket(32, 4+len(payload))
	if p == nil {
		t.Fatal("no memory")
	}
	p.SetNetworkHeader()
	copy(p.Put(4), "head")
	copy(p.Put(len(payload)), payload)
	p.Pull(4)
	return p
}

// FuzzReassembly compares the reassembler with a byte map: fragments of one
// packet by offset, length and whether more follow, three bytes each.
func FuzzReassembly(f *testing.F) {
	f.Add([]byte{0, 2, 1, 2, 2, 0})
	f.Add([]byte{2, 2, 0, 0, 2, 1})
	f.Add([]byte{0, 2, 1, 1, 2, 1, 0, 9, 0})
	f.Add([]byte{0, 200, 1, 200, 255, 0})
	f.Fuzz(func(t *testing.T, script []byte) {
		rig, in := newInstance(t)
		data := make([]byte, 8*512)
		for i := range data {
			data[i] = byte(i * 7 >> 3)
		}
		type span struct{ off, end int }
		var spans []span
		total := -1
		reset := func() { spans, total = nil, -1 }
		rig.Domain.Do(func() {
			r := ipcommon.NewReassembler(in, 64<<20, time.Minute, nil)
			for ; len(script) >= 3; script = script[3:] {
				s := span{8 * int(script[0]), 8 * (int(script[0]) + int(script[1]))}
				more := script[2]&1 != 0
				whole, _, o := r.Add(key(1), fragment(t, in, data[s.off:s.end]), s.off, more, 0)
				// the model
				want := ipcommon.FragmentHeld
				last, have := 0, s.end-s.off
				for _, x := range spans {
					last = max(last, x.end)
					have += x.end - x.off
				}
				switch {
				case s.off == s.end, !more && (total >= 0 && total != s.end || last > s.end), more && total >= 0 && s.end > total:
					want = ipcommon.FragmentBad
				default:
					for _, x := range spans {
						if x == s {
							want = ipcommon.FragmentDuplicate
							break
						}
						if s.off < x.end && x.off < s.end {
							want = ipcommon.FragmentOverlap
						}
					}
				}
				switch want {
				case ipcommon.FragmentHeld:
					spans = append(spans, s)
					if !more {
						total = s.end
					}
					if total >= 0 && have == total {
						want = ipcommon.FragmentDone
					}
				case ipcommon.FragmentOverlap:
					reset()
				}
				if o != want {
					t.Fatalf("fragment %v more %v of %v: outcome %d, want %d", s, more, spans, o, want)
				}
				if o != ipcommon.FragmentDone {
					continue
				}
				got := make([]byte, whole.Len())
				whole.CopyOut(0, got)
				if !bytes.Equal(got, data[:total]) {
					t.Fatalf("reassembled %d bytes of %d wrong", len(got), total)
				}
				if h := whole.NetworkHeader(); string(h[:4]) != "head" {
					t.Fatalf("the header was lost: %q", h[:4])
				}
				if whole.Flags&core.FlagReassembled == 0 {
					t.Fatal("no mark of reassembly")
				}
				whole.Free()
				reset()
			}
			r.Close()
			if r.Memory() != 0 || r.Len() != 0 {
				t.Fatalf("%d bytes in %d packets after Close", r.Memory(), r.Len())
			}
		})
	})
}

func TestTheOldestPacketGivesWay(t *testing.T) {
	rig, in := newInstance(t)
	evicted := 0
	rig.Domain.Do(func() {
		r := ipcommon.NewReassembler(in, 20_000, time.Minute, func(first *core.Packet, gave bool) {
			if first != nil || !gave {
				t.Error("an eviction is not a timeout")
			}
			evicted++
		})
		payload := make([]byte, 1024)
		for id := range uint32(100) {
			if _, _, o := r.Add(key(id), fragment(t, in, payload), 0, true, 0); o != ipcommon.FragmentHeld {
				t.Fatalf("fragment %d: outcome %d", id, o)
			}
			if r.Memory() > 20_000 {
				t.Fatalf("%d bytes held", r.Memory())
			}
		}
		if evicted+r.Len() != 100 || evicted == 0 {
			t.Errorf("%d evicted and %d held", evicted, r.Len())
		}
		whole, _, o := r.Add(key(99), fragment(t, in, payload), 1024, false, 0) // the newest is still there
		if o != ipcommon.FragmentDone {
			t.Fatalf("outcome %d", o)
		}
		whole.Free()
		// One packet larger than the limit cannot evict itself.
		var last ipcommon.Outcome
		for i := 0; i < 60 && last == ipcommon.FragmentHeld; i++ {
			_, _, last = r.Add(key(500), fragment(t, in, payload), i*1024, true, 0)
		}
		if last != ipcommon.FragmentNoMemory {
			t.Errorf("outcome %d, want no memory", last)
		}
		r.Close()
	})
}

func TestTheFirstFragmentIsShownWhenTimeIsUp(t *testing.T) {
	rig, in := newInstance(t)
	var r *ipcommon.Reassembler
	var shown []int
	rig.Domain.Do(func() {
		r = ipcommon.NewReassembler(in, 1<<20, 30*time.Second, func(first *core.Packet, _ bool) {
			n := -1
			if first != nil {
				n = first.Len()
			}
			shown = append(shown, n)
		})
		r.Add(key(1), fragment(t, in, make([]byte, 64)), 0, true, 0)
		r.Add(key(2), fragment(t, in, make([]byte, 64)), 8, true, 0)
	})
	rig.Advance(29 * time.Second)
	if len(shown) != 0 {
		t.Fatal("too early")
	}
	rig.Advance(2 * time.Second)
	if len(shown) != 2 || shown[0] != 64 || shown[1] != -1 {
		t.Errorf("shown %v", shown)
	}
	if r.Memory() != 0 {
		t.Errorf("%d bytes held", r.Memory())
	}
}
