package wire

import (
	"bytes"
	"testing"
)

// Each target: no panic on any bytes; what parses is written from its fields and reads the same again.

func FuzzARP(f *testing.F) {
	f.Add([]byte("\x00\x01\x08\x00\x06\x04\x00\x01\x02\x00\x00\x00\x00\x01\x0a\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x02"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseARP(b)
		if err != nil {
			return
		}
		out := make([]byte, ARPSize)
		if ARP(out).Encode(a.Fields()); !bytes.Equal(out, a) {
			t.Errorf("%x written as %x", []byte(a), out)
		}
		_, _ = a.IsProbe(), a.IsAnnouncement()
	})
}

func FuzzEthernet(f *testing.F) {
	f.Add(make([]byte, 60))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := ParseEthernet(b)
		if err != nil {
			return
		}
		out := make([]byte, EthernetSize)
		if Ethernet(out).Encode(e.Dst(), e.Src(), e.Type()); !bytes.Equal(append(out, e.Payload()...), b) {
			t.Errorf("%x written as %x", b, out)
		}
	})
}

func FuzzIPv4(f *testing.F) {
	f.Add([]byte(ipv4Packet(nil, []byte("data"))))
	f.Add([]byte(ipv4Packet([]byte{0x94, 4, 0, 0}, nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseIPv4(b)
		if err != nil {
			return
		}
		fields := p.Fields()
		ok := p.ChecksumOK()
		if 4 != IPVersion(b) || len(p.Header())+len(p.Payload()) != len(p) || len(p) != p.TotalLen() {
			t.Fatalf("%x: header %d, payload %d of %d", b, len(p.Header()), len(p.Payload()), len(p))
		}
		out := IPv4(append([]byte(nil), p...))
		out.Encode(&fields)
		if !out.ChecksumOK() {
			t.Fatalf("%x: written without a right checksum", []byte(out))
		}
		if ok != (naiveSum(p.Header(), 0) == 0xffff) {
			t.Fatalf("%x: ChecksumOK = %v", []byte(p), ok)
		}
		out.SetChecksum(p.Checksum())
		if !bytes.Equal(out, p) {
			t.Fatalf("%x written as %x", []byte(p), []byte(out))
		}
	})
}

func FuzzIPv6(f *testing.F) {
	f.Add([]byte(ipv6Packet(ProtoUDP, []byte("data"))))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseIPv6(b)
		if err != nil {
			return
		}
		fields := p.Fields()
		out := make([]byte, IPv6Size)
		if IPv6(out).Encode(&fields); !bytes.Equal(append(out, p.Payload()...), p) {
			t.Errorf("%x written as %x", []byte(p), out)
		}
	})
}

func FuzzUDP(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 0, 9, 0, 0, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := ParseUDP(b)
		if err != nil {
			return
		}
		out := append([]byte(nil), u...)
		UDP(out).Encode(u.SrcPort(), u.DstPort(), u.Length())
		UDP(out).SetChecksum(u.Checksum())
		if !bytes.Equal(out, u) || len(u) != u.Length() {
			t.Errorf("%x written as %x", []byte(u), out)
		}
		UDP(out).UpdateChecksum(hostA, hostB)
		if !UDP(out).ChecksumOK(hostA, hostB) || UDP(out).Checksum() == 0 {
			t.Errorf("%x: checksum is wrong or missing", out)
		}
	})
}

func FuzzUDPLite(f *testing.F) {
	f.Add([]byte{0, 1, 0, 2, 0, 9, 0, 0, 'x', 'y'})
	f.Add([]byte{0, 1, 0, 2, 0, 0, 0, 0, 'x'})
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := ParseUDPLite(b)
		if err != nil {
			return
		}
		out := UDPLite(append([]byte(nil), u...))
		out.Encode(u.SrcPort(), u.DstPort(), u.Coverage())
		out.SetChecksum(u.Checksum())
		if !bytes.Equal(out, u) || len(out.Covered()) < UDPLiteSize {
			t.Errorf("%x written as %x", []byte(u), []byte(out))
		}
		out.UpdateChecksum(hostA, hostB)
		if !out.ChecksumOK(hostA, hostB) {
			t.Errorf("%x: checksum is wrong or missing", []byte(out))
		}
		for i := range out[len(out.Covered()):] {
			out[len(out.Covered())+i] ^= 0xff
		}
		if !out.ChecksumOK(hostA, hostB) {
			t.Errorf("%x: what is not covered counts", []byte(out))
		}
	})
}

func FuzzTCP(f *testing.F) {
	f.Add([]byte("\x80\x00\x00\x50\xff\xff\xff\xf0\x00\x00\x00\x07\x80\x18\x20\x00\xd9\x8f\x00\x00\x01\x01\x08\x0a\x01\x02\x03\x04\x05\x06\x07\x08data"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseTCP(b)
		if err != nil {
			return
		}
		fields := s.Fields()
		out := TCP(append([]byte(nil), s...))
		out.Encode(&fields, s.HeaderLen())
		out[tcpOffset] |= s.ReservedBits()
		out.SetChecksum(s.Checksum())
		if !bytes.Equal(out, s) || TCPMinSize+len(s.Options())+len(s.Payload()) != len(b) || int(s.SegLen()) < len(s.Payload()) {
			t.Errorf("%x written as %x", []byte(s), []byte(out))
		}
		out.UpdateChecksum(hostA6, hostB6)
		if !out.ChecksumOK(hostA6, hostB6) {
			t.Errorf("%x: checksum is wrong", []byte(out))
		}
	})
}

func FuzzICMP(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 0x12, 0x34, 0, 1, 'd'})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseICMPv4(b)
		m6, err6 := ParseICMPv6(b)
		if (err == nil) != (err6 == nil) {
			t.Fatalf("%x: %v over IPv4, %v over IPv6", b, err, err6)
		}
		if err != nil {
			return
		}
		out := append([]byte(nil), b...)
		ICMPv4(out).Encode(m.Type(), m.Code(), m.Rest())
		ICMPv4(out).SetChecksum(m.Checksum())
		if !bytes.Equal(out, b) || !bytes.Equal(m.Payload(), m6.Payload()) {
			t.Errorf("%x written as %x", b, out)
		}
		ICMPv6(out).UpdateChecksum(hostA6, hostB6)
		if !ICMPv6(out).ChecksumOK(hostA6, hostB6) {
			t.Errorf("%x: checksum is wrong", out)
		}
	})
}

func TestReadingAndWritingHeadersAllocatesNothing(t *testing.T) {
	frame := make([]byte, EthernetSize+IPv4MinSize+TCPMaxHeaderSize+100)
	opts := TCPOptions{Has: TCPHasMSS | TCPHasSACKPermitted | TCPHasTimestamp | TCPHasWindowScale, MSS: 1460}
	n := testing.AllocsPerRun(100, func() {
		Ethernet(frame).Encode(macB, macA, EtherTypeIPv4)
		e, _ := ParseEthernet(frame)
		IPv4(e.Payload()).Encode(&IPv4Fields{TTL: 64, Protocol: ProtoTCP, Src: hostA, Dst: hostB, TotalLen: len(e.Payload())})
		p, err := ParseIPv4(e.Payload())
		if err != nil {
			panic(err)
		}
		TCP(p.Payload()).Encode(&TCPFields{SrcPort: 1, DstPort: 2, Flags: TCPSyn}, TCPMinSize+opts.Size())
		seg, err := ParseTCP(p.Payload())
		if err != nil {
			panic(err)
		}
		opts.Put(seg.Options())
		seg.UpdateChecksum(p.Src(), p.Dst())
		var back TCPOptions
		if err := ParseTCPOptions(seg.Options(), &back); err != nil || !seg.ChecksumOK(p.Src(), p.Dst()) || !p.ChecksumOK() {
			panic("not read back")
		}
		if _, err := ParseIPv4(frame[:3]); err != ErrTruncated {
			panic("short packet taken")
		}
		p.DecrementTTL()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestAppendSummaryAllocatesNothing(t *testing.T) {
	p := ipv4Packet(nil, make([]byte, UDPSize))
	UDP(p.Payload()).Encode(1, 2, UDPSize)
	buf := make([]byte, 0, 200)
	var line []byte
	if n := testing.AllocsPerRun(100, func() { line = AppendSummary(buf, p, LinkRaw) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if string(line) != "IP 10.0.0.1.1 > 10.0.0.2.2: UDP, length 0" {
		t.Errorf("%s", line)
	}
}
