package wire

import (
	"net/netip"
	"testing"
	"testing/quick"
)

func TestAddrClasses(t *testing.T) {
	type class func(Addr) bool
	classes := map[string]class{
		"unspecified": Addr.IsUnspecified, "loopback": Addr.IsLoopback, "multicast": Addr.IsMulticast,
		"linklocal": Addr.IsLinkLocalUnicast, "llmulticast": Addr.IsLinkLocalMulticast, "broadcast": Addr.IsBroadcast,
		"v4": Addr.Is4, "ula": Addr.IsUniqueLocal, "private4": Addr.IsPrivate4, "unicast": Addr.IsUnicast,
	}
	for _, tc := range []struct {
		addr string
		want []string
	}{
		{"0.0.0.0", []string{"v4", "unspecified"}},
		{"::", []string{"unspecified"}},
		{"127.0.0.1", []string{"v4", "loopback", "unicast"}},
		{"127.255.255.254", []string{"v4", "loopback", "unicast"}},
		{"126.255.255.255", []string{"v4", "unicast"}},
		{"128.0.0.0", []string{"v4", "unicast"}},
		{"::1", []string{"loopback", "unicast"}},
		{"::2", []string{"unicast"}},
		{"::7f00:1", []string{"unicast"}},
		{"::ffff:127.0.0.1", []string{"v4", "loopback", "unicast"}},
		{"224.0.0.1", []string{"v4", "multicast", "llmulticast"}},
		{"224.0.1.1", []string{"v4", "multicast"}},
		{"239.255.255.255", []string{"v4", "multicast"}},
		{"240.0.0.1", []string{"v4", "unicast"}},
		{"223.255.255.255", []string{"v4", "unicast"}},
		{"255.255.255.255", []string{"v4", "broadcast"}},
		{"169.254.1.1", []string{"v4", "linklocal", "unicast"}},
		{"169.255.0.0", []string{"v4", "unicast"}},
		{"10.1.2.3", []string{"v4", "private4", "unicast"}},
		{"172.31.255.255", []string{"v4", "private4", "unicast"}},
		{"172.32.0.0", []string{"v4", "unicast"}},
		{"192.168.0.1", []string{"v4", "private4", "unicast"}},
		{"fe80::1", []string{"linklocal", "unicast"}},
		{"febf::1", []string{"linklocal", "unicast"}},
		{"fec0::1", []string{"unicast"}},
		{"fd00::1", []string{"ula", "unicast"}},
		{"ff02::1", []string{"multicast", "llmulticast"}},
		{"ff12::1", []string{"multicast", "llmulticast"}},
		{"ff05::2", []string{"multicast"}},
		{"2001:db8::1", []string{"unicast"}},
	} {
		want := map[string]bool{}
		for _, w := range tc.want {
			want[w] = true
		}
		for name, is := range classes {
			if got := is(MustAddr(tc.addr)); got != want[name] {
				t.Errorf("%s: %s = %v", tc.addr, name, got)
			}
		}
	}
}

func TestAddrConvertsToNetIPAndBack(t *testing.T) {
	err := quick.Check(func(b [16]byte, b4 [4]byte) bool {
		a := AddrFrom16(b)
		n := netip.AddrFrom16(b).Unmap()
		v := AddrFrom4(b4)
		s16, ok16 := AddrFromSlice(b[:])
		s4, ok4 := AddrFromSlice(b4[:])
		return a.NetIP() == n && FromNetIP(n) == a && a.As16() == b && a.String() == n.String() && s16 == a && ok16 &&
			v.Is4() && v.As4() == b4 && v.NetIP() == netip.AddrFrom4(b4) && FromNetIP(v.NetIP()) == v &&
			FromV4(v.V4()) == v && MustAddr(v.String()) == v && s4 == v && ok4 &&
			a.Compare(v) == netip.AddrFrom16(b).Compare(netip.AddrFrom16(v.As16()))
	}, nil)
	if err != nil {
		t.Error(err)
	}
	if _, ok := AddrFromSlice(make([]byte, 5)); ok {
		t.Error("five bytes taken for an address")
	}
	if FromNetIP(netip.Addr{}) != IPv6Any() {
		t.Error("the zero netip.Addr is not ::")
	}
}

func TestAddrScope(t *testing.T) {
	for addr, want := range map[string]uint8{
		"ff01::1": 1, "ff02::1": 2, "ff05::1": 5, "ff0e::1": 14, "fe80::1": 2, "::1": 2, "fec0::1": 5, "2001:db8::1": 14,
		"127.0.0.1": 2, "169.254.0.1": 2, "10.0.0.1": 14,
	} {
		if got := MustAddr(addr).Scope(); got != want {
			t.Errorf("scope of %s = %d, want %d", addr, got, want)
		}
	}
}

func TestWellKnownAddrs(t *testing.T) {
	for want, got := range map[string]Addr{
		"0.0.0.0": IPv4Any(), "255.255.255.255": IPv4Broadcast(), "224.0.0.1": IPv4AllSystems(), "::": IPv6Any(),
		"::1": IPv6Loopback(), "ff02::1": IPv6AllNodes(), "ff02::2": IPv6AllRouters(), "ff02::16": IPv6AllMLDv2Routers(),
		"ff02::1:ff28:9c5a":             SolicitedNode(MustAddr("fe80::2aa:ff:fe28:9c5a")),
		"fe80::ff:fe00:1":               MustHWAddr("02:00:00:00:00:01").LinkLocalAddr(),
		"2001:db8::3656:78ff:fe9a:bcde": WithInterfaceID(MustAddr("2001:db8::"), MustHWAddr("34-56-78-9A-BC-DE").InterfaceID()),
	} {
		if got.String() != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestCommonPrefixLen(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
	}{
		{"10.0.0.1", "10.0.0.1", 32}, {"10.0.0.1", "10.0.0.0", 31}, {"0.0.0.0", "128.0.0.0", 0}, {"10.0.0.1", "::1", 0},
		{"2001:db8::", "2001:db8::", 128}, {"2001:db8::", "2001:db8::1", 127}, {"2001:db8::", "2001:db9::", 31}, {"::", "8000::", 0},
		{"2001:db8::1:0:0:0", "2001:db8::", 79},
	} {
		if got := CommonPrefixLen(MustAddr(tc.a), MustAddr(tc.b)); got != tc.want {
			t.Errorf("%s, %s: %d, want %d", tc.a, tc.b, got, tc.want)
		}
	}
}

func TestPrefixAgreesWithNetIP(t *testing.T) {
	err := quick.Check(func(b, c [16]byte, n uint8, v4, near bool) bool {
		if near { // share some leading bytes, so that Contains is sometimes true
			copy(c[:], b[:n%17])
		}
		a, x := AddrFrom16(b), AddrFrom16(c)
		if v4 {
			a, x = AddrFrom4([4]byte(b[:4])), AddrFrom4([4]byte(c[:4]))
		}
		p := PrefixFrom(a, int(n)%(a.Bits()+1))
		np := netip.PrefixFrom(a.NetIP(), int(p.Bits))
		return p.NetIP() == np && FromNetIPPrefix(np) == p && p.Contains(x) == np.Contains(x.NetIP()) && p.Contains(a) &&
			p.Masked().NetIP() == np.Masked() && p.String() == np.String() && MustPrefix(p.String()) == p &&
			CommonPrefixLen(p.Addr, p.Masked().Addr) >= int(p.Bits)
	}, &quick.Config{MaxCount: 2000})
	if err != nil {
		t.Error(err)
	}
	if MustPrefix("0.0.0.0/0").Contains(MustAddr("::1")) || MustPrefix("::/0").Contains(MustAddr("1.2.3.4")) {
		t.Error("a default route holds an address of the other family")
	}
}

func TestPrefixBroadcastAndMask(t *testing.T) {
	for _, tc := range []struct{ prefix, broadcast, mask string }{
		{"10.1.2.3/24", "10.1.2.255", "255.255.255.0"}, {"10.1.2.3/8", "10.255.255.255", "255.0.0.0"},
		{"0.0.0.0/0", "255.255.255.255", "0.0.0.0"}, {"10.0.0.4/30", "10.0.0.7", "255.255.255.252"},
		{"10.0.0.4/31", "none", "255.255.255.254"}, {"10.0.0.4/32", "none", "255.255.255.255"},
		{"2001:db8::/64", "none", "ffff:ffff:ffff:ffff::"}, {"::/0", "none", "::"}, {"::/128", "none", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
	} {
		got := "none"
		if a, ok := MustPrefix(tc.prefix).Broadcast(); ok {
			got = a.String()
		}
		if mask := MustPrefix(tc.prefix).Mask().String(); got != tc.broadcast || mask != tc.mask {
			t.Errorf("%s: broadcast %s mask %s, want %s %s", tc.prefix, got, mask, tc.broadcast, tc.mask)
		}
	}
}

func TestBadAddressTextIsRefused(t *testing.T) {
	for _, s := range []string{"", "1.2.3", "1.2.3.4.5", "fe80::1%eth0", "::g", "1.2.3.4/8"} {
		if a, err := ParseAddr(s); err == nil {
			t.Errorf("address %q read as %v", s, a)
		}
	}
	for _, s := range []string{"", "1.2.3.4", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/08", "1.2.3.4/", "/8"} {
		if p, err := ParsePrefix(s); err == nil {
			t.Errorf("prefix %q read as %v", s, p)
		}
	}
	for _, s := range []string{"", "02:00:00:00:00", "02:00:00:00:00:0g", "02:00:00:00:00:00:00", "02:00-00:00:00:00", "020000000000"} {
		if h, err := ParseHWAddr(s); err == nil {
			t.Errorf("hardware address %q read as %v", s, h)
		}
	}
}

func TestMulticastHWAddr(t *testing.T) {
	for group, want := range map[string]string{
		"224.0.0.251": "01:00:5e:00:00:fb", "239.129.2.3": "01:00:5e:01:02:03", "239.255.255.255": "01:00:5e:7f:ff:ff",
		"ff02::1": "33:33:00:00:00:01", "ff02::1:ff28:9c5a": "33:33:ff:28:9c:5a",
	} {
		h := MulticastHWAddr(MustAddr(group))
		if h.String() != want || !h.IsMulticast() || h.IsBroadcast() {
			t.Errorf("%s maps to %s, want %s", group, h, want)
		}
	}
	if !HWBroadcast().IsBroadcast() || !HWBroadcast().IsMulticast() || MustHWAddr("02:00:00:00:00:01").IsMulticast() {
		t.Error("broadcast or unicast misjudged")
	}
}

func TestTextMarshalling(t *testing.T) {
	var a Addr
	var p Prefix
	var h HWAddr
	if a.UnmarshalText([]byte("10.0.0.1")) != nil || p.UnmarshalText([]byte("10.0.0.1/8")) != nil || h.UnmarshalText([]byte("02:00:00:00:00:01")) != nil {
		t.Fatal("good text refused")
	}
	ta, _ := a.MarshalText()
	tp, _ := p.MarshalText()
	th, _ := h.MarshalText()
	if string(ta) != "10.0.0.1" || string(tp) != "10.0.0.1/8" || string(th) != "02:00:00:00:00:01" {
		t.Errorf("got %s %s %s", ta, tp, th)
	}
}

func FuzzParseAddr(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::1", "::ffff:1.2.3.4", "fe80::1%x", "02:00:00:00:00:01", "10.0.0.0/8", "::/0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ParseAddr(s); err == nil && MustAddr(a.String()) != a {
			t.Errorf("address %q: %v reads back differently", s, a)
		}
		if p, err := ParsePrefix(s); err == nil && MustPrefix(p.String()) != p {
			t.Errorf("prefix %q: %v reads back differently", s, p)
		}
		if h, err := ParseHWAddr(s); err == nil && MustHWAddr(h.String()) != h {
			t.Errorf("hardware address %q: %v reads back differently", s, h)
		}
	})
}
