package coretest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/core/wire/wiretest"
	"github.com/libos-go/libos/host"
)

// mirror is a network protocol that sends every packet back, or keeps it.
type mirror struct {
	in   *core.Instance
	keep bool
	kept []*core.Packet
}

func (m *mirror) Input(p *core.Packet) {
	if m.keep {
		m.kept = append(m.kept, p)
		return
	}
	p.Interface.Transmit(p)
}
func (m *mirror) Output(p *core.Packet) error                              { p.Free(); return nil }
func (m *mirror) Unreachable(*core.Packet, core.Unreachable)               {}
func (m *mirror) Solicit(*core.Neighbour, bool)                            {}
func (m *mirror) Failed(_ *core.Neighbour, p *core.Packet)                 { p.Free() }
func (m *mirror) Event(*core.Event)                                        {}
func (m *mirror) Source(*core.Interface, wire.Addr) (a wire.Addr, ok bool) { return }
func (m *mirror) Close()                                                   {}

func mirrorWiring(keep bool) *core.Wiring {
	return &core.Wiring{Name: "mirror", Networks: []core.NetworkEntry{{Network: core.NetworkProtocol{Name: "mirror", Family: core.AFInet,
		EtherTypes: []wire.EtherType{wire.EtherTypeIPv4},
		New:        func(in *core.Instance, _ core.SysctlView) core.Network { return &mirror{in: in, keep: keep} }}}}}
}

// recorder is a test whose failures are written down instead.
type recorder struct {
	testing.TB
	failures []string
	cleanup  []func()
}

func (r *recorder) Helper()           {}
func (r *recorder) Cleanup(f func())  { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Error(args ...any) { r.failures = append(r.failures, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...) }

func (r *recorder) end() string {
	for _, f := range r.cleanup {
		f()
	}
	return strings.Join(r.failures, "\n")
}

func TestWhatIsInjectedArrivesAndWhatIsSentIsSeen(t *testing.T) {
	r := New(t, host.NewVirtual(1))
	w := r.Wire(r.Instance("a", mirrorWiring(false)), "w0", core.LinkRaw, "10.0.0.1/24")
	p := wiretest.IPv4("10.0.0.2", "10.0.0.1").UDP(wiretest.Ports(1, 2)).Payload("hello")
	w.Inject(p)
	w.Expect(p)
	w.ExpectNothing()
}

func TestARefusedFrameWaitsForResume(t *testing.T) {
	r := New(t, host.NewVirtual(1))
	w := r.Wire(r.Instance("a", mirrorWiring(false)), "w0", core.LinkRaw, "10.0.0.1/24")
	w.Refuse = true
	p := wiretest.IPv4("10.0.0.2", "10.0.0.1").UDP(wiretest.Ports(1, 2))
	w.Inject(p)
	w.ExpectNothing()
	w.Refuse = false
	w.Interface.Resume()
	w.Expect(p)
}

func TestAKeptPacketFailsTheTest(t *testing.T) {
	rec := &recorder{TB: t}
	r := New(rec, host.NewVirtual(1))
	w := r.Wire(r.Instance("a", mirrorWiring(true)), "w0", core.LinkRaw, "10.0.0.1/24")
	w.Inject(wiretest.IPv4("10.0.0.2", "10.0.0.1").UDP(wiretest.Ports(1, 2)))
	if got := rec.end(); !strings.Contains(got, "still held") {
		t.Errorf("a packet was kept and the test failed with %q", got)
	}
}

func TestAnUnexpectedFrameFailsTheTest(t *testing.T) {
	rec := &recorder{TB: t}
	r := New(rec, host.NewVirtual(1))
	w := r.Wire(r.Instance("a", mirrorWiring(false)), "w0", core.LinkRaw, "10.0.0.1/24")
	w.Inject(wiretest.IPv4("10.0.0.2", "10.0.0.1").UDP(wiretest.Ports(1, 2)))
	w.ExpectNothing()
	w.Expect(wiretest.IPv4("10.0.0.2", nil))
	if got := rec.end(); !strings.Contains(got, "nobody asked for") || !strings.Contains(got, "no frame was sent") {
		t.Errorf("the test failed with %q", got)
	}
}

func TestAnInstanceOfAnotherDomainIsNotAdopted(t *testing.T) {
	rec := &recorder{TB: t}
	r, other := New(rec, host.NewVirtual(1)), New(t, host.NewVirtual(1))
	r.Adopt(other.Instance("a", mirrorWiring(false)), nil)
	if got := rec.end(); !strings.Contains(got, "not in the Rig's Domain") {
		t.Errorf("the test failed with %q", got)
	}
}

// What an interface counted is not forgotten with it.
func TestAnInterfaceThatIsGoneStillTellsOfSlabsThatWereNeverUsed(t *testing.T) {
	r := New(t, host.NewVirtual(1))
	in := r.Instance("a", mirrorWiring(false))
	w := r.Wire(in, "w0", core.LinkRaw, "10.0.0.1/24")
	r.Domain.Do(func() { w.Interface.Stats().RxPackets++ })
	if err := in.RemoveDevice(w.Interface); err != nil {
		t.Fatal(err)
	}
	if err := in.Close(); err == nil || err.Error() != "core: a moved 1 packets but its slabs were never used" {
		t.Errorf("closing: %v", err)
	}
}

func TestSlabsThatWereNeverUsedFailTheTest(t *testing.T) {
	rec := &recorder{TB: t}
	r := New(rec, host.NewVirtual(1))
	in := r.Instance("a", mirrorWiring(false))
	w := r.Wire(in, "w0", core.LinkRaw, "10.0.0.1/24")
	r.Domain.Do(func() { w.Interface.Stats().TxPackets++ })
	if got := rec.end(); !strings.Contains(got, "never used") {
		t.Errorf("the test failed with %q", got)
	}
}
