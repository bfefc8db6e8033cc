package wire

import (
	"encoding/binary"
	"math/bits"
)

// Sum adds the 16-bit big-endian words of b (an odd last byte padded with a zero) to initial in one's complement
// arithmetic (RFC 1071) and returns the sum folded to 16 bits, not complemented. initial may be any sum of words, such as
// PseudoHeader's. A packet whose checksum is right sums to 0xffff.
//
// Every b but the last must be of even length when a sum is chained; Checksum does without that rule.
func Sum(b []byte, initial uint32) uint32 {
	return uint32(bits.ReverseBytes16(fold64(sum64(b, uint64(bits.ReverseBytes16(Fold(initial)))))))
}

// sum64 adds the little-endian words of b, padded with zeros, to s in one's complement arithmetic of 64 bits. Such sums
// commute with byte swapping (RFC 1071 §2(B)), so words are read in the order that is cheap and the folded result is
// swapped once.
func sum64(b []byte, s uint64) uint64 {
	// After a chain s is all ones only if no carry is left, so adding the carry cannot overflow.
	whole := b
	var c uint64
	s, b = addBlocks(s, b)
	if len(b) >= 128 {
		var s1 uint64 // two chains that do not wait for each other
		for ; len(b) >= 128; b = b[128:] {
			p := (*[128]byte)(b)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[0:8]), 0)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[8:16]), c)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[16:24]), c)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[24:32]), c)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[32:40]), c)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[40:48]), c)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[48:56]), c)
			s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[56:64]), c)
			s += c
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[64:72]), 0)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[72:80]), c)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[80:88]), c)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[88:96]), c)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[96:104]), c)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[104:112]), c)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[112:120]), c)
			s1, c = bits.Add64(s1, binary.LittleEndian.Uint64(p[120:128]), c)
			s1 += c
		}
		s = add64(s, s1)
	}
	for ; len(b) >= 32; b = b[32:] {
		p := (*[32]byte)(b)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[0:8]), 0)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[8:16]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[16:24]), c)
		s, c = bits.Add64(s, binary.LittleEndian.Uint64(p[24:32]), c)
		s += c
	}
	for ; len(b) >= 8; b = b[8:] {
		s = add64(s, binary.LittleEndian.Uint64(b))
	}
	if len(b) == 0 {
		return s
	}
	if n := len(whole); n >= 8 { // the last eight bytes, without those that were counted
		return add64(s, binary.LittleEndian.Uint64(whole[n-8:])>>(64-8*len(b)))
	}
	var last [8]byte
	copy(last[:], b)
	return add64(s, binary.LittleEndian.Uint64(last[:]))
}

// add64 is one's complement addition.
func add64(a, b uint64) uint64 {
	s, c := bits.Add64(a, b, 0)
	return s + c
}

// sum20 is Sum of exactly the 20 bytes of an IPv4 header without options.
func sum20(b []byte) uint16 {
	_ = b[19]
	s, c := bits.Add64(binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:]), 0)
	s, c = bits.Add64(s, uint64(binary.LittleEndian.Uint32(b[16:])), c)
	return bits.ReverseBytes16(fold64(s + c))
}

// fold64 folds a 64-bit one's complement sum to 16 bits.
func fold64(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	return Fold(uint32(s))
}

// Fold reduces a sum to 16 bits by adding the carries back in, without complementing.
func Fold(sum uint32) uint16 {
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}

// Finish is the value for a checksum field: the complement of the folded sum.
func Finish(sum uint32) uint16 { return ^Fold(sum) }

// PseudoHeader is the sum of the pseudo header of TCP, UDP and ICMPv6 for both families (RFC 9293 §3.1, RFC 8200 §8.1):
// addresses, protocol and the length of transport header and data. The families of src and dst must be the same.
func PseudoHeader(src, dst Addr, proto Protocol, length int) uint32 {
	// v4-mapped addresses sum to 0xffff more each, which is zero in one's complement arithmetic; leaving the prefix out
	// keeps the all-zero sum apart.
	var s, c uint64
	if src.Is4() {
		s = src.Lo&0xffffffff + dst.Lo&0xffffffff
	} else {
		s, c = bits.Add64(src.Hi, src.Lo, 0)
		s, c = bits.Add64(s, dst.Hi, c)
		s, c = bits.Add64(s, dst.Lo, c)
		s, c = bits.Add64(s, 0, c)
		s += c
	}
	return uint32(fold64(s)) + uint32(proto) + uint32(Fold(uint32(length)))
}

// Update16 is the checksum field after one 16-bit word of the data changed from old to new (RFC 1624 equation 3).
func Update16(field, old, new uint16) uint16 {
	return Finish(uint32(^field) + uint32(^old) + uint32(new))
}

// Update32 is Update16 for two neighbouring words, such as an IPv4 address or a TCP timestamp.
func Update32(field uint16, old, new uint32) uint16 {
	return Finish(uint32(^field) + uint32(^uint16(old>>16)) + uint32(^uint16(old)) + new>>16 + new&0xffff)
}

// UpdateAddr is Update16 for an address in a header or pseudo header; old and new are of one family.
func UpdateAddr(field uint16, old, new Addr) uint16 {
	field = Update32(field, uint32(old.Lo), uint32(new.Lo))
	if !old.Is4() || !new.Is4() {
		field = Update32(field, uint32(old.Lo>>32), uint32(new.Lo>>32))
		field = Update32(field, uint32(old.Hi), uint32(new.Hi))
		field = Update32(field, uint32(old.Hi>>32), uint32(new.Hi>>32))
	}
	return field
}

// Checksum accumulates a sum over pieces of any length, such as a header and the fragments of its payload. The zero
// value is an empty sum.
type Checksum struct {
	sum uint64 // of little-endian words, in one's complement
	odd bool   // an odd number of bytes has been added
}

// Add adds b as if it followed directly on the bytes added before.
func (c *Checksum) Add(b []byte) {
	if !c.odd {
		c.sum = sum64(b, c.sum)
	} else { // to turn by a byte is to swap the bytes of every word (RFC 1071 §2(B))
		c.sum = add64(c.sum, bits.RotateLeft64(sum64(b, 0), 8))
	}
	c.odd = c.odd != (len(b)&1 == 1)
}

// AddSum adds a sum computed elsewhere over n bytes, as if those bytes followed directly.
func (c *Checksum) AddSum(sum uint32, n int) {
	s := Fold(sum)
	if !c.odd {
		s = bits.ReverseBytes16(s)
	}
	c.sum = add64(c.sum, uint64(s))
	c.odd = c.odd != (n&1 == 1)
}

// AddUint16 adds one word as if its two bytes followed directly.
func (c *Checksum) AddUint16(v uint16) { c.AddSum(uint32(v), 2) }

// AddUint32 adds two words.
func (c *Checksum) AddUint32(v uint32) { c.AddSum(v>>16+v&0xffff, 4) }

// AddAddr adds the 4 or 16 bytes of an address.
func (c *Checksum) AddAddr(a Addr) {
	if a.Is4() {
		c.AddUint32(a.V4())
		return
	}
	c.AddUint32(uint32(a.Hi >> 32))
	c.AddUint32(uint32(a.Hi))
	c.AddUint32(uint32(a.Lo >> 32))
	c.AddUint32(uint32(a.Lo))
}

// AddPseudoHeader adds the pseudo header of PseudoHeader.
func (c *Checksum) AddPseudoHeader(src, dst Addr, proto Protocol, length int) {
	c.AddSum(PseudoHeader(src, dst, proto, length), 0)
}

// Fold is the sum so far in 16 bits, not complemented: 0xffff if the bytes held a right checksum.
func (c *Checksum) Fold() uint16 { return bits.ReverseBytes16(fold64(c.sum)) }

// Field is the value for a checksum field: the complement of Fold.
func (c *Checksum) Field() uint16 { return ^c.Fold() }
