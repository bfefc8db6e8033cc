package ipv4_test

import (
	"errors"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

func (b *bench) reads(t *testing.T, name, want string) {
	t.Helper()
	if got, err := b.in.Sysctl(name); err != nil || got != want {
		t.Errorf("%s = %q, %v, want %s", name, got, err, want)
	}
}

// An interface follows default until it has an address, then it keeps what it
// has (devinet.c: devinet_copy_dflt_conf, ipv4_devconf_setall).
func TestAnInterfaceFollowsDefaultUntilItHasAnAddress(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw)
	b.set(t, "net.ipv4.conf.default.rp_filter", "2")
	b.reads(t, "net.ipv4.conf.w0.rp_filter", "2")
	if err := w.Interface.AddAddress(wire.MustPrefix(us + "/24")); err != nil {
		t.Fatal(err)
	}
	b.set(t, "net.ipv4.conf.default.rp_filter", "1")
	b.reads(t, "net.ipv4.conf.w0.rp_filter", "2")
	b.Wire(b.in, "w1", core.LinkRaw)
	b.reads(t, "net.ipv4.conf.w1.rp_filter", "1")
}

// accept_source_route needs all and the interface; Linux starts with 0 and 1.
func TestSourceRoutesAreOffUnderAllOnly(t *testing.T) {
	b := newBench(t)
	b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.reads(t, "net.ipv4.conf.all.accept_source_route", "0")
	b.reads(t, "net.ipv4.conf.default.accept_source_route", "1")
	b.reads(t, "net.ipv4.conf.w0.accept_source_route", "1")
}

// A forced version under all is in place of the interface's own.
func TestForcedIGMPVersionOfAllComesFirst(t *testing.T) {
	b := newBench(t)
	w := b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	b.set(t, "net.ipv4.conf.w0.force_igmp_version", "3")
	b.set(t, "net.ipv4.conf.all.force_igmp_version", "2")
	b.reads(t, "net.ipv4.conf.w0.force_igmp_version", "3")
	b.join(w, group)
	expectHeard(t, w, "report2 239.1.2.3 to 239.1.2.3")
}

func TestValuesOutOfRangeAreInvalid(t *testing.T) {
	b := newBench(t)
	b.Wire(b.in, "w0", core.LinkRaw, us+"/24")
	for name, value := range map[string]string{
		"net.ipv4.conf.w0.rp_filter":      "3",
		"net.ipv4.conf.all.rp_filter":     "-1",
		"net.ipv4.conf.default.rp_filter": "strict",
		"net.ipv4.conf.w0.forwarding":     "2",
		"net.ipv4.ip_default_ttl":         "0",
		"net.ipv4.ip_forward":             "",
	} {
		before, err := b.in.Sysctl(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.in.SetSysctl(name, value); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("%s=%s: %v, want EINVAL", name, value, err)
		}
		b.reads(t, name, before)
	}
	if err := b.in.SetSysctl("net.ipv4.conf.w9.rp_filter", "1"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("an interface that is not there: %v, want ENOENT", err)
	}
}
