package rawnic

import (
	"testing"

	"github.com/libos-go/libos/core/wire"
)

func TestParse(t *testing.T) {
	for _, tt := range []struct {
		in   map[string]string
		want Options
		err  string
	}{
		{map[string]string{"interface": "eth0"}, Options{Interface: "eth0"}, ""},
		{map[string]string{"interface": "eth0", "hwaddr": "02:00:00:00:00:07", "promiscuous": "yes"}, Options{"eth0", wire.HWAddr{2, 0, 0, 0, 0, 7}, true}, ""},
		{map[string]string{"interface": "eth0", "promiscuous": "no"}, Options{Interface: "eth0"}, ""},
		{nil, Options{}, "interface is missing: name a network interface of the host, such as eth0"},
		{map[string]string{"interface": "a name"}, Options{}, `interface = "a name": an interface name has 1 to 15 bytes without slash, colon and space`},
		{map[string]string{"interface": "eth0", "hwaddr": "me"}, Options{}, `hwaddr = "me": it looks like 02:00:00:00:00:01`},
		{map[string]string{"interface": "eth0", "hwaddr": "00:00:00:00:00:00"}, Options{}, `hwaddr = "00:00:00:00:00:00": it looks like 02:00:00:00:00:01`},
		{map[string]string{"interface": "eth0", "hwaddr": "03:00:00:00:00:07"}, Options{}, "hwaddr = 03:00:00:00:00:07: it is a multicast address; the lowest bit of the first byte must be 0"},
		{map[string]string{"interface": "eth0", "promiscuous": "maybe"}, Options{}, `promiscuous = "maybe": it is yes or no`},
		{map[string]string{"name": "eth0"}, Options{}, "name is no parameter of this device; there are hwaddr, interface, promiscuous"},
	} {
		got, err := Parse(tt.in)
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%v:\n got %v\nwant %s", tt.in, err, tt.err)
			}
		} else if err != nil || got != tt.want {
			t.Errorf("%v: %+v, %v; want %+v", tt.in, got, err, tt.want)
		}
	}
}

func TestOurAddressIsLocalAndNotTheHosts(t *testing.T) {
	own := wire.HWAddr{0x02, 0x42, 1, 2, 3, 4}
	for range 3 {
		h := derive(own)
		if h == own || h[0] != 0x02 || h != derive(own) || h == derive(wire.HWAddr{0x02, 0x42, 1, 2, 3, 5}) {
			t.Errorf("derived %v from %v", h, own)
		}
		own = h
	}
}
