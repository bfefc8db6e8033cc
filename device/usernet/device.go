package usernet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
)

// queueFrames bounds what waits for the device's own goroutine.
const queueFrames = 256

// Device is the guest's end.
type Device struct {
	core.Device // the guest's end of the cable to the gateway
	far         core.Device
	o           Options
	props       core.Properties
	at          plan

	ifc     *core.Interface // the guest's
	domain  *core.Domain    // the gateway's
	gateway *core.Instance
	inside  *core.Interface // the gateway's

	flows     flows
	datagrams datagrams
	echoes    atomic.Int32   // under way
	forwards  []net.Listener // of the host
	listeners []net.Listener // of the gateway

	own     chan []byte // packets that this device answers itself
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	dropped atomic.Uint64
}

// plan is who is who on the guest's network.
type plan struct {
	gateway, names, borrowed [2]wire.Addr // by family, IPv4 first; flows come to the gateway from borrowed
	port                     uint16       // at which the gateway takes the guest's connections
}

func addresses() plan {
	four := func(last byte) wire.Addr { return wire.AddrFrom4([4]byte{10, 0, 2, last}) }
	six := func(last byte) wire.Addr { return wire.AddrFrom16([16]byte{0: 0xfe, 1: 0xc0, 15: last}) }
	return plan{gateway: [2]wire.Addr{four(2), six(2)}, names: [2]wire.Addr{four(3), six(3)}, borrowed: [2]wire.Addr{four(4), six(4)}, port: 1}
}

func family(a wire.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

func (p *plan) isGateway(a wire.Addr) bool { return a == p.gateway[family(a)] }
func (p *plan) isNames(a wire.Addr) bool   { return a == p.names[family(a)] }

// New makes the device and listens at the ports that lead to the guest.
func New(o Options) (*Device, error) {
	if o.MTU == 0 {
		o.MTU = defaultMTU
	}
	if o.MTU < minMTU || o.MTU > defaultMTU {
		return nil, fmt.Errorf("usernet: MTU %d is not in %d..%d", o.MTU, minMTU, defaultMTU)
	}
	if !o.NameServer.IsValid() {
		o.NameServer = nameServer()
	}
	d := &Device{o: o, at: addresses(), own: make(chan []byte, queueFrames)}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.Device, d.far = pipe.New(pipe.Config{Raw: true, MTU: o.MTU})
	d.props = d.Device.Properties()
	d.props.Kind = "user"
	for _, f := range o.Forwards {
		l, err := net.Listen("tcp", f.Listen.String())
		if err != nil {
			for _, l := range d.forwards {
				_ = l.Close()
			}
			return nil, fmt.Errorf("usernet: forward %v: %w", f.Listen, err)
		}
		d.forwards = append(d.forwards, l)
	}
	return d, nil
}

// Forwarded are the addresses of the host that lead to the guest, in the order of
// Options.Forwards.
func (d *Device) Forwarded() (list []netip.AddrPort) {
	for _, l := range d.forwards {
		list = append(list, l.Addr().(*net.TCPAddr).AddrPort())
	}
	return list
}

// Dropped is how many packets of the guest went nowhere: fragments, broadcasts,
// protocols that sockets do not carry, more than there was room for.
func (d *Device) Dropped() uint64 { return d.dropped.Load() }

// NameServers are those that the guest finds here.
func (d *Device) NameServers() []netip.Addr { return []netip.Addr{d.at.names[0].NetIP()} }

// Properties implements core.Device.
func (d *Device) Properties() core.Properties { return d.props }

// Attach implements core.Device: it makes the gateway, of the guest's own wiring.
func (d *Device) Attach(ifc *core.Interface) {
	d.ifc = ifc
	d.Device.Attach(ifc)
	h := ifc.Instance().Domain().Host()
	if err := d.open(h, ifc.Instance()); err != nil {
		h.Log().Error("device: there is no way to the host", "instance", ifc.Instance().Name(), "interface", ifc.Name(), "error", err)
	}
}

func (d *Device) open(h core.Host, guest *core.Instance) (err error) {
	d.domain = core.NewDomain(h, core.DomainOptions{})
	if d.gateway, err = core.New(core.Options{Name: guest.Name() + "-gateway", Wiring: guest.Wiring(), Domain: d.domain}); err != nil {
		return err
	}
	if d.inside, err = d.gateway.Attach(&gatewayEnd{d.far, d}, "guest", "10.0.2.2/24", "10.0.2.3/24"); err != nil {
		return err
	}
	listen := []string{netip.AddrPortFrom(d.at.gateway[0].NetIP(), d.at.port).String()}
	if err := d.inside.Configure("fec0::2/64", "fec0::3/64"); err == nil {
		listen = append(listen, netip.AddrPortFrom(d.at.gateway[1].NetIP(), d.at.port).String())
	} // else there is no IPv6
	if err := d.gateway.AddRoutes("default dev guest"); err != nil {
		return err
	}
	for _, at := range listen {
		l, err := d.gateway.Listen("tcp", at)
		if err != nil {
			return fmt.Errorf("TCP: %w", err)
		}
		d.listeners = append(d.listeners, l)
		d.goes(func() { d.accept(l) })
	}
	for i, l := range d.forwards {
		d.goes(func() { d.forward(l, d.o.Forwards[i].Guest) })
	}
	d.goes(d.answer)
	return nil
}

// goes runs f on a goroutine that Close waits for.
func (d *Device) goes(f func()) {
	d.running.Add(1)
	go func() {
		defer d.running.Done()
		f()
	}()
}

// fate is what becomes of a packet of the guest.
type fate uint8

const (
	drop fate = iota
	pass      // over the cable, as it is now
	keep      // a copy is for the device's own goroutine
)

// Send implements core.Device.
func (d *Device) Send(batch []*core.Packet) int {
	first := 0 // of those that pass and wait for the cable
	for i, p := range batch {
		f := d.judge(p)
		if f == pass {
			continue
		}
		if n := d.Device.Send(batch[first:i]); n < i-first {
			return first + n
		}
		first = i + 1
		if f == keep {
			d.take(p)
		} else {
			d.dropped.Add(1)
		}
		p.Free()
	}
	if first == len(batch) {
		return first
	}
	return first + d.Device.Send(batch[first:])
}

// judge decides about a packet; one that passes goes to the gateway by the addresses
// that it has after this. It may be asked twice about the same packet.
func (d *Device) judge(p *core.Packet) fate {
	if !p.Pullup(min(need, p.Len())) {
		return drop
	}
	h, ok := parse(p.Linear())
	if !ok || !h.dst.addr.IsUnicast() {
		return drop
	}
	switch h.protocol {
	case wire.ProtoTCP:
		return d.judgeStream(p, &h)
	case wire.ProtoUDP:
		return keep
	case wire.ProtoICMP, wire.ProtoICMPv6:
		switch {
		case !h.isEcho():
			return drop
		case d.at.isGateway(h.dst.addr), d.at.isNames(h.dst.addr):
			return pass
		}
		return keep
	}
	return drop
}

// take copies a packet for the device's own goroutine.
func (d *Device) take(p *core.Packet) {
	b := make([]byte, p.Len())
	p.CopyOut(0, b)
	select {
	case d.own <- b:
	default:
		d.dropped.Add(1)
	}
}

// answer is the device's own goroutine.
func (d *Device) answer() {
	for {
		select {
		case b := <-d.own:
			h, ok := parse(b)
			if !ok {
				continue
			}
			switch h.protocol {
			case wire.ProtoTCP:
				d.begin(&h)
			case wire.ProtoUDP:
				d.datagram(&h)
			default:
				d.echo(&h)
			}
		case <-d.ctx.Done():
			return
		}
	}
}

// toGuest brings a packet to the guest from outside of the gateway.
func (d *Device) toGuest(b []byte) { d.ifc.Deliver([]core.Frame{{Data: b}}) }

// target is where the host finds what the guest calls a; false if the guest is not to
// reach it.
func (d *Device) target(a endpoint) (netip.AddrPort, bool) {
	to := a.addr.NetIP()
	switch {
	case d.at.isGateway(a.addr):
		to = netip.IPv6Loopback()
		if a.addr.Is4() {
			to = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
	case d.at.isNames(a.addr):
		to = d.o.NameServer
	case d.o.HostOnly:
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(to, a.port), true
}

// Close implements core.Device.
func (d *Device) Close() error {
	d.cancel()
	var err error
	for _, l := range append(d.forwards, d.listeners...) {
		err = errors.Join(err, l.Close())
	}
	d.flows.close()
	d.datagrams.close()
	d.running.Wait()
	if d.domain != nil {
		err = errors.Join(err, d.domain.Close())
	}
	return errors.Join(err, d.Device.Close())
}

// gatewayEnd is the gateway's end of the cable.
type gatewayEnd struct {
	core.Device
	d *Device
}

// Send implements core.Device: what belongs to a flow goes to the guest from where the
// guest believes to be connected.
func (e *gatewayEnd) Send(batch []*core.Packet) int {
	first := 0
	for i, p := range batch {
		if e.d.restore(p) {
			continue
		}
		if n := e.Device.Send(batch[first:i]); n < i-first {
			return first + n
		}
		first = i + 1
		p.Free()
	}
	if first == len(batch) {
		return first
	}
	return first + e.Device.Send(batch[first:])
}
