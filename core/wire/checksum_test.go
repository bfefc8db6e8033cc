package wire

import (
	"encoding/binary"
	"fmt"
	"testing"
	"testing/quick"
)

// naiveSum is RFC 1071 §1 to the letter.
func naiveSum(b []byte, initial uint32) uint16 {
	sum := uint64(initial)
	for i, v := range b {
		if i&1 == 0 {
			sum += uint64(v) << 8
		} else {
			sum += uint64(v)
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}

func FuzzSum(f *testing.F) {
	f.Add([]byte{}, uint32(0), uint16(0))
	f.Add([]byte{0, 1, 0xf2, 3, 0xf4, 0xf5, 0xf6, 0xf7}, uint32(0), uint16(3)) // RFC 1071 §3
	f.Add(make([]byte, 131), uint32(0xffff), uint16(64))
	ones := make([]byte, 1460)
	for i := range ones {
		ones[i] = 0xff
	}
	f.Add(ones, uint32(0xffffffff), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, initial uint32, cut uint16) {
		want := naiveSum(b, initial)
		if got := Sum(b, initial); got != uint32(want) {
			t.Fatalf("Sum of %d bytes = %#x, want %#x", len(b), got, want)
		}
		if len(b) >= 20 {
			if got := sum20(b[:20]); got != naiveSum(b[:20], 0) {
				t.Fatalf("sum20 = %#x", got)
			}
		}
		var c Checksum
		k := int(cut) % (len(b) + 1)
		c.AddSum(initial, 4)
		c.Add(b[:k])
		c.Add(b[k:])
		if c.Fold() != want {
			t.Fatalf("in two pieces cut at %d: %#x, want %#x", k, c.Fold(), want)
		}
	})
}

func TestSumOfEveryLengthAndAlignment(t *testing.T) {
	buf := make([]byte, 640)
	for i := range buf {
		buf[i] = byte(i*i + 7*i + 13)
	}
	for n := range 600 {
		for off := range 9 {
			if got, want := Sum(buf[off:off+n], 0x1fffe), uint32(naiveSum(buf[off:off+n], 0x1fffe)); got != want {
				t.Fatalf("%d bytes at %d: %#x, want %#x", n, off, got, want)
			}
		}
	}
}

func TestSumExample(t *testing.T) {
	// RFC 1071 §3: 00 01 f2 03 f4 f5 f6 f7 sums to ddf2, checksum 220d.
	b := []byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}
	if s := Sum(b, 0); s != 0xddf2 || Finish(s) != 0x220d {
		t.Errorf("sum %#x, checksum %#x", s, Finish(s))
	}
}

func TestChecksumPiecesEqualTheWhole(t *testing.T) {
	err := quick.Check(func(pieces [][]byte, v uint16, w uint32, a [4]byte, b [16]byte) bool {
		var c Checksum
		var whole []byte
		for _, p := range pieces {
			c.Add(p)
			whole = append(whole, p...)
		}
		c.AddUint16(v)
		c.AddUint32(w)
		c.AddAddr(AddrFrom4(a))
		c.AddAddr(AddrFrom16(b))
		whole = binary.BigEndian.AppendUint16(whole, v)
		whole = binary.BigEndian.AppendUint32(whole, w)
		whole = append(append(whole, a[:]...), b[:]...)
		return c.Fold() == naiveSum(whole, 0) && c.Field() == ^c.Fold()
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestPseudoHeader(t *testing.T) {
	err := quick.Check(func(s4, d4 [4]byte, s6, d6 [16]byte, proto uint8, length uint16) bool {
		tail := []byte{0, 0, byte(length >> 8), byte(length), 0, 0, 0, proto}
		want4 := naiveSum(append(append(s4[:], d4[:]...), tail...), 0)
		want6 := naiveSum(append(append(s6[:], d6[:]...), tail...), 0)
		var c Checksum
		c.AddPseudoHeader(AddrFrom4(s4), AddrFrom4(d4), proto, int(length))
		return Fold(PseudoHeader(AddrFrom4(s4), AddrFrom4(d4), proto, int(length))) == want4 && c.Fold() == want4 &&
			Fold(PseudoHeader(AddrFrom16(s6), AddrFrom16(d6), proto, int(length))) == want6
	}, nil)
	if err != nil {
		t.Error(err)
	}
}

func TestIncrementalUpdateEqualsRecomputation(t *testing.T) {
	err := quick.Check(func(b [24]byte, v16 uint16, v32 uint32, v128 [16]byte) bool {
		b[0] |= 1 // an all-zero sum is not reached by headers, and has two forms
		field := Finish(Sum(b[:], 0))
		c := b
		binary.BigEndian.PutUint16(c[2:], v16)
		u16 := Update16(field, binary.BigEndian.Uint16(b[2:]), v16)
		if u16 != Finish(Sum(c[:], 0)) {
			return false
		}
		old := binary.BigEndian.Uint32(c[4:])
		binary.BigEndian.PutUint32(c[4:], v32)
		u32 := Update32(u16, old, v32)
		if u32 != Finish(Sum(c[:], 0)) {
			return false
		}
		oldAddr := addr16(c[8:])
		copy(c[8:], v128[:])
		return UpdateAddr(u32, oldAddr, AddrFrom16(v128)) == Finish(Sum(c[:], 0))
	}, &quick.Config{MaxCount: 5000})
	if err != nil {
		t.Error(err)
	}
	// RFC 1624 §4: HC = 0xDD2F, m = 0x5555, m' = 0x3285 gives 0x0000.
	if got := Update16(0xdd2f, 0x5555, 0x3285); got != 0 {
		t.Errorf("RFC 1624's example gives %#x", got)
	}
	if a, b := MustAddr("10.0.0.1"), MustAddr("192.168.7.9"); UpdateAddr(0x1234, a, b) != Update32(0x1234, a.V4(), b.V4()) {
		t.Error("IPv4 address update differs from its 32-bit update")
	}
}

func BenchmarkSum(b *testing.B) {
	for _, n := range []int{20, 64, 1460, 65536} {
		buf := make([]byte, n)
		for i := range buf {
			buf[i] = byte(i * 7)
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			var s uint32
			for b.Loop() {
				s += Sum(buf, 17)
			}
		})
	}
}

func TestSumOfAllOnesCarriesEverywhere(t *testing.T) {
	buf := make([]byte, 600)
	for i := range buf {
		buf[i] = 0xff
	}
	for n := 2; n < 600; n++ {
		if got, want := Sum(buf[:n], 0xffffffff), uint32(naiveSum(buf[:n], 0xffffffff)); got != want {
			t.Fatalf("%d bytes of ff: %#x, want %#x", n, got, want)
		}
	}
}
