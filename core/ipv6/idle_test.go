package ipv6

import (
	"runtime"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/config/allocator"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// nothing is a network protocol that does nothing: what is left of an instance
// without IPv6.
type nothing struct{}

func (nothing) Input(p *core.Packet)                                     { p.Free() }
func (nothing) Output(p *core.Packet) error                              { p.Free(); return nil }
func (nothing) Unreachable(*core.Packet, core.Unreachable)               {}
func (nothing) Solicit(*core.Neighbour, bool)                            {}
func (nothing) Failed(_ *core.Neighbour, p *core.Packet)                 { p.Free() }
func (nothing) Event(*core.Event)                                        {}
func (nothing) Source(*core.Interface, wire.Addr) (a wire.Addr, ok bool) { return }
func (nothing) Close()                                                   {}

// TestAnIdleInstanceIsSmall measures what IPv6 adds to an instance with one
// Ethernet device, a link-local address and one of the administrator's, after
// all that happens when it comes up.
func TestAnIdleInstanceIsSmall(t *testing.T) {
	const many = 500
	measure := func(w *core.Wiring) float64 {
		r := coretest.New(t, host.NewVirtual(1), coretest.Release())
		heap := func() uint64 {
			var m runtime.MemStats
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		var devices []*bounce
		before := heap()
		for range many {
			in := r.Instance("", w)
			d := new(bounce)
			devices = append(devices, d)
			ifc, err := in.AddDevice(d, "eth0")
			if err == nil {
				err = ifc.AddAddress(wire.MustPrefix("fd00::1/64"))
			}
			if err == nil {
				err = ifc.SetUp(true)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.Advance(time.Minute)
		r.Domain.Do(func() {
			for _, d := range devices {
				d.free()
			}
		})
		return float64(heap()-before) / many
	}
	none := wiring()
	none.Protocols = nil
	none.Networks = []core.NetworkEntry{{Network: core.NetworkProtocol{Name: "nothing", Family: core.AFInet6,
		New: func(*core.Instance, core.SysctlView) core.Network { return nothing{} }}}}
	with := wiring()
	with.Protocols = nil
	base, own := measure(none), measure(with)
	t.Logf("%.0f bytes an instance, %.0f of them for IPv6", own, own-base)
	most := 2500.0
	if config.SLAB_DEBUG { // each object in a slab has its owners' lines beside it
		most = 5000
	}
	if own-base > most {
		t.Errorf("IPv6 adds %.0f bytes to an idle instance", own-base)
	}
}
