package wire

import (
	"encoding/binary"
	"math/bits"
)

// Group records and sources, which IGMPv3 and MLDv2 share but for the size of addresses (RFC 3376 §4.2, RFC 3810 §5.2).

// Types of group records.
const (
	RecordModeIsInclude   = 1
	RecordModeIsExclude   = 2
	RecordChangeToInclude = 3
	RecordChangeToExclude = 4
	RecordAllowSources    = 5
	RecordBlockSources    = 6
)

// AddrList is a list of addresses inside a message.
type AddrList struct {
	b    []byte
	size int // of each: 4 or 16
}

// Len is the number of addresses.
func (l AddrList) Len() int {
	if l.size == 0 {
		return 0
	}
	return len(l.b) / l.size
}

// At is the address number i, 0 <= i < Len.
func (l AddrList) At(i int) Addr {
	b := l.b[i*l.size : (i+1)*l.size]
	if l.size == 4 {
		return addr4(b)
	}
	return addr16(b)
}

// GroupRecord is one record of a report.
type GroupRecord struct {
	Type    uint8
	Group   Addr
	Sources AddrList
}

// GroupRecordWalker yields the records of a report that was parsed.
type GroupRecordWalker struct {
	b    []byte
	left int // records
	size int // of an address
}

// Next is the next record; ok is false at the end.
func (w *GroupRecordWalker) Next() (r GroupRecord, ok bool) {
	n, ok := w.recordLen()
	if !ok {
		w.left = 0
		return GroupRecord{}, false
	}
	b := w.b
	w.left--
	w.b = b[n:]
	sources := AddrList{b[4+w.size : 4+w.size+int(binary.BigEndian.Uint16(b[2:]))*w.size], w.size}
	group := AddrList{b[4 : 4+w.size], w.size}
	return GroupRecord{b[0], group.At(0), sources}, true
}

// recordLen is the size of the next record with its auxiliary data; ok is false if there is none, or not all of it.
func (w *GroupRecordWalker) recordLen() (n int, ok bool) {
	if w.left <= 0 || len(w.b) < 4+w.size {
		return 0, false
	}
	n = 4 + w.size + int(binary.BigEndian.Uint16(w.b[2:]))*w.size + int(w.b[1])*4
	return n, n <= len(w.b)
}

// whole reports whether all records are there.
func (w GroupRecordWalker) whole() bool {
	for ; w.left > 0; w.left-- {
		n, ok := w.recordLen()
		if !ok {
			return false
		}
		w.b = w.b[n:]
	}
	return true
}

// GroupRecordSize is the size of a record for a group and a number of sources of its family, without auxiliary data.
func GroupRecordSize(group Addr, sources int) int { return 4 + group.Len()*(1+sources) }

// PutGroupRecord writes a record without auxiliary data and returns its size. Group and sources are of one family.
func PutGroupRecord(b []byte, typ uint8, group Addr, sources ...Addr) int {
	size := group.Len()
	n := GroupRecordSize(group, len(sources))
	_ = b[n-1]
	b[0], b[1] = typ, 0
	binary.BigEndian.PutUint16(b[2:], uint16(len(sources)))
	putAddr(b[4:], group)
	for i, s := range sources {
		putAddr(b[4+size*(1+i):], s)
	}
	return n
}

func putAddr(b []byte, a Addr) {
	if a.Is4() {
		a.Put4(b)
	} else {
		a.Put16(b)
	}
}

// decodeFloat reads a code of mant+4 bits of which the upper bit says floating point (RFC 3376 §4.1.1, RFC 3810 §5.1.3).
func decodeFloat(code, mant uint) uint32 {
	if code>>(mant+3) == 0 {
		return uint32(code)
	}
	return uint32((code&(1<<mant-1) | 1<<mant) << (code>>mant&7 + 3))
}

// encodeFloat is the code of the largest value that is not above v.
func encodeFloat(v uint32, mant uint) uint {
	if v < 1<<(mant+3) {
		return uint(v)
	}
	exp := uint(bits.Len32(v)) - (mant + 1) - 3
	if exp > 7 {
		return 1<<(mant+4) - 1
	}
	return 1<<(mant+3) | exp<<mant | uint(v)>>(exp+3)&(1<<mant-1)
}
