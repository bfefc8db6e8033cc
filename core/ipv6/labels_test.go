package ipv6

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

func TestLabelsAreOfPrefixesAndInterfaces(t *testing.T) {
	r := newBed(t)
	n := r.in.Network(wire.IPv6Any()).(core.AddressLabels)
	label := func(prefix string, bits uint8, ifindex int, label uint32) core.AddressLabel {
		return core.AddressLabel{Prefix: wire.Prefix{Addr: wire.MustAddr(prefix), Bits: bits}, Ifindex: ifindex, Label: label}
	}
	r.Domain.Do(func() {
		for _, x := range []struct {
			l       core.AddressLabel
			replace bool
			want    error
		}{
			{label("fd11::1", 64, 0, 96), false, nil},
			{label("fd11::2", 64, 0, 97), false, syscall.EEXIST},
			{label("fd11::2", 64, 0, 97), true, nil},
			{label("fd11::", 64, 1, 98), false, nil},
			{label("fd12::", 129, 0, 1), false, syscall.EINVAL},
			{label("fd12::", 64, 0, 1<<32-1), false, syscall.EINVAL},
			{label("::ffff:1.2.3.0", 120, 0, 1), false, syscall.EINVAL},
			{label("::ffff:1.2.3.0", 80, 0, 1), false, nil},
			{label("fd11:0:0:0:8000::", 65, 0, 95), false, nil},
		} {
			if err := n.AddLabel(x.l, x.replace); err != x.want {
				t.Errorf("%+v: %v, want %v", x.l, err, x.want)
			}
		}
		is := func(text string, ifindex int, want uint32) {
			t.Helper()
			if l, ok := n.LabelOf(wire.MustAddr(text), ifindex); !ok || l.Label != want {
				t.Errorf("%s on %d: label %d, want %d", text, ifindex, l.Label, want)
			}
		}
		is("fd11::5", 0, 97)
		is("fd11::5", 1, 98)
		is("fd11::5", 2, 97)
		is("fd11::8000:0:0:1", 1, 95)
		is("fd12::5", 1, 5)
		is("::2:0:0:0", 0, 1)
		if err := n.RemoveLabel(label("fd11::9", 64, 2, 0)); err != syscall.ESRCH {
			t.Errorf("the label of another interface: %v", err)
		}
		for _, l := range []core.AddressLabel{label("fd11::9", 64, 1, 0), label("::", 0, 0, 0)} {
			if err := n.RemoveLabel(l); err != nil {
				t.Error(err)
			}
		}
		is("fd11::5", 1, 97)
		if l, ok := n.LabelOf(wire.MustAddr("2600::1"), 0); ok {
			t.Errorf("an address of no prefix has label %d", l.Label)
		}
		var err error
		for i := 0; err == nil; i++ {
			if i > mostLabels {
				t.Fatal("the table has no bound")
			}
			err = n.AddLabel(label(fmt.Sprintf("fd77::%x", i), 128, 0, 1), false)
		}
		if err != syscall.ENOBUFS {
			t.Error(err)
		}
	})
}

func TestLabelsChooseTheSource(t *testing.T) {
	r := newBed(t)
	eth := r.wire("eth0", "fd05::1/64", "fd04:ffff::1/64")
	n := r.in.Network(wire.IPv6Any()).(core.AddressLabels)
	mark := core.AddressLabel{Prefix: wire.MustPrefix("fd04::/32"), Label: 7}
	mark.Prefix.Bits = 16
	source := func() (out string) {
		r.Domain.Do(func() {
			rt, err := r.in.Route(core.RouteQuery{Dst: wire.MustAddr("fd05::9"), Interface: eth.Interface.Index()})
			if err != nil {
				t.Fatal(err)
			}
			out = rt.Src.String()
		})
		return out
	}
	if got := source(); got != "fd05::1" {
		t.Errorf("by the longest prefix: %s", got)
	}
	r.Domain.Do(func() {
		for _, l := range []core.AddressLabel{{Prefix: wire.MustPrefix("fd05::9/128"), Label: 7}, {Prefix: mark.Prefix, Label: 7}} {
			if err := n.AddLabel(l, false); err != nil {
				t.Fatal(err)
			}
		}
	})
	if got := source(); got != "fd04:ffff::1" {
		t.Errorf("by the label: %s", got)
	}
}
