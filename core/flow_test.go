package core_test

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	wt "github.com/libos-go/libos/core/wire/wiretest"
)

func TestTheFlowOfAPacketIsRead(t *testing.T) {
	a4, b4, a6, b6 := wire.MustAddr("10.0.0.1"), wire.MustAddr("10.0.0.2"), wire.MustAddr("fd00::1"), wire.MustAddr("fd00::2")
	udp := core.FlowKey{Src: a4, Dst: b4, Protocol: wire.ProtoUDP, SrcPort: 5, DstPort: 6}
	udp6 := core.FlowKey{Src: a6, Dst: b6, Protocol: wire.ProtoUDP, SrcPort: 5, DstPort: 6}
	plain4, plain6 := wt.IPv4(a4, b4).UDP(wt.Ports(5, 6)).Bytes(), wt.IPv6(a6, b6).UDP(wt.Ports(5, 6)).Bytes()
	gre := append(wt.IPv4(a4, b4, wt.Proto(47)).Payload("\x00\x00\x86\xdd").Bytes(), plain6...)
	for _, x := range []struct {
		what         string
		b            []byte
		outer, inner core.FlowKey
		tunnel       bool
	}{
		{"IPv4", plain4, udp, core.FlowKey{}, false},
		{"IPv6", plain6, udp6, core.FlowKey{}, false},
		{"an extension header", wt.IPv6(a6, b6).DestinationOptions().UDP(wt.Ports(5, 6)).Bytes(), udp6, core.FlowKey{}, false},
		{"a fragment of IPv6", wt.IPv6(a6, b6).Fragment(1, 0, true).UDP(wt.Ports(5, 6)).Bytes(), core.FlowKey{Src: a6, Dst: b6, Protocol: wire.ProtoUDP}, core.FlowKey{}, false},
		{"IPv4 in IPv4", wt.IPv4(a4, b4).IPv4(a4, b4).UDP(wt.Ports(5, 6)).Bytes(), core.FlowKey{Src: a4, Dst: b4, Protocol: wire.ProtoIPIP}, udp, true},
		{"IPv6 in IPv4", wt.IPv4(a4, b4).IPv6(a6, b6).UDP(wt.Ports(5, 6)).Bytes(), core.FlowKey{Src: a4, Dst: b4, Protocol: wire.ProtoIPv6}, udp6, true},
		{"IPv6 in GRE", gre, core.FlowKey{Src: a4, Dst: b4, Protocol: 47}, udp6, true},
		{"cut behind the addresses", plain4[:20], core.FlowKey{Src: a4, Dst: b4, Protocol: wire.ProtoUDP}, core.FlowKey{}, false},
		{"cut before", plain6[:39], core.FlowKey{}, core.FlowKey{}, false},
	} {
		outer, inner, tunnel := core.ReadFlow(x.b)
		if outer != x.outer || inner != x.inner || tunnel != x.tunnel {
			t.Errorf("%s: %+v, %+v, %v", x.what, outer, inner, tunnel)
		}
	}
}

func FuzzReadFlow(f *testing.F) {
	f.Add(wt.IPv4("10.0.0.1", "10.0.0.2").IPv6("fd00::1", "fd00::2").DestinationOptions().UDP(wt.Ports(5, 6)).Bytes())
	f.Add(wt.IPv6("fd00::1", "fd00::2").Fragment(1, 0, true).UDP(wt.Ports(5, 6)).Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		outer, inner, tunnel := core.ReadFlow(b)
		if !tunnel && inner != (core.FlowKey{}) {
			t.Errorf("no tunnel, but a packet in it: %+v %+v", outer, inner)
		}
	})
}
