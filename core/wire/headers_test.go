package wire

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// unhexBytes reads hexadecimal bytes with any white space between them.
func unhexBytes(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	hostA, hostB   = MustAddr("10.0.0.1"), MustAddr("10.0.0.2")
	hostA6, hostB6 = MustAddr("2001:db8::1"), MustAddr("2001:db8::2")
	macA, macB     = MustHWAddr("02:00:00:00:00:01"), MustHWAddr("02:00:00:00:00:02")
)

func TestEthernetLayout(t *testing.T) {
	b := make([]byte, EthernetSize+2)
	Ethernet(b).Encode(HWBroadcast(), macA, EtherTypeARP)
	if want := unhexBytes(t, "ffffffffffff 020000000001 0806 0000"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	e, err := ParseEthernet(b)
	if err != nil || e.Dst() != HWBroadcast() || e.Src() != macA || e.Type() != EtherTypeARP || len(e.Payload()) != 2 {
		t.Errorf("read back %v %v %v %v", e.Dst(), e.Src(), e.Type(), err)
	}
	if _, err := ParseEthernet(b[:13]); err != ErrTruncated {
		t.Errorf("13 bytes: %v", err)
	}
}

func TestARPLayout(t *testing.T) {
	b := make([]byte, ARPSize)
	f := ARPFields{ARPRequest, macA, hostA, HWAddr{}, hostB}
	ARP(b).Encode(f)
	if want := unhexBytes(t, "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	a, err := ParseARP(append(b, make([]byte, 18)...)) // padded to Ethernet's minimum
	if err != nil || a.Fields() != f || len(a) != ARPSize {
		t.Errorf("read back %+v, %v", a.Fields(), err)
	}
	for off := range 6 {
		bad := bytes.Clone(b)
		bad[off] ^= 1
		if _, err := ParseARP(bad); err != ErrFormat {
			t.Errorf("byte %d changed: %v", off, err)
		}
	}
}

func TestARPProbeAndAnnouncement(t *testing.T) {
	for _, tc := range []struct {
		name            string
		f               ARPFields
		probe, announce bool
	}{
		{"request", ARPFields{ARPRequest, macA, hostA, HWAddr{}, hostB}, false, false},
		{"probe", ARPFields{ARPRequest, macA, IPv4Any(), HWAddr{}, hostB}, true, false},
		{"announcement", ARPFields{ARPRequest, macA, hostA, HWAddr{}, hostA}, false, true},
		{"gratuitous reply", ARPFields{ARPReply, macA, hostA, macA, hostA}, false, true},
		{"reply from nobody", ARPFields{ARPReply, macA, IPv4Any(), macA, IPv4Any()}, false, false},
	} {
		a := ARP(make([]byte, ARPSize))
		a.Encode(tc.f)
		if a.IsProbe() != tc.probe || a.IsAnnouncement() != tc.announce {
			t.Errorf("%s: probe %v, announcement %v", tc.name, a.IsProbe(), a.IsAnnouncement())
		}
	}
}

func ipv4Packet(options, payload []byte) IPv4 {
	f := IPv4Fields{TOS: 0xb9, ID: 0x1234, Flags: IPv4DontFragment, TTL: 64, Protocol: ProtoUDP, Src: hostA, Dst: hostB, Options: options}
	f.TotalLen = f.HeaderLen() + len(payload)
	p := IPv4(make([]byte, f.TotalLen))
	p.Encode(&f)
	copy(p[f.HeaderLen():], payload)
	return p
}

func TestIPv4Layout(t *testing.T) {
	p := ipv4Packet(nil, []byte("data"))
	if want := unhexBytes(t, "45 b9 0018 1234 4000 40 11 13e6 0a000001 0a000002 64617461"); !bytes.Equal(p, want) {
		t.Errorf("got %x, want %x", []byte(p), want)
	}
	q, err := ParseIPv4(append(bytes.Clone(p), 0, 0, 0)) // with padding
	if err != nil || string(q.Payload()) != "data" || !q.ChecksumOK() || q.DSCP() != 0x2e || q.ECN() != 1 || !q.DontFragment() || q.IsFragment() {
		t.Errorf("read back %+v, %v", q.Fields(), err)
	}
	q.SetFragment(IPv4MoreFragments, 1480)
	if q.FragmentWord() != 0x20b9 || q.FragmentOffset() != 1480 || !q.MoreFragments() || q.DontFragment() || !q.IsFragment() {
		t.Errorf("fragment word %#x", q.FragmentWord())
	}
	if q.ChecksumOK() {
		t.Error("checksum still right after a change")
	}
}

func TestIPv4OptionsArePadded(t *testing.T) {
	p := ipv4Packet([]byte{0x94, 4, 0, 0, 1}, []byte("x")) // router alert and a NOP
	q, err := ParseIPv4(p)
	if err != nil || q.HeaderLen() != 28 || !bytes.Equal(q.Options(), []byte{0x94, 4, 0, 0, 1, 0, 0, 0}) || !q.ChecksumOK() || string(q.Payload()) != "x" {
		t.Errorf("got %x, %v", []byte(q), err)
	}
}

func TestIPv4Malformed(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(IPv4) []byte
		want error
	}{
		{"empty", func(IPv4) []byte { return nil }, ErrTruncated},
		{"19 bytes", func(p IPv4) []byte { return p[:19] }, ErrTruncated},
		{"version 6", func(p IPv4) []byte { p[0] = 0x65; return p }, ErrVersion},
		{"IHL 4", func(p IPv4) []byte { p[0] = 0x44; return p }, ErrHeaderLength},
		{"IHL beyond the bytes", func(p IPv4) []byte { p[0] = 0x4f; return p }, ErrHeaderLength},
		{"total length below IHL", func(p IPv4) []byte { p.SetTotalLen(19); return p }, ErrLength},
		{"total length beyond the bytes", func(p IPv4) []byte { p.SetTotalLen(25); return p }, ErrTruncated},
		{"as long as its header", func(p IPv4) []byte { p.SetTotalLen(20); return p }, nil},
		{"nothing but a header", func(p IPv4) []byte { p.SetTotalLen(20); return p[:20] }, nil},
	} {
		if _, err := ParseIPv4(tc.edit(ipv4Packet(nil, []byte("data")))); err != tc.want && (err != nil || tc.want != nil) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
}

func TestDecrementTTLKeepsTheChecksumRight(t *testing.T) {
	for id := range 0x10000 { // every checksum there is
		p := ipv4Packet(nil, nil)
		p.SetID(uint16(id))
		p.UpdateChecksum()
		p.DecrementTTL()
		got := p.Checksum()
		p.UpdateChecksum()
		if p.TTL() != 63 || got != p.Checksum() {
			t.Fatalf("id %#x: checksum %#x, want %#x", id, got, p.Checksum())
		}
		p.SetECN(3)
		if p.ECN() != 3 || p.DSCP() != 0x2e || !p.ChecksumOK() {
			t.Fatalf("id %#x: SetECN left %#x", id, p.TOS())
		}
	}
}

func ipv6Packet(next Protocol, payload []byte) IPv6 {
	p := IPv6(make([]byte, IPv6Size+len(payload)))
	p.Encode(&IPv6Fields{0xb9, 0xabcde, len(payload), next, 64, hostA6, hostB6})
	copy(p[IPv6Size:], payload)
	return p
}

func TestIPv6Layout(t *testing.T) {
	p := ipv6Packet(ProtoUDP, []byte("data"))
	want := unhexBytes(t, "6b9abcde 0004 11 40 20010db8000000000000000000000001 20010db8000000000000000000000002 64617461")
	if !bytes.Equal(p, want) {
		t.Errorf("got %x, want %x", []byte(p), want)
	}
	q, err := ParseIPv6(append(bytes.Clone(p), 0, 0))
	if err != nil || q.Fields() != (IPv6Fields{0xb9, 0xabcde, 4, ProtoUDP, 64, hostA6, hostB6}) || string(q.Payload()) != "data" || q.DSCP() != 0x2e || q.ECN() != 1 {
		t.Errorf("read back %+v, %v", q.Fields(), err)
	}
	q.SetECN(3)
	q.DecrementHopLimit()
	if q.TrafficClass() != 0xbb || q.FlowLabel() != 0xabcde || q.HopLimit() != 63 {
		t.Errorf("class %#x flow %#x", q.TrafficClass(), q.FlowLabel())
	}
	for n, wantErr := range map[int]error{0: ErrTruncated, 39: ErrTruncated, 43: ErrTruncated} {
		if _, err := ParseIPv6(want[:n]); err != wantErr {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	want[0] = 0x4b
	if _, err := ParseIPv6(want); err != ErrVersion {
		t.Errorf("version 4: %v", err)
	}
}

func TestUDPLayout(t *testing.T) {
	u := UDP(make([]byte, 12))
	u.Encode(0x1234, 53, 12)
	copy(u.Payload(), "data")
	u.UpdateChecksum(hostA, hostB)
	if want := unhexBytes(t, "1234 0035 000c 00a8 64617461"); !bytes.Equal(u, want) {
		t.Errorf("got %x, want %x", []byte(u), want)
	}
	v, err := ParseUDP(append(bytes.Clone(u), 9))
	if err != nil || len(v) != 12 || v.SrcPort() != 0x1234 || v.DstPort() != 53 || !v.ChecksumOK(hostA, hostB) || v.ChecksumOK(hostA, hostA) {
		t.Errorf("read back %x, %v", []byte(v), err)
	}
	for length, want := range map[int]error{0: ErrLength, 7: ErrLength, 13: ErrTruncated} {
		u.SetLength(length)
		if _, err := ParseUDP(u); err != want {
			t.Errorf("length %d: %v, want %v", length, err, want)
		}
	}
}

func TestUDPWithoutChecksum(t *testing.T) {
	u := UDP(make([]byte, 8))
	u.Encode(1, 2, 8)
	if !u.ChecksumOK(hostA, hostB) {
		t.Error("a datagram without checksum is right over IPv4")
	}
	if u.ChecksumOK(hostA6, hostB6) {
		t.Error("a datagram without checksum is wrong over IPv6")
	}
}

func TestUDPChecksumOfZeroIsSentAsOnes(t *testing.T) {
	u := UDP(make([]byte, 10))
	u.Encode(1, 2, 10)
	rest := Finish(Sum(u, PseudoHeader(hostA, hostB, ProtoUDP, 10)))
	u[8], u[9] = byte(rest>>8), byte(rest) // now everything sums to 0xffff without a checksum
	u.UpdateChecksum(hostA, hostB)
	if u.Checksum() != 0xffff || !u.ChecksumOK(hostA, hostB) {
		t.Errorf("checksum %#x", u.Checksum())
	}
}

func TestUDPLiteLayout(t *testing.T) {
	u := UDPLite(unhexBytes(t, "8000 0007 0000 0000 61626364"))
	u.SetCoverage(10)
	u.UpdateChecksum(hostA, hostB)
	if want := unhexBytes(t, "8000 0007 000a 09f5 61626364"); !bytes.Equal(u, want) {
		t.Errorf("got %x, want %x", []byte(u), want)
	}
	u[10], u[11] = 0, 0 // not covered
	if v, err := ParseUDPLite(u); err != nil || v.SrcPort() != 0x8000 || v.DstPort() != 7 || v.Coverage() != 10 || len(v.Covered()) != 10 ||
		len(v.Payload()) != 4 || !v.ChecksumOK(hostA, hostB) {
		t.Errorf("read back %x, %v", []byte(v), err)
	}
	if u[9]++; u.ChecksumOK(hostA, hostB) {
		t.Error("a covered byte was changed unseen")
	}
	u.SetCoverage(0)
	u.UpdateChecksum(hostA6, hostB6)
	if u[11]++; u.ChecksumOK(hostA6, hostB6) || len(u.Covered()) != len(u) {
		t.Error("a coverage of zero is not the whole datagram")
	}
	u.SetChecksum(0)
	if u.ChecksumOK(hostA, hostB) {
		t.Error("a datagram without checksum is wrong")
	}
	for n, want := range map[int]error{1: ErrLength, 7: ErrLength, 8: nil, 12: nil, 13: ErrTruncated} {
		u.SetCoverage(n)
		if _, err := ParseUDPLite(u); err != want {
			t.Errorf("coverage %d: %v, want %v", n, err, want)
		}
	}
	if _, err := ParseUDPLite(u[:7]); err != ErrTruncated {
		t.Errorf("seven bytes: %v", err)
	}
}

func TestTCPLayout(t *testing.T) {
	seg := TCP(make([]byte, 36))
	f := TCPFields{0x8000, 80, 0xfffffff0, 7, TCPPsh | TCPAck, 0x2000, 0}
	seg.Encode(&f, 32)
	PutTimestamp(seg.Options(), 0x01020304, 0x05060708)
	copy(seg.Payload(), "data")
	seg.UpdateChecksum(hostA, hostB)
	want := unhexBytes(t, "8000 0050 fffffff0 00000007 80 18 2000 d98f 0000 0101080a 01020304 05060708 64617461")
	if !bytes.Equal(seg, want) {
		t.Errorf("got %x, want %x", []byte(seg), want)
	}
	s, err := ParseTCP(seg)
	if err != nil || s.Fields() != f || !s.ChecksumOK(hostA, hostB) || s.SegLen() != 4 || string(s.Payload()) != "data" || s.ReservedBits() != 0 {
		t.Errorf("read back %+v, %v", s.Fields(), err)
	}
	s.SetFlags(TCPSyn | TCPFin)
	if s.SegLen() != 6 {
		t.Errorf("SYN and FIN take no sequence numbers: SEG.LEN %d", s.SegLen())
	}
	for n, off := range map[int]byte{19: 5, 36: 4, 35: 9} {
		b := bytes.Clone(want[:n])
		b[12] = off << 4
		if _, err := ParseTCP(b); (err != ErrTruncated) != (n >= 20) || (err != ErrHeaderLength) != (n < 20) {
			t.Errorf("%d bytes, offset %d: %v", n, off, err)
		}
	}
}

func TestTCPFlagNames(t *testing.T) {
	for f := range 256 {
		back, ok := ParseTCPFlags(TCPFlags(f).String())
		if !ok || back != TCPFlags(f) {
			t.Errorf("%#x is written %q and read %#x", f, TCPFlags(f), back)
		}
	}
	if s := (TCPSyn | TCPAck).String(); s != "S." {
		t.Errorf("SYN ACK is %q", s)
	}
	if f, ok := ParseTCPFlags("WEU.PRSF"); !ok || f != 0xff {
		t.Errorf("all flags in another order read %#x", f)
	}
	if _, ok := ParseTCPFlags("SX"); ok {
		t.Error("unknown flag letter taken")
	}
}

func TestICMPv4Layout(t *testing.T) {
	m := ICMPv4(make([]byte, 12))
	m.Encode(ICMPv4Echo, 0, 0x12340001)
	copy(m.Payload(), "data")
	m.UpdateChecksum()
	if want := unhexBytes(t, "08 00 0d08 1234 0001 64617461"); !bytes.Equal(m, want) {
		t.Errorf("got %x, want %x", []byte(m), want)
	}
	n, err := ParseICMPv4(m)
	if err != nil || n.ID() != 0x1234 || n.Seq() != 1 || !n.ChecksumOK() || n.IsError() {
		t.Errorf("read back %x, %v", []byte(n), err)
	}
	m.Encode(ICMPv4Redirect, ICMPv4RedirectHost, 0x0a000002)
	if m.Gateway() != hostB || !m.IsError() || m.Pointer() != 10 || m.MTU() != 2 {
		t.Errorf("redirect reads gateway %v", m.Gateway())
	}
	if _, err := ParseICMPv4(m[:7]); err != ErrTruncated {
		t.Errorf("7 bytes: %v", err)
	}
}

func TestICMPv6Layout(t *testing.T) {
	m := ICMPv6(make([]byte, 12))
	m.Encode(ICMPv6Echo, 0, 0x12340001)
	copy(m.Payload(), "data")
	m.UpdateChecksum(hostA6, hostB6)
	if want := unhexBytes(t, "80 00 394c 1234 0001 64617461"); !bytes.Equal(m, want) {
		t.Errorf("got %x, want %x", []byte(m), want)
	}
	n, err := ParseICMPv6(m)
	if err != nil || n.ID() != 0x1234 || n.Seq() != 1 || !n.ChecksumOK(hostA6, hostB6) || n.ChecksumOK(hostA6, hostA6) || n.IsError() {
		t.Errorf("read back %x, %v", []byte(n), err)
	}
	m.Encode(ICMPv6PacketTooBig, 0, 1280)
	if m.MTU() != 1280 || !m.IsError() || m.Pointer() != 1280 {
		t.Errorf("packet too big reads MTU %d", m.MTU())
	}
}

func TestSeqArithmeticWrapsAround(t *testing.T) {
	for _, tc := range []struct {
		a, b Seq
		diff int32
	}{
		{0, 0, 0}, {1, 0, 1}, {0, 0xffffffff, 1}, {0xfffffff0, 0x10, -0x20}, {0x7fffffff, 0, 0x7fffffff}, {5, 0x80000006, 0x7fffffff},
	} {
		a, b, d := tc.a, tc.b, tc.diff
		if a.Sub(b) != d || b.Add(uint32(d)) != a || a.LT(b) != (d < 0) || a.LEQ(b) != (d <= 0) || a.GT(b) != (d > 0) || a.GEQ(b) != (d >= 0) {
			t.Errorf("%d and %d: difference %d, want %d", a, b, a.Sub(b), d)
		}
		if (MaxSeq(a, b) == a) != (d >= 0) || (MinSeq(a, b) == a) != (d <= 0) {
			t.Errorf("%d and %d: max %d min %d", a, b, MaxSeq(a, b), MinSeq(a, b))
		}
	}
	if !Seq(2).InWindow(0xfffffffe, 5) || Seq(3).InWindow(0xfffffffe, 5) || Seq(0xfffffffd).InWindow(0xfffffffe, 5) || Seq(7).InWindow(7, 0) {
		t.Error("window misjudged")
	}
}
