package fq_test

import (
	"encoding/binary"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/qdisc/fq"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/protocols/udp"
)

// 1,000,000 bytes a second are a packet of 1,000 bytes a millisecond.
func TestASocketIsPacedByItsMaxPacingRate(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Instance("host", &core.Wiring{
		Networks:  []core.NetworkEntry{{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()}},
		Protocols: []core.ProtocolEntry{{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}},
		Qdiscs:    []core.QdiscKind{fq.Kind()},
	})
	dev := r.Wire(in, "q0", core.LinkRaw, "10.0.0.1/24")
	if err := dev.Interface.SetQdisc(fq.Config{Quantum: 1000, InitialQuantum: 1000}); err != nil {
		t.Fatal(err)
	}
	s, err := in.Socket(core.AFInet, core.SockDgram, 0)
	if err != nil {
		t.Fatal(err)
	}
	var rate [8]byte
	if n, err := s.Option(core.SolSocket, core.SoMaxPacingRate, rate[:]); err != nil || n != 8 || binary.NativeEndian.Uint64(rate[:]) != 1<<64-1 {
		t.Errorf("SO_MAX_PACING_RATE is %x at first, %v", rate, err)
	}
	binary.NativeEndian.PutUint64(rate[:], 1_000_000)
	if err := s.SetOption(core.SolSocket, core.SoMaxPacingRate, rate[:]); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Int(core.SolSocket, core.SoMaxPacingRate); err != nil || v != 1_000_000 {
		t.Errorf("SO_MAX_PACING_RATE is %d, %v", v, err)
	}
	to := core.SockAddr{Addr: wire.MustAddr("10.0.0.2"), Port: 9}
	r.Do(func() {
		for range 20 {
			if _, err := s.Send(&core.Message{Data: make([]byte, 972), Addr: to, HasAddr: true}); err != nil {
				t.Error(err)
			}
		}
	})
	r.Advance(5*ms + ms/2)
	if n := len(dev.Sent()); n != 6 {
		t.Errorf("%d packets left within 5.5 ms, want 6", n)
	}
	if err := s.SetInt(core.SolSocket, core.SoMaxPacingRate, -1); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
