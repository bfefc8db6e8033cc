package ring

import (
	"encoding/binary"
	"testing"
)

// FuzzNext reads a ring that holds anything, of which a part is shown at a time,
// and compares with a plain reading of the same bytes.
func FuzzNext(f *testing.F) {
	record := func(n uint32, body string) []byte {
		p := append(binary.NativeEndian.AppendUint32(nil, n), 0, 0, 0, 0)
		p = append(p, body...)
		for len(p)%recordAlign != 0 {
			p = append(p, 0)
		}
		return p
	}
	f.Add(append(record(3, "abc"), record(0, "")...), uint64(0), uint64(16), uint64(24))
	f.Add(record(3, "abc"), uint64(4088), uint64(4096), uint64(4104))
	f.Add(record(9, "abc"), uint64(8), uint64(24), uint64(24))
	f.Add(record(1<<31, ""), uint64(0), uint64(8), uint64(0))
	f.Add([]byte{}, ^uint64(0), uint64(3), uint64(1<<63))
	host, module := pair(f, small())
	r := &host.Main.In
	f.Fuzz(func(t *testing.T, content []byte, start, first, second uint64) {
		start &^= recordAlign - 1
		data := module.Main.Out.data
		clear(data[:r.size])
		// The ring begins at start, so that what is long enough wraps.
		for i, b := range content[:min(uint64(len(content)), r.size)] {
			data[(start+uint64(i))&(r.size-1)] = b
		}
		r.fault, r.head, r.tail, r.hand, r.published = nil, start, start, start, start
		r.seen.Store(start)
		at := start
		for _, head := range []uint64{start + first, start + second} {
			module.Main.Out.shared.Store(head)
			for {
				n, ok := plainly(data, at, head, r.size, r.head)
				p, err := r.Next()
				if !ok {
					if p != nil || (err == nil) != (head == at) {
						t.Fatalf("at %d of %d: %d bytes, %v", at-start, head-start, len(p), err)
					}
					if err != nil {
						return
					}
					break
				}
				if err != nil || p == nil || uint64(len(p)) != n {
					t.Fatalf("at %d of %d: %d bytes, %v; want %d", at-start, head-start, len(p), err, n)
				}
				for i := range p {
					if want := data[(at+8+uint64(i))&(r.size-1)]; p[i] != want {
						t.Fatalf("byte %d is %d, want %d", i, p[i], want)
					}
				}
				at += (8 + n + 7) / 8 * 8
			}
		}
	})
}

// plainly returns the length of the record at a place, if there is one in order.
// known is the head up to which the reader has read already: until it is reached,
// no newer one counts.
func plainly(data []byte, at, head, size, known uint64) (n uint64, ok bool) {
	if at != known {
		head = known
	}
	if head == at || head%8 != 0 || head-at > size {
		return 0, false
	}
	for i := range uint64(4) {
		n |= uint64(data[(at+i)&(size-1)]) << (8 * i)
	}
	return n, n <= size/2-8 && 8+n <= head-at
}
