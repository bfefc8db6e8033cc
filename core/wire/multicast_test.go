package wire

import (
	"bytes"
	"testing"
)

var (
	group4, group6 = MustAddr("239.1.2.3"), MustAddr("ff05::1:2")
	src1, src2     = MustAddr("192.0.2.1"), MustAddr("192.0.2.2")
)

func TestIGMPLayout(t *testing.T) {
	b := make([]byte, 64)
	v2 := IGMP(b[:8])
	v2.Encode(IGMPv2Report, 0, group4)
	v2.UpdateChecksum()
	if want := unhexBytes(t, "1600 f8fa ef010203"); !bytes.Equal(v2, want) {
		t.Errorf("report: got %x, want %x", []byte(v2), want)
	}
	q := IGMP(b)
	q = q[:q.EncodeV3Query(&MulticastQuery{MaxResponse: 100, Group: group4, Suppress: true, Robustness: 2, Interval: 125}, src1, src2)]
	q.UpdateChecksum()
	if want := unhexBytes(t, "1164 6f13 ef010203 0a7d 0002 c0000201 c0000202"); !bytes.Equal(q, want) {
		t.Errorf("query: got %x, want %x", []byte(q), want)
	}
	p, err := ParseIGMP(q)
	if err != nil || !p.ChecksumOK() || p.QueryVersion() != 3 || p.MaxResponse() != 100 || p.Group() != group4 || !p.Suppress() ||
		p.Robustness() != 2 || p.QueryInterval() != 125 || p.Sources().Len() != 2 || p.Sources().At(1) != src2 {
		t.Errorf("query read back: %x, %v", []byte(p), err)
	}
}

func TestIGMPQueryVersions(t *testing.T) {
	for _, tc := range []struct {
		bytes        string
		version, max int
		err          error
	}{
		{"1100 0000 00000000", 1, 100, nil},
		{"1101 0000 00000000", 2, 1, nil},
		{"11ff 0000 00000000", 2, 255, nil},
		{"11ff 0000 00000000 0000 0000", 3, 31744, nil},
		{"1180 0000 00000000 0000 0000", 3, 128, nil},
		{"1100 0000 00000000 00", 0, 0, ErrLength},
		{"1100 0000 00000000 0000 0001", 0, 0, ErrTruncated},
		{"1100 0000 000000", 0, 0, ErrTruncated},
	} {
		m, err := ParseIGMP(unhexBytes(t, tc.bytes))
		check(t, tc.bytes, err, tc.err)
		if err == nil && (m.QueryVersion() != tc.version || int(m.MaxResponse()) != tc.max) {
			t.Errorf("%s: version %d, max response %d", tc.bytes, m.QueryVersion(), m.MaxResponse())
		}
	}
}

func TestIGMPv3Report(t *testing.T) {
	m := IGMP(make([]byte, 8+8+16))
	m.EncodeV3Report(2)
	n := PutGroupRecord(m[8:], RecordChangeToExclude, group4)
	PutGroupRecord(m[8+n:], RecordAllowSources, group4, src1, src2)
	m.UpdateChecksum()
	if want := unhexBytes(t, "2200 6eed 0000 0002 0400 0000 ef010203 0500 0002 ef010203 c0000201 c0000202"); !bytes.Equal(m, want) {
		t.Errorf("got %x, want %x", []byte(m), want)
	}
	p, err := ParseIGMP(m)
	if err != nil {
		t.Fatal(err)
	}
	w := p.Records()
	first, _ := w.Next()
	second, ok := w.Next()
	if !ok || first.Type != RecordChangeToExclude || first.Group != group4 || first.Sources.Len() != 0 ||
		second.Type != RecordAllowSources || second.Sources.Len() != 2 || second.Sources.At(0) != src1 {
		t.Errorf("records %+v %+v", first, second)
	}
	if _, ok := w.Next(); ok {
		t.Error("a third record")
	}
	if _, err := ParseIGMP(m[:31]); err != ErrTruncated {
		t.Errorf("cut report: %v", err)
	}
	m[7] = 3
	if _, err := ParseIGMP(m); err != ErrTruncated {
		t.Errorf("report of a missing record: %v", err)
	}
}

func TestAuxiliaryDataIsPassedBy(t *testing.T) {
	m, err := ParseIGMP(unhexBytes(t, "2200 0000 0000 0002 0101 0000 ef010203 aabbccdd 0200 0000 ef010204"))
	if err != nil {
		t.Fatal(err)
	}
	w := m.Records()
	w.Next()
	if r, ok := w.Next(); !ok || r.Group != MustAddr("239.1.2.4") {
		t.Errorf("second record %+v", r)
	}
}

func TestMLDLayoutAndValidity(t *testing.T) {
	done := MLD(make([]byte, MLDSize))
	done.Encode(ICMPv6MLDDone, 0, group6)
	if want := unhexBytes(t, "8400 0000 0000 0000 ff050000000000000000000000010002"); !bytes.Equal(done, want) {
		t.Errorf("done: got %x, want %x", []byte(done), want)
	}
	query := MLD(make([]byte, 64))
	query = query[:query.EncodeV2Query(&MulticastQuery{MaxResponse: 10000, Group: group6, Robustness: 2, Interval: 125}, hostA6)]
	if want := unhexBytes(t, "8200 0000 2710 0000 ff050000000000000000000000010002 027d 0001 20010db8000000000000000000000001"); !bytes.Equal(query, want) {
		t.Errorf("query: got %x, want %x", []byte(query), want)
	}
	report := MLD(make([]byte, 8+GroupRecordSize(group6, 1)))
	report.EncodeV2Report(1)
	PutGroupRecord(report[8:], RecordModeIsInclude, group6, hostA6)
	if want := unhexBytes(t, "8f00 0000 0000 0001 0100 0001 ff050000000000000000000000010002 20010db8000000000000000000000001"); !bytes.Equal(report, want) {
		t.Errorf("report: got %x, want %x", []byte(report), want)
	}
	short := append(append(MLD{}, query[:MLDSize]...), 0, 0)
	for _, tc := range []struct {
		name string
		m    MLD
		src  Addr
		hop  uint8
		want error
	}{
		{"done", done, linkA, 1, nil},
		{"done from nobody", done, IPv6Any(), 1, ErrAddress},
		{"query", query, linkA, 1, nil},
		{"query of version 1", query[:MLDSize], linkA, 1, nil},
		{"query between the versions", short, linkA, 1, ErrLength},
		{"query without its source", query[:43], linkA, 1, ErrTruncated},
		{"query through a router", query, linkA, 255, ErrHopLimit},
		{"query from a global address", query, hostA6, 1, ErrAddress},
		{"query from nobody", query, IPv6Any(), 1, ErrAddress},
		{"report", report, linkA, 1, nil},
		{"report from nobody", report, IPv6Any(), 1, nil},
		{"report from IPv4's link-local", report, MustAddr("169.254.0.1"), 1, ErrAddress},
		{"cut report", report[:len(report)-1], linkA, 1, ErrTruncated},
		{"cut done", done[:23], linkA, 1, ErrTruncated},
		{"no listener message", MLD(unhexBytes(t, "8000 0000 0000 0000")), linkA, 1, ErrFormat},
	} {
		_, err := ParseMLD(ICMPv6(tc.m), tc.src, tc.hop)
		check(t, tc.name, err, tc.want)
	}
	if query.QueryVersion() != 2 || query.MaxResponse() != 10000 || query.Sources().At(0) != hostA6 || query.Robustness() != 2 || query.Suppress() || query.QueryInterval() != 125 {
		t.Errorf("query reads %x", []byte(query))
	}
	for _, tc := range []struct {
		size int
		want uint32
	}{{MLDSize, 0x8001}, {MLDv2QuerySize, 0x1001 << 3}} { // only version 2 has floating point
		m := MLD(make([]byte, tc.size))
		m.Encode(ICMPv6MLDQuery, 0x8001, group6)
		if m.MaxResponse() != tc.want {
			t.Errorf("query of %d bytes: max response %d, want %d", tc.size, m.MaxResponse(), tc.want)
		}
	}
	w := report.Records()
	if r, ok := w.Next(); !ok || r.Group != group6 || r.Type != RecordModeIsInclude || r.Sources.Len() != 1 || r.Sources.At(0) != hostA6 {
		t.Errorf("record %+v", r)
	}
}

func TestFloatingPointCodes(t *testing.T) {
	// RFC 3376 §4.1.1: (mant | 0x10) << (exp + 3). RFC 3810 §5.1.3: (mant | 0x1000) << (exp + 3).
	for _, tc := range []struct {
		mant uint
		code uint
		v    uint32
	}{{4, 0x7f, 127}, {4, 0x80, 128}, {4, 0x8f, 248}, {4, 0x90, 256}, {4, 0xff, 31744}, {12, 0x7fff, 32767}, {12, 0x8000, 32768}, {12, 0xffff, 8387584}} {
		if v := decodeFloat(tc.code, tc.mant); v != tc.v {
			t.Errorf("code %#x is %d, want %d", tc.code, v, tc.v)
		}
	}
	for _, mant := range []uint{4, 12} {
		for code := range uint(1) << (mant + 4) {
			v := decodeFloat(code, mant)
			if got := encodeFloat(v, mant); got != code {
				t.Fatalf("%d is written %#x, want %#x", v, got, code)
			}
			if next := decodeFloat(min(code+1, 1<<(mant+4)-1), mant); next > v+1 && encodeFloat(next-1, mant) != code {
				t.Fatalf("%d is not rounded down to %d", next-1, v)
			}
		}
		if encodeFloat(1<<31, mant) != 1<<(mant+4)-1 {
			t.Error("a value too large is not cut")
		}
	}
}

func FuzzMulticast(f *testing.F) {
	f.Add(unhexBytes(f, "2200 0000 0000 0002 0101 0000 ef010203 aabbccdd 0200 0000 ef010204"))
	f.Add(unhexBytes(f, "1164 0000 ef010203 0a7d 0002 c0000201 c0000202"))
	f.Add(unhexBytes(f, "8200 0000 2710 0000 ff050000000000000000000000010002 027d 0001 20010db8000000000000000000000001"))
	f.Add(unhexBytes(f, "8f00 0000 0000 0001 0100 0001 ff050000000000000000000000010002 20010db8000000000000000000000001"))
	addrs := func(l AddrList) (a []Addr) {
		for i := range l.Len() {
			a = append(a, l.At(i))
		}
		return a
	}
	// again writes the records anew and reads them back.
	again := func(t *testing.T, w GroupRecordWalker) {
		size := w.size
		for {
			r, ok := w.Next()
			if !ok {
				return
			}
			if r.Group.Is4() != (size == 4) {
				continue // a v4-mapped group, which is none
			}
			mapped := false
			for _, s := range addrs(r.Sources) {
				mapped = mapped || s.Is4() != (size == 4)
			}
			if mapped {
				continue
			}
			b := make([]byte, GroupRecordSize(r.Group, r.Sources.Len()))
			PutGroupRecord(b, r.Type, r.Group, addrs(r.Sources)...)
			back := GroupRecordWalker{b, 1, size}
			if q, ok := back.Next(); !ok || q.Type != r.Type || q.Group != r.Group || !bytes.Equal(q.Sources.b, r.Sources.b) {
				t.Fatalf("%+v reads %+v", r, q)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := ParseIGMP(b); err == nil {
			again(t, m.Records())
			if m.Type() == IGMPQuery && m.QueryVersion() == 3 {
				out := IGMP(make([]byte, len(b)))
				q := MulticastQuery{m.MaxResponse(), m.Group(), m.Suppress(), m.Robustness(), m.QueryInterval()}
				n := out.EncodeV3Query(&q, addrs(m.Sources())...)
				out[2], out[3], out[8] = m[2], m[3], m[8]
				if !bytes.Equal(out[:n], m[:n]) {
					t.Errorf("%x written as %x", b, []byte(out[:n]))
				}
			}
			_, _ = m.MaxResponse(), m.ChecksumOK()
		}
		icmp, err := ParseICMPv6(b)
		if err != nil {
			return
		}
		if m, err := ParseMLD(icmp, linkA, 1); err == nil {
			again(t, m.Records())
			if m.Type() == ICMPv6MLDQuery {
				_, _, _, _ = m.MaxResponse(), m.Suppress(), m.Robustness(), m.QueryInterval()
				if len(addrs(m.Sources())) > 0 && m.QueryVersion() != 2 {
					t.Errorf("%x: sources in version 1", b)
				}
			}
			if m.Type() != ICMPv6MLDv2Report {
				_ = m.Group()
			}
		}
	})
}
