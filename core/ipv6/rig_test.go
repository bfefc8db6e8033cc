package ipv6

import (
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// sink is a transport that keeps what it gets.
type sink struct {
	in     *core.Instance
	got    []*core.Packet
	errors []core.ErrorReport
}

func (s *sink) Input(batch []*core.Packet) { s.got = append(s.got, batch...) }
func (s *sink) Error(e *core.ErrorReport) {
	c := *e
	c.Quoted = append([]byte(nil), e.Quoted...)
	s.errors = append(s.errors, c)
}
func (s *sink) Event(*core.Event)                               {}
func (s *sink) NewEndpoint(*core.Socket) (core.Endpoint, error) { return nil, nil }
func (s *sink) Close()                                          { s.clear() }
func (s *sink) clear() {
	for _, p := range s.got {
		p.Free()
	}
	s.got, s.errors = nil, nil
}

// bed is one instance with IPv6, a UDP that keeps all datagrams, and a wire.
type bed struct {
	*coretest.Rig
	t   *testing.T
	in  *core.Instance
	udp *sink
}

func wiring() *core.Wiring {
	return &core.Wiring{Name: "ipv6 test",
		Networks: []core.NetworkEntry{{Network: Protocol(), Sysctls: sysctl.Of[Sysctls](), Devices: sysctl.Of[DeviceSysctls]()}},
		Protocols: []core.ProtocolEntry{{Protocol: core.Protocol{Name: "udp", Numbers: []uint8{wire.ProtoUDP},
			New: func(in *core.Instance, _ core.SysctlView) core.Transport { return &sink{in: in} }}}, {Protocol: PingProtocol()}},
	}
}

// quiet are settings under which an interface sends nothing by itself.
func quiet(in *core.Instance) {
	set(in, "net.ipv6.conf.all.addr_gen_mode", "1")
	set(in, "net.ipv6.conf.default.addr_gen_mode", "1")
	set(in, "net.ipv6.conf.default.accept_ra", "0")
}

func set(in *core.Instance, name, value string) {
	if err := in.SetSysctl(name, value); err != nil {
		panic(err)
	}
}

func newBed(t *testing.T) *bed {
	b := &bed{Rig: coretest.New(t, host.NewVirtual(1)), t: t}
	b.in = b.Instance("a", wiring())
	b.udp = b.in.Transports()[0].(*sink)
	return b
}

// wire is an Ethernet wire with addresses that are usable at once; the frames
// that coming up sends are gone.
func (b *bed) wire(name string, addresses ...string) *coretest.Wire {
	quiet(b.in)
	w := b.Wire(b.in, name, core.LinkEthernet, addresses...)
	b.Advance(3 * time.Second)
	w.Sent()
	return w
}

// raw is a wire without link layer.
func (b *bed) raw(name string, addresses ...string) *coretest.Wire {
	quiet(b.in)
	w := b.Wire(b.in, name, core.LinkRaw, addresses...)
	b.Advance(3 * time.Second)
	w.Sent()
	return w
}

// send outputs a UDP datagram of n bytes of payload with its header.
func (b *bed) send(q core.RouteQuery, n int, change func(*core.Packet)) error {
	var err error
	b.Domain.Do(func() {
		var r *core.Route
		if r, err = b.in.Route(q); err != nil {
			return
		}
		p := b.in.NewPacket(core.Headroom, wire.UDPSize+n)
		u := p.Put(wire.UDPSize + n)
		for i := range u {
			u[i] = byte(i)
		}
		p.Src, p.Dst, p.Protocol, p.Route = r.Src, q.Dst, wire.ProtoUDP, r
		wire.UDP(u).Encode(1000, 2000, len(u))
		wire.UDP(u).UpdateChecksum(p.Src, p.Dst)
		if change != nil {
			change(p)
		}
		err = b.in.Output(p)
	})
	return err
}

func to(dst string) core.RouteQuery { return core.RouteQuery{Dst: wire.MustAddr(dst)} }

func (b *bed) counter(name string) uint64 { return b.Counter(b.in, "Ip6", name) }
func (b *bed) icmp(name string) uint64    { return b.Counter(b.in, "Icmp6", name) }

// learn makes a permanent neighbour.
func (b *bed) learn(w *coretest.Wire, addr, hw string) {
	b.Domain.Do(func() { w.Interface.SetNeighbour(wire.MustAddr(addr), wire.MustHWAddr(hw)) })
}

func (b *bed) route(prefix, via string, ifc *core.Interface) {
	e := core.RouteEntry{Prefix: wire.MustPrefix(prefix), Interface: ifc}
	if via != "" {
		e.Gateway = wire.MustAddr(via)
	}
	if err := b.in.AddRoute(e); err != nil {
		b.t.Fatal(err)
	}
}

const (
	us, them = "02:00:00:00:00:01", "02:00:00:00:00:02"
)
