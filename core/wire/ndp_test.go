package wire

import (
	"bytes"
	"testing"
)

var (
	linkA, linkB = MustAddr("fe80::1"), MustAddr("fe80::2")
	globalT      = MustAddr("2001:db8::7")
)

// nd makes a message of a size, with options in hexadecimal behind it.
func nd(t testing.TB, size int, encode func(b []byte), options string) ICMPv6 {
	b := append(make([]byte, size), unhexBytes(t, options)...)
	encode(b)
	return b
}

const (
	srcLL = "0101 020000000001"
	tgtLL = "0201 020000000002"
	mtu   = "0501 0000 000005dc"
)

func TestRouterSolicitValidity(t *testing.T) {
	rs := func(options string) ICMPv6 { return nd(t, 8, func(b []byte) { RouterSolicit(b).Encode() }, options) }
	for _, tc := range []struct {
		name string
		m    ICMPv6
		src  Addr
		hop  uint8
		want error
	}{
		{"with address", rs(srcLL), linkA, 255, nil},
		{"from nobody", rs(""), IPv6Any(), 255, nil},
		{"from nobody with an address", rs(srcLL), IPv6Any(), 255, ErrAddress},
		{"through a router", rs(srcLL), linkA, 254, ErrHopLimit},
		{"option of length 0", rs("0100 020000000001"), linkA, 255, ErrOption},
		{"option beyond the end", rs("0102 020000000001"), linkA, 255, ErrOption},
		{"half an option", rs("0101 0200"), linkA, 255, ErrOption},
		{"unknown option", rs("fe01 000000000000"), linkA, 255, nil},
	} {
		var o NDOptions
		m, err := ParseRouterSolicit(tc.m, tc.src, tc.hop, &o)
		check(t, tc.name, err, tc.want)
		if err == nil && len(m.Options()) != len(tc.m)-8 {
			t.Errorf("%s: options %x", tc.name, m.Options())
		}
		if tc.name == "with address" && (o.Has != NDHasSourceLL || o.SourceLL != macA) {
			t.Errorf("%s: %+v", tc.name, o)
		}
	}
	bad := rs("")
	bad.SetCode(1)
	var o NDOptions
	_, err := ParseRouterSolicit(bad, linkA, 255, &o)
	check(t, "code 1", err, ErrFormat)
}

func check(t *testing.T, name string, err, want error) {
	t.Helper()
	if (err == nil) != (want == nil) || err != nil && err != want {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
}

func TestRouterAdvert(t *testing.T) {
	f := RouterAdvertFields{CurHopLimit: 64, Managed: true, Preference: -1, Lifetime: 1800, ReachableTime: 30000, RetransTimer: 1000}
	ra := nd(t, 16, func(b []byte) { RouterAdvert(b).Encode(f) }, srcLL+mtu)
	if want := unhexBytes(t, "86 00 0000 40 98 0708 00007530 000003e8"+srcLL+mtu); !bytes.Equal(ra, want) {
		t.Errorf("got %x, want %x", []byte(ra), want)
	}
	var o NDOptions
	m, err := ParseRouterAdvert(ra, linkA, 255, &o)
	if err != nil || m.Fields() != f || o != (NDOptions{Has: NDHasSourceLL | NDHasMTU, SourceLL: macA, MTU: 1500}) {
		t.Errorf("read back %+v %+v, %v", m, o, err)
	}
	_, err = ParseRouterAdvert(ra, globalT, 255, &o)
	check(t, "from a global address", err, ErrAddress)
	_, err = ParseRouterAdvert(ra, MustAddr("169.254.0.1"), 255, &o)
	check(t, "from an IPv4 address", err, ErrAddress)
	_, err = ParseRouterAdvert(ra, linkA, 1, &o)
	check(t, "through a router", err, ErrHopLimit)
	_, err = ParseRouterAdvert(ra[:15], linkA, 255, &o)
	check(t, "cut", err, ErrTruncated)
	ra[5] = 0x10 // the reserved preference
	if m.Fields().Preference != 0 {
		t.Errorf("reserved preference read as %d", m.Fields().Preference)
	}
}

func TestNeighborSolicitValidity(t *testing.T) {
	ns := func(target Addr, options string) ICMPv6 {
		return nd(t, 24, func(b []byte) { NeighborSolicit(b).Encode(target) }, options)
	}
	for _, tc := range []struct {
		name     string
		m        ICMPv6
		src, dst Addr
		want     error
	}{
		{"resolution", ns(globalT, srcLL), linkA, SolicitedNode(globalT), nil},
		{"probe", ns(globalT, ""), linkA, globalT, nil},
		{"duplicate address detection", ns(globalT, ""), IPv6Any(), SolicitedNode(globalT), nil},
		{"detection by unicast", ns(globalT, ""), IPv6Any(), globalT, ErrAddress},
		{"detection to all nodes", ns(globalT, ""), IPv6Any(), IPv6AllNodes(), ErrAddress},
		{"detection with an address", ns(globalT, srcLL), IPv6Any(), SolicitedNode(globalT), ErrAddress},
		{"for a group", ns(IPv6AllNodes(), srcLL), linkA, SolicitedNode(globalT), ErrAddress},
		{"cut", ns(globalT, "")[:23], linkA, globalT, ErrTruncated},
		{"address of another length", ns(globalT, "0102 0200 00000001 0000000000000000"), linkA, globalT, ErrOption},
	} {
		var o NDOptions
		m, err := ParseNeighborSolicit(tc.m, tc.src, tc.dst, 255, &o)
		check(t, tc.name, err, tc.want)
		if err == nil && m.Target() != globalT {
			t.Errorf("%s: target %v", tc.name, m.Target())
		}
	}
	if want := unhexBytes(t, "87 00 0000 00000000 20010db8000000000000000000000007 "+srcLL); !bytes.Equal(ns(globalT, srcLL), want) {
		t.Errorf("written as %x, want %x", []byte(ns(globalT, srcLL)), want)
	}
}

func TestNeighborAdvertValidity(t *testing.T) {
	na := func(f NDAFlags, target Addr, options string) ICMPv6 {
		return nd(t, 24, func(b []byte) { NeighborAdvert(b).Encode(f, target) }, options)
	}
	for _, tc := range []struct {
		name string
		m    ICMPv6
		dst  Addr
		want error
	}{
		{"solicited", na(NDASolicited|NDAOverride, globalT, tgtLL), linkA, nil},
		{"unsolicited", na(NDAOverride|NDARouter, globalT, tgtLL), IPv6AllNodes(), nil},
		{"solicited to all nodes", na(NDASolicited, globalT, tgtLL), IPv6AllNodes(), ErrAddress},
		{"for a group", na(NDAOverride, IPv6AllNodes(), tgtLL), linkA, ErrAddress},
		{"cut", na(0, globalT, "")[:20], linkA, ErrTruncated},
	} {
		var o NDOptions
		m, err := ParseNeighborAdvert(tc.m, tc.dst, 255, &o)
		check(t, tc.name, err, tc.want)
		if err == nil && (m.Target() != globalT || o.TargetLL != macB || m.Flags() != NDAFlags(tc.m[4])) {
			t.Errorf("%s: %v %v %+v", tc.name, m.Target(), m.Flags(), o)
		}
	}
}

func TestRedirectValidity(t *testing.T) {
	rd := func(target, dst Addr) ICMPv6 {
		return nd(t, 40, func(b []byte) { Redirect(b).Encode(target, dst) }, tgtLL)
	}
	for _, tc := range []struct {
		name string
		m    ICMPv6
		src  Addr
		want error
	}{
		{"to a router", rd(linkB, globalT), linkA, nil},
		{"to the neighbour itself", rd(globalT, globalT), linkA, nil},
		{"to a global router", rd(hostA6, globalT), linkA, ErrAddress},
		{"for a group", rd(linkB, IPv6AllNodes()), linkA, ErrAddress},
		{"from a global address", rd(linkB, globalT), hostA6, ErrAddress},
		{"cut", rd(linkB, globalT)[:39], linkA, ErrTruncated},
	} {
		var o NDOptions
		m, err := ParseRedirect(tc.m, tc.src, 255, &o)
		check(t, tc.name, err, tc.want)
		if err == nil && m.Destination() != globalT {
			t.Errorf("%s: destination %v", tc.name, m.Destination())
		}
	}
}

func TestPrefixRouteAndServerOptions(t *testing.T) {
	b := make([]byte, 128)
	pio := PrefixInfo{MustPrefix("2001:db8:1::/64"), true, true, false, 86400, 14400}
	routes := []RouteInfo{{MustPrefix("::/0"), 1, 600}, {MustPrefix("2001:db8::/32"), -1, 601}, {MustPrefix("2001:db8::1/128"), 0, 602}}
	n := NDPrefixInfoSize
	pio.Put(b)
	for _, r := range routes {
		n += r.Put(b[n:])
	}
	PutNDMTU(b[n:], 1280)
	n += PutRDNSS(b[n+8:], 300, hostA6, hostB6) + 8
	if want := unhexBytes(t, `0304 40c0 00015180 00003840 00000000 20010db8000100000000000000000000
		1801 0008 00000258 1802 2018 00000259 20010db800000000 1803 8000 0000025a 20010db8000000000000000000000001
		0501 0000 00000500 1905 0000 0000012c 20010db8000000000000000000000001 20010db8000000000000000000000002`); !bytes.Equal(b[:n], want) {
		t.Fatalf("got %x, want %x", b[:n], want)
	}
	var o NDOptions
	if err := ParseNDOptions(b[:n], &o); err != nil || o != (NDOptions{Has: NDHasPrefixInfo | NDHasRouteInfo | NDHasMTU | NDHasRDNSS, MTU: 1280}) {
		t.Errorf("%+v, %v", o, err)
	}
	var kinds []uint8
	for w := NDOptionWalker(b[:n]); ; {
		kind, opt, ok := w.Next()
		if !ok {
			break
		}
		kinds = append(kinds, kind)
		switch kind {
		case NDOptPrefixInfo:
			if p, ok := ParsePrefixInfo(opt); !ok || p != pio {
				t.Errorf("prefix %+v", p)
			}
		case NDOptRouteInfo:
			if r, ok := ParseRouteInfo(opt); !ok || r != routes[0] {
				t.Errorf("route %+v, want %+v", r, routes[0])
			}
			routes = routes[1:]
		case NDOptRDNSS:
			if r, ok := ParseRDNSS(opt); !ok || r.Lifetime() != 300 || r.Servers() != 2 || r.Server(1) != hostB6 {
				t.Errorf("servers %x", opt)
			}
		}
	}
	if string(kinds) != "\x03\x18\x18\x18\x05\x19" {
		t.Errorf("kinds %v", kinds)
	}
}

func TestOptionsInAnyOrderAndTheFirstOfAKindCounts(t *testing.T) {
	var o NDOptions
	err := ParseNDOptions(unhexBytes(t, mtu+tgtLL+srcLL+"0101 020000000009 0201 020000000009 0501 0000 00000009"), &o)
	if want := (NDOptions{NDHasMTU | NDHasSourceLL | NDHasTargetLL, macA, macB, 1500}); err != nil || o != want {
		t.Errorf("got %+v, %v, want %+v", o, err, want)
	}
}

func TestMisshapenOptionsAreIgnored(t *testing.T) {
	if _, ok := ParsePrefixInfo(append([]byte{3, 4, 129}, make([]byte, 29)...)); ok {
		t.Error("prefix of 129 bits")
	}
	if _, ok := ParsePrefixInfo(make([]byte, 24)); ok {
		t.Error("prefix option of 24 bytes")
	}
	for _, s := range []string{"1801 0100 00000000", "1802 4100 00000000 0000000000000000", "1801 0010 00000000", "1804 0000 00000000"} {
		b := append(unhexBytes(t, s), make([]byte, 24)...)
		if r, ok := ParseRouteInfo(b[:int(b[1])*8]); ok {
			t.Errorf("route %s taken as %+v", s, r)
		}
	}
	for _, n := range []int{8, 16, 32} {
		if _, ok := ParseRDNSS(make([]byte, n)); ok {
			t.Errorf("server option of %d bytes", n)
		}
	}
}

func FuzzND(f *testing.F) {
	f.Add(make([]byte, 40), uint8(255))
	f.Add(unhexBytes(f, "86000000 40980708 00007530 000003e8"+srcLL+mtu), uint8(255))
	f.Add(unhexBytes(f, "0304 40c0 00015180 00003840 00000000 20010db8000100000000000000000000 1801 0008 00000258 1903 0000 0000012c 20010db8000000000000000000000001"), uint8(1))
	f.Fuzz(func(t *testing.T, b []byte, hop uint8) {
		m, err := ParseICMPv6(b)
		if err != nil {
			return
		}
		var o NDOptions
		out := bytes.Clone(b)
		same := func(header int, written ICMPv6, keep ...int) {
			written.SetType(m.Type())
			written.SetChecksum(m.Checksum())
			for _, i := range keep { // reserved bits, which a sender clears
				written[i] = m[i]
			}
			if !bytes.Equal(written[:header], m[:header]) {
				t.Errorf("%x written as %x", b, []byte(written))
			}
		}
		if r, err := ParseRouterSolicit(m, linkA, hop, &o); err == nil {
			RouterSolicit(out).Encode()
			same(RouterSolicitSize, out, 4, 5, 6, 7)
			_ = r.Options()
		}
		if r, err := ParseRouterAdvert(m, linkA, hop, &o); err == nil {
			RouterAdvert(out).Encode(r.Fields())
			if back := RouterAdvert(out).Fields(); back != r.Fields() {
				t.Errorf("%x reads %+v, then %+v", b, r.Fields(), back)
			}
			same(RouterAdvertSize, out, 5)
			_ = r.Options()
		}
		if n, err := ParseNeighborSolicit(m, linkA, globalT, hop, &o); err == nil {
			NeighborSolicit(out).Encode(n.Target())
			same(NeighborSolicitSize, out, 4, 5, 6, 7)
			_ = n.Options()
		}
		if n, err := ParseNeighborAdvert(m, linkA, hop, &o); err == nil {
			NeighborAdvert(out).Encode(n.Flags(), n.Target())
			if NeighborAdvert(out).Flags() != n.Flags() {
				t.Errorf("%x: flags %x", b, n.Flags())
			}
			same(NeighborAdvertSize, out, 4, 5, 6, 7)
			_ = n.Options()
		}
		if r, err := ParseRedirect(m, linkA, hop, &o); err == nil {
			Redirect(out).Encode(r.Target(), r.Destination())
			same(RedirectSize, out, 4, 5, 6, 7)
			_ = r.Options()
		}
		sound := ParseNDOptions(b, &o) == nil
		n := 0
		for w := NDOptionWalker(b); ; {
			kind, opt, ok := w.Next()
			if !ok {
				break
			}
			n += len(opt)
			buf := make([]byte, 40)
			if p, ok := ParsePrefixInfo(opt); ok {
				p.Put(buf)
				if back, _ := ParsePrefixInfo(buf[:32]); back != p {
					t.Errorf("prefix %+v reads %+v", p, back)
				}
			}
			if r, ok := ParseRouteInfo(opt); ok {
				if back, ok := ParseRouteInfo(buf[:r.Put(buf)]); !ok || back.Lifetime != r.Lifetime || back.Preference != r.Preference || back.Prefix.Bits != r.Prefix.Bits {
					t.Errorf("route %+v reads %+v", r, back)
				}
			}
			if r, ok := ParseRDNSS(opt); ok {
				_ = r.Server(r.Servers() - 1)
			}
			_ = kind
		}
		if sound && n != len(b) {
			t.Errorf("%x: %d of %d bytes walked", b, n, len(b))
		}
	})
}
