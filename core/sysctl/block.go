package sysctl

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"
)

// AppendBlock encodes the values of a block in the order of the entries, behind
// the table's fingerprint. Aliases say nothing and are left out.
func (t *Table) AppendBlock(b []byte, block any) []byte {
	le := binary.LittleEndian
	b = le.AppendUint32(b, t.fingerprint())
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Alias != "" {
			continue
		}
		switch p := e.Pointer(block).(type) {
		case *bool:
			v := byte(0)
			if *p {
				v = 1
			}
			b = append(b, v)
		case *int:
			b = le.AppendUint64(b, uint64(*p))
		case *int32:
			b = le.AppendUint64(b, uint64(*p))
		case *int64:
			b = le.AppendUint64(b, uint64(*p))
		case *uint32:
			b = le.AppendUint64(b, uint64(*p))
		case *uint64:
			b = le.AppendUint64(b, *p)
		case *time.Duration:
			b = le.AppendUint64(b, uint64(*p))
		case *string:
			b = le.AppendUint32(b, uint32(len(*p)))
			b = append(b, *p...)
		case *[2]int32:
			b = appendInts(b, p[:])
		case *[3]int32:
			b = appendInts(b, p[:])
		}
	}
	return b
}

func appendInts(b []byte, v []int32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, uint32(x))
	}
	return b
}

// ParseBlock makes a block of what AppendBlock of the same table encoded. The
// error is that of bytes from another table or of a wrong length.
func (t *Table) ParseBlock(b []byte) (any, error) {
	block := t.Clone(t.Default)
	r := blockReader{b: b}
	if r.uint32() != t.fingerprint() || r.bad {
		return nil, fmt.Errorf("sysctl: the settings are not those of %s", t.Owner)
	}
	for i := range t.Entries {
		e := &t.Entries[i]
		if e.Alias != "" {
			continue
		}
		switch p := e.Pointer(block).(type) {
		case *bool:
			v := r.take(1)
			*p = len(v) == 1 && v[0] == 1
			r.bad = r.bad || v[0] > 1
		case *int:
			*p = int(r.uint64())
		case *int32:
			*p = int32(r.uint64())
		case *int64:
			*p = int64(r.uint64())
		case *uint32:
			*p = uint32(r.uint64())
		case *uint64:
			*p = r.uint64()
		case *time.Duration:
			*p = time.Duration(r.uint64())
		case *string:
			*p = string(r.take(int(r.uint32())))
		case *[2]int32:
			r.ints(p[:])
		case *[3]int32:
			r.ints(p[:])
		}
	}
	if r.bad || len(r.b) > 0 {
		return nil, fmt.Errorf("sysctl: the settings of %s are malformed", t.Owner)
	}
	return block, nil
}

// fingerprint tells tables apart: both ends of an encoding must have the same
// fields in the same order.
func (t *Table) fingerprint() uint32 {
	h := fnv.New32a()
	for i := range t.Entries {
		e := &t.Entries[i]
		_, _ = fmt.Fprintf(h, "%s %s %T\n", e.Name, e.Alias, e.Pointer(t.Default))
	}
	return h.Sum32()
}

type blockReader struct {
	b   []byte
	bad bool
}

// take takes n bytes; at least one zero byte when they are not there.
func (r *blockReader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return []byte{0}
	}
	x := r.b[:n]
	r.b = r.b[n:]
	return x
}

func (r *blockReader) uint32() uint32 {
	if x := r.take(4); len(x) == 4 {
		return binary.LittleEndian.Uint32(x)
	}
	return 0
}

func (r *blockReader) uint64() uint64 {
	if x := r.take(8); len(x) == 8 {
		return binary.LittleEndian.Uint64(x)
	}
	return 0
}

func (r *blockReader) ints(v []int32) {
	for i := range v {
		v[i] = int32(r.uint32())
	}
}
