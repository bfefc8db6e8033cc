package tcp

import "math/bits"

// reference is the number of a connection in its slab cache plus one. 0 is none.
type reference uint32

// demux finds what a four-tuple belongs to: open addressing with linear probing,
// empty until the first connection, at most three quarters full. It holds
// numbers instead of pointers, so that the garbage collector passes it by.
type demux struct {
	slots []slot
	n     int
}

type slot struct {
	hash uint32
	ref  reference // 0: free
}

// find returns the entry with this hash of which same is true.
func (d *demux) find(hash uint32, same func(reference) bool) reference {
	if d.n == 0 {
		return 0
	}
	mask := uint32(len(d.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &d.slots[i]
		if s.ref == 0 {
			return 0
		}
		if s.hash == hash && same(s.ref) {
			return s.ref
		}
	}
}

// insert adds an entry.
func (d *demux) insert(hash uint32, ref reference) {
	if 4*(d.n+1) > 3*len(d.slots) {
		d.resize(max(4, 2*len(d.slots)))
	}
	d.n++
	d.place(hash, ref)
}

func (d *demux) place(hash uint32, ref reference) {
	mask := uint32(len(d.slots) - 1)
	i := hash & mask
	for d.slots[i].ref != 0 {
		i = (i + 1) & mask
	}
	d.slots[i] = slot{hash, ref}
}

func (d *demux) resize(n int) {
	old := d.slots
	d.slots = make([]slot, n)
	for _, s := range old {
		if s.ref != 0 {
			d.place(s.hash, s.ref)
		}
	}
}

// remove takes an entry out and closes the gap, so that no marks of deleted
// entries are needed. A table that is nearly empty shrinks.
func (d *demux) remove(hash uint32, ref reference) {
	if d.n == 0 {
		return
	}
	mask := uint32(len(d.slots) - 1)
	i := hash & mask
	for d.slots[i].ref != ref {
		if d.slots[i].ref == 0 {
			return
		}
		i = (i + 1) & mask
	}
	d.n--
	for j := i; ; {
		j = (j + 1) & mask
		s := d.slots[j]
		if s.ref == 0 {
			break
		}
		if (j-s.hash)&mask >= (j-i)&mask { // its own place is at or before the gap
			d.slots[i] = s
			i = j
		}
	}
	d.slots[i] = slot{}
	if n := len(d.slots); n > 64 && d.n < n/8 {
		d.resize(1 << bits.Len(uint(2*d.n)))
	}
}

// each calls f with every entry, in an order that only the entries decide; f
// must not change the table.
func (d *demux) each(f func(reference)) {
	for i := range d.slots {
		if r := d.slots[i].ref; r != 0 {
			f(r)
		}
	}
}
