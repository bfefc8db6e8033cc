package tcp

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// store is a Transport with memory but without a network.
func store(t *testing.T) (*coretest.Rig, *core.Instance, *Transport) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("store", &core.Wiring{Name: "store", Sysctls: []*sysctl.Table{sysctl.Of[core.PortSysctls]()}})
	var tr *Transport
	r.Domain.Do(func() { tr = open(in, core.SysctlView{}, nil) })
	return r, in, tr
}

// Random segments of a stream, overlapping and repeated, against the stream itself:
// what is held is what arrived, once, and duplicates are named.
func TestSegmentsInAnyOrderMakeTheStream(t *testing.T) {
	const n = 3000
	base := wire.Seq(0xfffffc00)
	for seed := range uint64(300) {
		rig, in, tr := store(t)
		rnd := rand.New(rand.NewPCG(seed, 1))
		stream := make([]byte, n)
		for i := range stream {
			stream[i] = byte(rnd.Uint32())
		}
		rig.Domain.Do(func() {
			var r receiver
			r.nxt = base
			var got []bool = make([]bool, n)
			for r.nxt != base.Add(n) {
				from := rnd.Uint32N(n)
				k := min(1+rnd.Uint32N([]uint32{10, 300, 1500}[rnd.UintN(3)]), n-from)
				if rnd.UintN(8) == 0 {
					from = uint32(r.nxt - base)
					k = min(k, n-from)
				}
				seq := base.Add(from)
				if old := r.nxt.Sub(seq); old > 0 {
					if uint32(old) >= k {
						continue
					}
					seq, from, k = r.nxt, from+uint32(old), k-uint32(old)
				}
				p := in.NewPacket(0, int(k)+4)
				copy(p.Put(int(k) + 4)[4:], stream[from:from+k])
				if seq == r.nxt {
					m, ok := pushPacket(&r.queue, &tr.slabs, p, 4, k)
					if !ok || m != k {
						t.Fatal("memory is short")
					}
					r.nxt = r.nxt.Add(k)
					if r.held != nil {
						r.nxt = r.held.ready(tr, &r.queue, r.nxt)
						if r.held.first == nil {
							if r.held.ranges != 0 || r.held.memory != 0 || r.held.recent[0] != nil || r.held.last != nil {
								t.Fatalf("seed %d: an empty queue has %d runs, %d bytes", seed, r.held.ranges, r.held.memory)
							}
							r.held = nil
						}
					}
				} else {
					if r.held == nil {
						r.held = new(reassembly)
					}
					dup, ok := r.held.insert(tr, p, seq, 4, k)
					if !ok {
						t.Fatal("memory is short")
					}
					checkDuplicate(t, dup, got, base, from, k)
					if h := r.held.recent[0]; h.start.GT(seq) || h.end.LT(seq.Add(k)) {
						t.Errorf("the newest run is %d..%d after %d..%d", h.start-base, h.end-base, from, from+k)
					}
				}
				p.Free()
				for i := from; i < from+k; i++ {
					got[i] = true
				}
				checkRuns(t, &r, got, base)
				if t.Failed() {
					t.Fatalf("seed %d, after %d..%d", seed, from, from+k)
				}
			}
			out := make([]byte, n)
			if r.queue.copyOut(0, out) != n || !bytes.Equal(out, stream) {
				t.Errorf("seed %d: the stream is another", seed)
			}
			r.queue.clear(&tr.slabs)
			if r.queue.bytes != 0 || r.queue.head != nil {
				t.Errorf("seed %d: an empty queue holds %d bytes", seed, r.queue.bytes)
			}
			r.dropHeld(tr)
		})
	}
}

// checkDuplicate: the first run of bytes that were here before, if any.
func checkDuplicate(t *testing.T, dup wire.SACKBlock, got []bool, base wire.Seq, from, k uint32) {
	t.Helper()
	start := from
	for start < from+k && !got[start] {
		start++
	}
	end := start
	for end < from+k && got[end] {
		end++
	}
	if start == end && dup == (wire.SACKBlock{}) {
		return
	}
	if dup.Start != base.Add(start) || dup.End != base.Add(end) {
		t.Errorf("duplicate %d..%d, want %d..%d", dup.Start-base, dup.End-base, start, end)
	}
}

// checkRuns: ascending, apart, with the bytes that arrived and no others.
func checkRuns(t *testing.T, r *receiver, got []bool, base wire.Seq) {
	t.Helper()
	at := uint32(r.nxt - base)
	runs := 0
	if r.held != nil {
		last := r.nxt
		for h := r.held.first; h != nil; h = h.next {
			if h.start.LEQ(last) || h.end.LEQ(h.start) || uint32(h.pieces.bytes) != uint32(h.end-h.start) {
				t.Errorf("run %d..%d of %d bytes behind %d", h.start-base, h.end-base, h.pieces.bytes, last-base)
			}
			for ; base.Add(at) != h.start; at++ {
				if got[at] {
					t.Errorf("byte %d is missing", at)
				}
			}
			for ; base.Add(at) != h.end; at++ {
				if !got[at] {
					t.Errorf("byte %d never arrived", at)
				}
			}
			last = h.end
			runs++
		}
		if runs != r.held.ranges {
			t.Errorf("%d runs, counted %d", runs, r.held.ranges)
		}
	}
	for ; at < uint32(len(got)); at++ {
		if got[at] {
			t.Errorf("byte %d is missing at the end", at)
		}
	}
}
