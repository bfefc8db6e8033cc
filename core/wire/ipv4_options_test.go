package wire

import (
	"bytes"
	"testing"
)

func TestIPv4Options(t *testing.T) {
	for _, tc := range []struct {
		name, bytes string
		want        IPv4Options
		pointer     uint8 // of the parameter problem, 0 if the options are sound
	}{
		{"none", "", IPv4Options{}, 0},
		{"NOPs and end", "01010100", IPv4Options{}, 0},
		{"nothing after the end", "00ff0700", IPv4Options{}, 0},
		{"router alert", "94040000", IPv4Options{RouterAlert: 20}, 0},
		{"router alert of another value", "94040001", IPv4Options{}, 0},
		{"router alert cut", "94030000", IPv4Options{}, 21},
		{"record route", "01070704 00000000", IPv4Options{RecordRoute: 21}, 0},
		{"record route full", "07070801020304 00", IPv4Options{RecordRoute: 20}, 0},
		{"record route without pointer", "07020000", IPv4Options{}, 21},
		{"record route pointing into itself", "07070300000000 00", IPv4Options{}, 22},
		{"record route with half a slot", "07070500000000 00", IPv4Options{}, 22},
		{"two record routes", "0703040703040000", IPv4Options{RecordRoute: 20}, 23},
		{"loose source route", "8307040a00000900", IPv4Options{SourceRoute: 20}, 0},
		{"strict source route", "8907040a00000900", IPv4Options{SourceRoute: 20, Strict: true}, 0},
		{"source route pointing into itself", "8307030a00000900", IPv4Options{}, 22},
		{"two source routes", "8307040a000009 8907040a000009 0000", IPv4Options{SourceRoute: 20}, 27},
		{"timestamps", "44080500 00000000", IPv4Options{Timestamp: 20}, 0},
		{"timestamps full", "44080900 00000000", IPv4Options{Timestamp: 20}, 0},
		{"timestamps full and overflow full", "440809f0 00000000", IPv4Options{}, 23},
		{"timestamps with addresses and half a slot", "44080501 00000000", IPv4Options{}, 22},
		{"timestamps of an unknown kind", "44080502 00000000", IPv4Options{}, 23},
		{"timestamps pointing into the option", "44080400 00000000", IPv4Options{}, 22},
		{"timestamps too short", "44030500", IPv4Options{}, 21},
		{"unknown passed by", "1e040000 94040000", IPv4Options{RouterAlert: 24}, 0},
		{"length 0", "01010700", IPv4Options{}, 22},
		{"length beyond the end", "07050400", IPv4Options{}, 20},
		{"no length", "01010107", IPv4Options{}, 23},
	} {
		var o IPv4Options
		pointer, err := ParseIPv4Options(unhexBytes(t, tc.bytes), &o)
		if pointer != tc.pointer || (err == ErrOption) != (tc.pointer != 0) || o != tc.want {
			t.Errorf("%s: got %+v, pointer %d, %v; want %+v, pointer %d", tc.name, o, pointer, err, tc.want, tc.pointer)
		}
	}
}

func TestIPv4RoutersFillInOptions(t *testing.T) {
	router := MustAddr("192.0.2.1")
	for _, tc := range []struct{ name, before, after string }{
		{"record route", "070b04 00000000 00000000 00", "070b08 c0000201 00000000 00"},
		{"record route's last slot", "070b08 01010101 00000000 00", "070b0c 01010101 c0000201 00"},
		{"record route full", "070b0c 01010101 02020202 00", "070b0c 01010101 02020202 00"},
		{"time", "440c0500 00000000 00000000", "440c0900 00abcdef 00000000"},
		{"time and address", "440c0501 00000000 00000000", "440c0d01 c0000201 00abcdef"},
		{"prescribed to us", "440c0503 c0000201 00000000", "440c0d03 c0000201 00abcdef"},
		{"prescribed to another", "440c0503 c0000202 00000000", "440c0503 c0000202 00000000"},
		{"no room", "440c0d01 01010101 00000000", "440c0d11 01010101 00000000"},
	} {
		p := ipv4Packet(unhexBytes(t, tc.before), nil)
		var o IPv4Options
		if _, err := ParseIPv4Options(p.Options(), &o); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		IPv4RecordRoute(p, o.RecordRoute, router)
		IPv4RecordTime(p, o.Timestamp, router, 0xabcdef)
		if !bytes.Equal(p.Options(), unhexBytes(t, tc.after)) {
			t.Errorf("%s: %x, want %s", tc.name, p.Options(), tc.after)
		}
	}
	p := ipv4Packet(unhexBytes(t, "830704 0a000009 00"), nil)
	if a, ok := IPv4SourceRouteNext(p, 20); !ok || a != MustAddr("10.0.0.9") {
		t.Errorf("source route goes to %v, %v", a, ok)
	}
	IPv4RecordRoute(p, 20, router)
	if _, ok := IPv4SourceRouteNext(p, 20); ok || addr4(p.Options()[3:]) != router {
		t.Errorf("used source route %x goes on", p.Options())
	}
}

func TestOnlyCopiedOptionsGoIntoLaterFragments(t *testing.T) {
	b := unhexBytes(t, "01 070704 00000000 94040000 44050500 00 00 07")
	IPv4KeepCopiedOptions(b)
	if want := unhexBytes(t, "01 01010101010101 94040000 0101010101 00 07"); !bytes.Equal(b, want) {
		t.Errorf("got %x, want %x", b, want)
	}
}

func FuzzIPv4Options(f *testing.F) {
	for _, s := range []string{"", "94040000", "070b040000000000000000 00", "440c0501 00000000 00000000", "8307040a00000900"} {
		f.Add(unhexBytes(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = b[:min(len(b), 40)]
		p := ipv4Packet(b, nil)
		var o IPv4Options
		pointer, err := ParseIPv4Options(p.Options(), &o)
		if err != nil {
			if pointer < 20 || int(pointer) >= p.HeaderLen() {
				t.Fatalf("%x: pointer %d outside the options", b, pointer)
			}
			return
		}
		for _, at := range []uint8{o.RecordRoute, o.SourceRoute, o.Timestamp} {
			if at == 0 {
				continue
			}
			before := append([]byte(nil), p...)
			if at == o.Timestamp {
				IPv4RecordTime(p, at, hostA, 1)
			} else {
				IPv4RecordRoute(p, at, hostA)
			}
			end := int(at) + int(p[at+1])
			if !bytes.Equal(p[:at+2], before[:at+2]) || !bytes.Equal(p[end:], before[end:]) {
				t.Fatalf("%x: writing the option at %d changed %x to %x", b, at, before, []byte(p))
			}
			if p[at+2] != before[at+2] && int(at)+int(p[at+2])-1 > end {
				t.Fatalf("%x: pointer of the option at %d moved past its end", b, at)
			}
		}
		IPv4KeepCopiedOptions(p.Options())
		for _, at := range []uint8{0, 19, 20, 59, 255} { // offsets that no parser gave
			IPv4RecordRoute(p, at, hostA)
			IPv4SourceRouteNext(p, at)
			IPv4RecordTime(p, at, hostA, 1)
		}
	})
}
