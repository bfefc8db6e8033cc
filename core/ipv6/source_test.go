package ipv6

import (
	"fmt"
	"slices"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// TestSourceAddresses has the examples of RFC 6724 §10.1 and the rules one by one.
func TestSourceAddresses(t *testing.T) {
	const deprecated, temporary, other, tentative = "deprecated", "temporary", "other", "tentative"
	for _, c := range []struct {
		name, dst string
		have      []string // address [property]
		want      string
	}{
		{"same address", "2001:db8::1", []string{"2001:db8::2", "2001:db8::1"}, "2001:db8::1"},
		{"global to global", "2001:db8:1::1", []string{"2001:db8:3::1", "fe80::1"}, "2001:db8:3::1"},
		{"global to global, link-local first", "2001:db8:1::1", []string{"fe80::1", "2001:db8:3::1"}, "2001:db8:3::1"},
		{"group of the organisation", "ff05::1", []string{"2001:db8:3::1", "fe80::1"}, "2001:db8:3::1"},
		{"link-local to link-local", "fe80::9", []string{"2001:db8:3::1", "fe80::1"}, "fe80::1"},
		{"group of the link", "ff02::9", []string{"2001:db8:3::1", "fe80::1"}, "fe80::1"},
		{"deprecated", "2001:db8:1::1", []string{"2001:db8:1::2 deprecated", "2001:db8:3::1"}, "2001:db8:3::1"},
		{"deprecated of the right scope", "2001:db8:1::1", []string{"2001:db8:1::2 deprecated", "fe80::1"}, "2001:db8:1::2"},
		{"another interface", "2001:db8:1::1", []string{"2001:db8:1::2 other", "2001:db8:3::1"}, "2001:db8:3::1"},
		{"only another interface", "2001:db8:1::1", []string{"2001:db8:1::2 other"}, "2001:db8:1::2"},
		{"another interface's link-local", "fe80::9", []string{"fe80::1 other", "2001:db8:3::1"}, "2001:db8:3::1"},
		{"label of 6to4", "2002:c633:6401::1", []string{"2001:db8:1::2", "2002:c633:6401::d5e3"}, "2002:c633:6401::d5e3"},
		{"label of Teredo", "2001:0:1::1", []string{"2001:db8:1::2", "2001:0:5::1"}, "2001:0:5::1"},
		{"unique local", "fd01::1", []string{"2001:db8:1::2", "fd02::1"}, "fd02::1"},
		{"public before temporary", "2001:db8:1::d5e3", []string{"2001:db8:1::2 temporary", "2001:db8:1::3"}, "2001:db8:1::3"},
		{"longest prefix", "2001:db8:1::d5e3", []string{"2001:db8:3::2", "2001:db8:1::2"}, "2001:db8:1::2"},
		{"tentative", "2001:db8:1::d5e3", []string{"2001:db8:1::2 tentative", "2001:db8:3::2"}, "2001:db8:3::2"},
		{"none", "2001:db8:1::d5e3", nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w, o := b.raw("w0"), b.raw("w1")
			b.Domain.Do(func() {
				for _, text := range c.have {
					var addr, property string
					fmt.Sscan(text, &addr, &property)
					a := &core.Address{Prefix: wire.Prefix{Addr: wire.MustAddr(addr), Bits: 64}, Flags: core.AddressPermanent}
					ifc := w.Interface
					switch property {
					case deprecated:
						a.Flags |= core.AddressDeprecated
					case temporary:
						a.Flags |= core.AddressTemporary
					case tentative:
						a.Flags |= core.AddressTentative
					case other:
						ifc = o.Interface
					}
					if err := ifc.AddAddressLocked(a); err != nil {
						t.Fatal(err)
					}
				}
				got, ok := b.in.Networks()[0].Source(w.Interface, wire.MustAddr(c.dst))
				if ok != (c.want != "") || ok && got != wire.MustAddr(c.want) {
					t.Errorf("source for %s is %v, %v", c.dst, got, ok)
				}
			})
		})
	}
}

// TestDestinationsAreOrdered has examples of RFC 6724 §10.2.
func TestDestinationsAreOrdered(t *testing.T) {
	for _, c := range []struct {
		name       string
		have       []string
		list, want []string
	}{
		{"matching scope", []string{"2001:db8::2", "fe80::1"}, []string{"fe80::5", "2001:db8:1::1"}, []string{"fe80::5", "2001:db8:1::1"}},
		{"unusable last", []string{"2001:db8:1::2"}, []string{"198.51.100.121", "2001:db8:1::1"}, []string{"2001:db8:1::1", "198.51.100.121"}},
		{"longest prefix", []string{"2001:db8:1::2", "2001:db8:3f44::2"}, []string{"2001:db8:3ffe::1", "2001:db8:1::1"}, []string{"2001:db8:1::1", "2001:db8:3ffe::1"}},
		{"matching label", []string{"2002:c633:6401::2"}, []string{"2001:db8:1::1", "2002:c633:6401::1"}, []string{"2002:c633:6401::1", "2001:db8:1::1"}},
		{"precedence", []string{"2001:db8:1::2", "2002:c633:6401::2"}, []string{"2002:c633:6401::1", "2001:db8:1::1"}, []string{"2001:db8:1::1", "2002:c633:6401::1"}},
		{"as they were", []string{"2001:db8:1::2"}, []string{"2001:db8:1::7", "2001:db8:1::7"}, []string{"2001:db8:1::7", "2001:db8:1::7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBed(t)
			w := b.raw("w0")
			for _, a := range c.have {
				if err := w.Interface.AddAddress(wire.Prefix{Addr: wire.MustAddr(a), Bits: 64}); err != nil {
					t.Fatal(err)
				}
			}
			b.route("::/0", "", w.Interface)
			list := make([]wire.Addr, len(c.list))
			for i := range list {
				list[i] = wire.MustAddr(c.list[i])
			}
			b.Domain.Do(func() { SortDestinations(b.in, list) })
			got := make([]string, len(list))
			for i := range list {
				got[i] = list[i].String()
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("order %v, want %v", got, c.want)
			}
		})
	}
}

func TestPrecedences(t *testing.T) {
	for text, want := range map[string]int{"::1": 50, "2600::1": 40, "10.0.0.1": 35, "2002::1": 30, "2001::1": 5,
		"2001:db8::1": 40, "fc00::1": 3, "fd00::1": 3, "::7": 1, "fec0::1": 1, "3ffe::1": 1} {
		if p := precedence(wire.MustAddr(text)); p != want {
			t.Errorf("%s: precedence %d", text, p)
		}
	}
}

// The labels are Linux's, which differ from RFC 6724's for Teredo, ORCHID and unique local
// addresses.
func TestLabelsThatNobodyChanged(t *testing.T) {
	n := &network{}
	for text, want := range map[string]uint32{"::": 1, "::1": 0, "::2": 3, "::7": 3, "10.0.0.1": 4, "2600::1": 1, "2002::1": 2, "2001::1": 6,
		"2001:10::1": 7, "2001:1f:ffff::1": 7, "2001:20::1": 1, "2001:db8::1": 1, "fc00::1": 5, "fd00::1": 5, "fec0::1": 11, "feff::1": 11,
		"3ffe::1": 12, "0:1::": 1, "::1:0:0": 1} {
		a := wire.MustAddr(text)
		l, ok := n.LabelOf(a, 0)
		if got := n.label(a, 0); got != want || !ok || l.Label != want {
			t.Errorf("%s: label %d, in the table %d, want %d", text, got, l.Label, want)
		}
	}
}
