//go:build linux && (amd64 || arm64)

package guest_test

import (
	"strings"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/guest"
	"github.com/libos-go/libos/host"
)

// ethtool has no family of generic netlink to ask, and asks by ioctl.
func TestEthtoolTellsOfDevices(t *testing.T) {
	need(t, "ethtool")
	r := coretest.New(t, host.NewRealTime())
	in := r.Adopt(core.New(core.Options{Name: "a", Wiring: libos.Wiring(), Domain: r.Domain}))
	if in.Wiring().SocketKind(core.AFInet, core.SockDgram, 0) < 0 {
		t.Skip("this build lacks UDP, whose sockets ethtool asks by")
	}
	slow := pipe.Wire{Rate: 100e6}
	a, b := pipe.New(pipe.Config{AToB: &slow, BToA: &slow, HWAddr: [2]wire.HWAddr{{2, 0, 0, 0, 0, 7}}})
	if _, err := in.AddDevice(a, "eth0"); err != nil {
		t.Fatal(err)
	}
	r.Attach(r.Adopt(core.New(core.Options{Name: "b", Wiring: libos.Wiring(), Domain: r.Domain})), b, "eth0")
	g := guest.New(in)
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, x := range []struct{ command, want string }{
		{"eth0", "Speed: 100Mb/s|Duplex: Full|Auto-negotiation: off|Link detected: no"},
		{"-i eth0", "driver: pipe|supports-statistics: yes|supports-register-dump: no"},
		{"-S eth0", "NIC statistics:|tx_packets: 0|tx_errors: 0|rx_unknown_protocol: "},
		{"-P eth0", "Permanent address: 02:00:00:00:00:07"},
		{"-T eth0", "SOF_TIMESTAMPING_RX_SOFTWARE|PTP Hardware Clock: none"},
		{"-l eth0", "Combined:\t0|RX:\t\t1"},
		{"-g eth0", "Operation not supported"},
		{"-k eth0", "tx-scatter-gather: on [fixed]|tx-checksum-ip-generic: off [fixed]|tx-tcp-segmentation: off [fixed]|generic-segmentation-offload: on"},
		{"-K eth0 gro on", "Could not change any device features"},
		{"-s eth0 speed 10", "Operation not supported"},
		{"lo", "Link detected: yes"},
		{"-i lo", "Operation not supported"},
		{"-S lo", "no stats available"},
		{"-k lo", "rx-checksumming: on [fixed]|tx-checksum-ip-generic: on [fixed]|loopback: on [fixed]"},
		{"-P nodev", "No such device"},
	} {
		out, _ := program(t, g, "ethtool", strings.Fields(x.command)...) // which fails for what is not supported
		for _, w := range strings.Split(x.want, "|") {
			if !strings.Contains(out, w) {
				t.Errorf("ethtool %s does not tell %q:\n%s", x.command, w, out)
			}
		}
	}
}
