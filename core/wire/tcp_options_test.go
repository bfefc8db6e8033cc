package wire

import (
	"bytes"
	"testing"
)

func TestTCPOptions(t *testing.T) {
	sack := func(pairs ...Seq) (o TCPOptions) {
		for i := 0; i < len(pairs); i += 2 {
			o.SACK[i/2] = SACKBlock{pairs[i], pairs[i+1]}
			o.NumSACK++
		}
		return o
	}
	syn := TCPOptions{Has: TCPHasMSS | TCPHasSACKPermitted | TCPHasTimestamp | TCPHasWindowScale, MSS: 1460, TSVal: 1, TSEcr: 2, WindowScale: 7}
	for _, tc := range []struct {
		name, bytes string
		want        TCPOptions
		err         error
		canonical   bool // Put gives the same bytes
	}{
		{"none", "", TCPOptions{}, nil, true},
		{"MSS", "020405b4", TCPOptions{Has: TCPHasMSS, MSS: 1460}, nil, true},
		{"a SYN's", "020405b4 0402080a 00000001 00000002 01030307", syn, nil, true},
		{"a SYN's in another order", "01030307 0101 080a0000000100000002 020405b4 040200", syn, nil, false},
		{"SACK permitted alone", "01010402", TCPOptions{Has: TCPHasSACKPermitted}, nil, true},
		{"window scale", "01030302", TCPOptions{Has: TCPHasWindowScale, WindowScale: 2}, nil, true},
		{"window scale too large", "010303ff", TCPOptions{Has: TCPHasWindowScale, WindowScale: 14}, nil, false},
		{"timestamp aligned", "0101080a 0000000a 0000000b", TCPOptions{Has: TCPHasTimestamp, TSVal: 10, TSEcr: 11}, nil, true},
		{"timestamp unaligned", "080a 0000000a 0000000b 0000", TCPOptions{Has: TCPHasTimestamp, TSVal: 10, TSEcr: 11}, nil, false},
		{"SACK", "0101050a 00000001 00000002", sack(1, 2), nil, true},
		{"four SACK blocks", "01010522 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008", sack(1, 2, 3, 4, 5, 6, 7, 8), nil, true},
		{"SACK of a broken length", "05090000000100000000", TCPOptions{}, nil, false},
		{"SACK without block", "0502", TCPOptions{}, nil, false},
		{"MSS zero", "02040000", TCPOptions{}, nil, false},
		{"MSS of a broken length", "0203050102040064", TCPOptions{Has: TCPHasMSS, MSS: 100}, nil, false},
		{"later MSS counts", "02040064020400c8", TCPOptions{Has: TCPHasMSS, MSS: 200}, nil, false},
		{"unknown skipped", "fd06aabbccdd 020405b4 0000", TCPOptions{Has: TCPHasMSS, MSS: 1460}, nil, false},
		{"nothing after the end", "00 020405b4 000000", TCPOptions{}, nil, false},
		{"length 0", "020405b4 08000000", TCPOptions{Has: TCPHasMSS, MSS: 1460}, ErrOption, false},
		{"length 1", "020405b4 08010000", TCPOptions{Has: TCPHasMSS, MSS: 1460}, ErrOption, false},
		{"beyond the end", "020405b4 080a0000", TCPOptions{Has: TCPHasMSS, MSS: 1460}, ErrOption, false},
		{"no length byte", "01010108", TCPOptions{}, ErrOption, false},
		{"fast open request", "22020101", TCPOptions{Has: TCPHasFastOpen, FastOpenAt: 2}, nil, false},
		{"fast open cookie", "0101 2206 01020304", TCPOptions{Has: TCPHasFastOpen, FastOpenAt: 4, FastOpenLen: 4}, nil, false},
		{"fast open cookie of odd length", "2207 0102030405 00", TCPOptions{}, nil, false},
		{"MPTCP", "1e0400810000", TCPOptions{Has: TCPHasMPTCP}, nil, false},
	} {
		b := unhexBytes(t, tc.bytes)
		var o TCPOptions
		if err := ParseTCPOptions(b, &o); err != tc.err && (err != nil || tc.err != nil) {
			t.Errorf("%s: error %v, want %v", tc.name, err, tc.err)
		}
		if o != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, o, tc.want)
		}
		out := make([]byte, o.Size())
		if n := o.Put(out); n != len(out) || tc.canonical && !bytes.Equal(out, b) {
			t.Errorf("%s: written as %x, want %x", tc.name, out, b)
		}
	}
}

func TestTCPOptionsReplaceWhatTheStructHeld(t *testing.T) {
	o := TCPOptions{Has: TCPHasMSS | TCPHasWindowScale, NumSACK: 2}
	b := make([]byte, TCPTimestampSize)
	PutTimestamp(b, 1, 2)
	if ParseTCPOptions(b, &o); o.Has != TCPHasTimestamp || len(o.SACKBlocks()) != 0 {
		t.Errorf("aligned timestamp left %+v", o)
	}
	if ParseTCPOptions(nil, &o); o.Has != 0 {
		t.Errorf("no options left %+v", o)
	}
}

func TestSACKBlocksGiveWayToTimestamps(t *testing.T) {
	o := TCPOptions{Has: TCPHasTimestamp, NumSACK: 4}
	for i := range o.SACK {
		o.SACK[i] = SACKBlock{Seq(i), Seq(i + 1)}
	}
	b := make([]byte, 40)
	if n := o.Put(b); n != 40 || o.Size() != 40 {
		t.Fatalf("%d bytes written, size %d", n, o.Size())
	}
	var back TCPOptions
	if err := ParseTCPOptions(b, &back); err != nil || back.NumSACK != 3 || back.SACK[2] != o.SACK[2] {
		t.Errorf("read back %+v, %v", back, err)
	}
}

func TestSACKBlocksGiveWayToTheOptionsOfASYN(t *testing.T) {
	for _, tc := range []struct {
		has    TCPOptionSet
		blocks int
	}{{TCPHasMSS, 4}, {TCPHasMSS | TCPHasWindowScale, 3}, {TCPHasMSS | TCPHasTimestamp, 2}, {TCPHasMSS | TCPHasWindowScale | TCPHasTimestamp, 2}} {
		o := TCPOptions{Has: tc.has, MSS: 1, NumSACK: 4}
		b := make([]byte, 40)
		var back TCPOptions
		if ParseTCPOptions(b[:o.Put(b)], &back); int(back.NumSACK) != tc.blocks || back.Has != tc.has {
			t.Errorf("options %#x: %d blocks, want %d", tc.has, back.NumSACK, tc.blocks)
		}
	}
}

func TestTCPOptionWalker(t *testing.T) {
	w := TCPOptionWalker(unhexBytes(t, "0101 1e0400aa 020405b4 fd02 00 1e02"))
	want := []struct {
		kind uint8
		data []byte
	}{{30, []byte{0, 0xaa}}, {2, []byte{5, 0xb4}}, {253, []byte{}}}
	for _, x := range want {
		kind, data, ok := w.Next()
		if !ok || kind != x.kind || !bytes.Equal(data, x.data) {
			t.Errorf("got %d %x %v, want %d %x", kind, data, ok, x.kind, x.data)
		}
	}
	if kind, _, ok := w.Next(); ok {
		t.Errorf("option %d after the end", kind)
	}
}

func FuzzTCPOptions(f *testing.F) {
	for _, s := range []string{"", "020405b40402080a000000010000000201030307", "0101080a0000000a0000000b", "0101050a0000000100000002", "0800", "22060102030401010000"} {
		f.Add(unhexBytes(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var o, back TCPOptions
		if len(b) > TCPMaxOptionsSize { // more does not fit a header, but must not hurt either
			ParseTCPOptions(b, &o)
			return
		}
		ParseTCPOptions(b, &o)
		for w := TCPOptionWalker(b); ; {
			if _, _, ok := w.Next(); !ok {
				break
			}
		}
		out := make([]byte, o.Size())
		if n := o.Put(out); n != len(out) || n%4 != 0 || n > TCPMaxOptionsSize {
			t.Fatalf("%+v: %d bytes written, size %d", o, n, len(out))
		}
		if err := ParseTCPOptions(out, &back); err != nil {
			t.Fatalf("%+v written as %x: %v", o, out, err)
		}
		o.Has &^= TCPHasFastOpen | TCPHasMPTCP
		fit := int(o.NumSACK)
		if back.NumSACK < o.NumSACK { // only for want of room
			fit = int(back.NumSACK)
			if len(out)+8 <= TCPMaxOptionsSize {
				t.Fatalf("%+v: a SACK block was left out of %d bytes", o, len(out))
			}
		}
		same := back.Has == o.Has && (o.Has&TCPHasMSS == 0 || back.MSS == o.MSS) &&
			(o.Has&TCPHasWindowScale == 0 || back.WindowScale == o.WindowScale) &&
			(o.Has&TCPHasTimestamp == 0 || back.TSVal == o.TSVal && back.TSEcr == o.TSEcr)
		for i := range fit {
			same = same && back.SACK[i] == o.SACK[i]
		}
		if !same {
			t.Fatalf("%+v written as %x reads %+v", o, out, back)
		}
	})
}
