package wire

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// walk writes down a walk: kinds and offsets of the extension headers, then what ended it.
func walk(p IPv6) string {
	var s []string
	w := WalkIPv6(p)
	for w.Next() {
		s = append(s, fmt.Sprintf("%s@%d+%d", ProtocolName(w.Header), w.Offset, len(w.Data())))
	}
	switch q := w.Problem; {
	case q.Report:
		s = append(s, fmt.Sprintf("problem %d at %d: %v", q.Code, q.Pointer, q.Err))
	case q.Err != 0:
		s = append(s, "drop: "+q.Err.Error())
	default:
		s = append(s, fmt.Sprintf("%s@%d named at %d", ProtocolName(w.Header), w.Offset, w.NextAt))
		if w.Fragment != 0 {
			s = append(s, fmt.Sprintf("fragment %d", w.Fragment))
		}
	}
	return strings.Join(s, ", ")
}

func TestIPv6Walk(t *testing.T) {
	const pad6 = "0104 00000000"
	for _, tc := range []struct {
		name  string
		next  Protocol
		bytes string
		want  string
	}{
		{"none", ProtoUDP, "0001000200080000", "UDP@40 named at 6"},
		{"no next header", ProtoNoNext, "", "no next header@40 named at 6"},
		{"unknown protocol", 200, "", "proto 200@40 named at 6"},
		{"hop-by-hop", ProtoHopByHop, "1100" + pad6 + "00", "HBH@40+8, UDP@48 named at 40"},
		{"all in order", ProtoHopByHop, "3c00" + pad6 + "2b00" + pad6 + "3c00000000000000 1101" + pad6 + "0106000000000000",
			"HBH@40+8, DSTOPT@48+8, RT@56+8, DSTOPT@64+16, UDP@80 named at 64"},
		{"hop-by-hop not first", ProtoDestination, "0000" + pad6 + "1100" + pad6, "DSTOPT@40+8, problem 1 at 40: bad field value"},
		{"first fragment", ProtoFragment, "1100000100000007 00", "FRAG@40+8, UDP@48 named at 40, fragment 40"},
		{"headers behind a fragment are not walked", ProtoFragment, "3c00000900000007 00", "FRAG@40+8, DSTOPT@48 named at 40, fragment 40"},
		{"fragment behind routing", ProtoRouting, "2c00000000000000 1100000100000007", "RT@40+8, FRAG@48+8, UDP@56 named at 48, fragment 48"},
		{"cut before the header", ProtoDestination, "", "drop: truncated"},
		{"cut inside the fixed part", ProtoRouting, "11000000", "drop: truncated"},
		{"cut inside the options", ProtoDestination, "1101" + pad6, "drop: truncated"},
		{"cut fragment header", ProtoFragment, "11000001000000", "drop: truncated"},
		{"ESP ends the walk", ProtoESP, "0000", "ESP@40 named at 6"},
		{"nine headers", ProtoDestination, strings.Repeat("3c00"+pad6, 9),
			strings.Join([]string{"DSTOPT@40+8", "DSTOPT@48+8", "DSTOPT@56+8", "DSTOPT@64+8", "DSTOPT@72+8", "DSTOPT@80+8", "DSTOPT@88+8", "DSTOPT@96+8"}, ", ") +
				", problem 8 at 104: bad length"},
	} {
		if got := walk(ipv6Packet(tc.next, unhexBytes(t, tc.bytes))); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

func TestIPv6UnknownRoutingHeader(t *testing.T) {
	for _, tc := range []struct {
		bytes string
		want  IPv6Problem
	}{
		{"1100000000000000", IPv6Problem{}},
		{"1102000100000000 00000000000000000000000000000000", IPv6Problem{ErrFormat, true, false, ICMPv6ErroneousField, 42}}, // type 0
		{"1100fd0100000000", IPv6Problem{ErrFormat, true, false, ICMPv6ErroneousField, 42}},
	} {
		w := WalkIPv6(ipv6Packet(ProtoRouting, unhexBytes(t, tc.bytes)))
		if !w.Next() || w.UnknownRouting() != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.bytes, w.UnknownRouting(), tc.want)
		}
	}
	w := WalkIPv6(ipv6Packet(200, nil))
	if w.Next() || w.UnknownNextHeader() != (IPv6Problem{ErrFormat, true, false, ICMPv6UnknownNextHeader, 6}) {
		t.Errorf("unknown next header: %+v", w.UnknownNextHeader())
	}
}

func TestIPv6Options(t *testing.T) {
	drop := IPv6Problem{Err: ErrOption}
	for _, tc := range []struct {
		name, bytes string
		want        string // type@offset:data of each
		problem     IPv6Problem
	}{
		{"padding only", "1100 0104 00000000", "", IPv6Problem{}},
		{"Pad1 only", "1100 000000000000", "", IPv6Problem{}},
		{"router alert", "3a00 05020000 0100", "5@42:0000 ", IPv6Problem{}},
		{"two options", "1101 05020001 c9021234 0000 1e00 00 00 00 00", "5@42:0001 201@46:1234 30@52: ", IPv6Problem{}},
		{"length beyond the header", "1100 0505 00000000", "", drop},
		{"no length", "1100 0502 0000 0005", "5@42:0000 ", drop},
		{"padding that is not zero", "1100 0104 00000001", "", drop},
		{"eight bytes of padding", "1101 0106 000000000000 0500 0100 0000", "", drop},
		{"eight Pad1", "1101 0000000000000000 0500 0100 0000", "", drop},
		{"nine options", "1102 1e00 1e00 1e00 1e00 1e00 1e00 1e00 1e00 1e00 0102 0000", strings.Join([]string{"30@42: ", "30@44: ", "30@46: ",
			"30@48: ", "30@50: ", "30@52: ", "30@54: ", "30@56: "}, ""), IPv6Problem{ErrOption, true, false, ICMPv6TooManyOptions, 58}},
	} {
		w := WalkIPv6(ipv6Packet(ProtoDestination, unhexBytes(t, tc.bytes)))
		if !w.Next() {
			t.Fatalf("%s: no header: %+v", tc.name, w.Problem)
		}
		var got string
		o := w.Options()
		for o.Next() {
			got += fmt.Sprintf("%d@%d:%x ", o.Type, o.Offset, o.Data)
		}
		if got != tc.want || o.Problem != tc.problem {
			t.Errorf("%s: got %q %+v, want %q %+v", tc.name, got, o.Problem, tc.want, tc.problem)
		}
	}
}

func TestIPv6UnknownOptionActions(t *testing.T) {
	for typ, want := range map[byte]IPv6Problem{
		0x3e: {}, 0x7e: {Err: ErrOption}, 0xbe: {ErrOption, true, true, ICMPv6UnknownOption, 42},
		0xfe: {ErrOption, true, false, ICMPv6UnknownOption, 42},
	} {
		w := WalkIPv6(ipv6Packet(ProtoHopByHop, []byte{ProtoUDP, 0, typ, 4, 0, 0, 0, 0}))
		w.Next()
		o := w.Options()
		if !o.Next() || o.Unknown() != want {
			t.Errorf("option %#x: %+v, want %+v", typ, o.Unknown(), want)
		}
	}
}

func TestIPv6FragmentHeader(t *testing.T) {
	b := make([]byte, IPv6FragmentSize)
	IPv6Fragment(b).Encode(ProtoUDP, 1448, true, 0x01020304)
	if want := unhexBytes(t, "1100 05a9 01020304"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
	f, err := ParseIPv6Fragment(b)
	if err != nil || f.NextHeader() != ProtoUDP || f.Offset() != 1448 || !f.More() || f.ID() != 0x01020304 || f.IsAtomic() {
		t.Errorf("read back %d %v %#x, %v", f.Offset(), f.More(), f.ID(), err)
	}
	if f.Encode(ProtoUDP, 0, false, 9); !f.IsAtomic() {
		t.Error("the only fragment is not atomic")
	}
	if _, err := ParseIPv6Fragment(b[:7]); err != ErrTruncated {
		t.Errorf("7 bytes: %v", err)
	}
}

func TestIPv6FragmentRules(t *testing.T) {
	fragment := func(next Protocol, offset int, more bool, payload string) IPv6 {
		h := IPv6Fragment(make([]byte, IPv6FragmentSize))
		h.Encode(next, offset, more, 1)
		return ipv6Packet(ProtoFragment, append([]byte(h), unhexBytes(t, payload)...))
	}
	udp := "0001000200100000"
	incomplete := IPv6Problem{ErrTruncated, true, false, ICMPv6IncompleteFirstFrag, 0}
	for _, tc := range []struct {
		name         string
		p            IPv6
		length, head IPv6Problem
	}{
		{"first", fragment(ProtoUDP, 0, true, udp), IPv6Problem{}, IPv6Problem{}},
		{"first of odd length", fragment(ProtoUDP, 0, true, udp+"00"), IPv6Problem{ErrLength, true, false, ICMPv6ErroneousField, 4}, IPv6Problem{}},
		{"last of odd length", fragment(ProtoUDP, 8, false, "00"), IPv6Problem{}, IPv6Problem{}},
		{"whole above 65535", fragment(ProtoUDP, 65528, false, udp), IPv6Problem{ErrLength, true, false, ICMPv6ErroneousField, 42}, IPv6Problem{}},
		{"whole of 65535", fragment(ProtoUDP, 65520, false, "00000000000000"), IPv6Problem{}, IPv6Problem{}},
		{"TCP header cut", fragment(ProtoTCP, 0, true, udp), IPv6Problem{}, incomplete},
		{"options cut", fragment(ProtoDestination, 0, true, "1101000000000000"), IPv6Problem{}, incomplete},
		{"nothing behind the options", fragment(ProtoDestination, 0, true, "1100000000000000"), IPv6Problem{}, incomplete},
		{"a later one has no headers to judge", fragment(ProtoTCP, 8, true, udp), IPv6Problem{}, IPv6Problem{}},
	} {
		if got := CheckIPv6Fragment(tc.p, IPv6Size); got != tc.length {
			t.Errorf("%s: length %+v, want %+v", tc.name, got, tc.length)
		}
		if got := CheckIPv6FirstFragment(tc.p, IPv6Size); got != tc.head {
			t.Errorf("%s: headers %+v, want %+v", tc.name, got, tc.head)
		}
	}
}

func FuzzIPv6Walk(f *testing.F) {
	f.Add(uint8(0), unhexBytes(f, "3c00010400000000 2b00010400000000 2c00000000000000 1100000100000007 00"))
	f.Add(uint8(60), unhexBytes(f, "1101 05020001 c9021234 0000 1e00 00 00 00 00"))
	f.Fuzz(func(t *testing.T, next uint8, b []byte) {
		if len(b) > 65535 {
			return
		}
		p := ipv6Packet(next, b)
		w := WalkIPv6(p)
		end, n := IPv6Size, 0
		for w.Next() {
			if w.Offset != end || len(w.Data()) < 8 || len(w.Data())%8 != 0 || p[w.NextAt] != w.Header {
				t.Fatalf("%x: header %d at %d, want %d", b, w.Header, w.Offset, end)
			}
			end += len(w.Data())
			n++
			for o := w.Options(); o.Next(); {
				_ = o.Unknown()
				if o.Offset+2+len(o.Data) > end {
					t.Fatalf("%x: option at %d reaches past %d", b, o.Offset, end)
				}
			}
			_ = w.UnknownRouting()
		}
		if n > IPv6MaxExtHeaders || w.Next() {
			t.Fatalf("%x: %d headers, and on", b, n)
		}
		if w.Problem.Err == 0 && (w.Offset != end || !bytes.Equal(w.Rest(), p[end:]) || p[w.NextAt] != w.Header) {
			t.Fatalf("%x: rest at %d, want %d", b, w.Offset, end)
		}
		if int(w.Problem.Pointer) > len(p) {
			t.Fatalf("%x: pointer %d of %d bytes", b, w.Problem.Pointer, len(p))
		}
		_, _ = w.UnknownNextHeader(), w.UnknownRouting()
		for o := w.Options(); o.Next(); {
			_ = o
		}
		CheckIPv6Fragment(p, w.Fragment)
		CheckIPv6FirstFragment(p, w.Fragment)
	})
}
