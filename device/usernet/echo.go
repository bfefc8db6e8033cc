package usernet

import (
	"net"
	"time"

	"golang.org/x/net/icmp"

	"github.com/libos-go/libos/core/wire"
)

const (
	// maxEchoes bounds the echo requests that wait for an answer.
	maxEchoes = 64
	// echoPatience is how long one waits.
	echoPatience = 10 * time.Second
)

// isEcho tells whether the packet is an echo request.
func (h *header) isEcho() bool {
	if h.v6 {
		return h.protocol == wire.ProtoICMPv6 && wire.ICMPv6(h.l4).Type() == wire.ICMPv6Echo
	}
	return h.protocol == wire.ProtoICMP && wire.ICMPv4(h.l4).Type() == wire.ICMPv4Echo
}

// echo asks for the guest, by a ping socket of the host (net.ipv4.ping_group_range says
// who may have one).
func (d *Device) echo(h *header) {
	to, ok := d.target(h.dst)
	if !ok {
		d.toGuest(prohibited(h))
		return
	}
	if d.echoes.Add(1) > maxEchoes {
		d.echoes.Add(-1)
		d.dropped.Add(1)
		return
	}
	d.goes(func() {
		defer d.echoes.Add(-1)
		network, any := "udp4", "0.0.0.0"
		if h.v6 {
			network, any = "udp6", "::"
		}
		c, err := icmp.ListenPacket(network, any)
		if err != nil {
			d.toGuest(prohibited(h))
			return
		}
		defer func() { _ = c.Close() }()
		stop := make(chan struct{})
		defer close(stop)
		go func() {
			select {
			case <-d.ctx.Done():
				_ = c.Close()
			case <-stop:
			}
		}()
		if _, err := c.WriteTo(h.l4, &net.UDPAddr{IP: to.Addr().AsSlice()}); err != nil {
			d.toGuest(unreachable(h))
			return
		}
		_ = c.SetReadDeadline(time.Now().Add(echoPatience))
		b := make([]byte, wire.IPv6Size+room)
		n, _, err := c.ReadFrom(b[wire.IPv6Size:])
		if err != nil || n < wire.ICMPv4Size {
			return
		}
		if p := echoReply(b, n, h); p != nil {
			d.toGuest(p)
		}
	})
}

// echoReply makes the guest's answer of the n bytes that the host got: with the
// identifier of the guest, since the host's socket has one of its own.
func echoReply(b []byte, n int, h *header) []byte {
	m := b[wire.IPv6Size : wire.IPv6Size+n]
	wire.ICMPv4(m).SetID(wire.ICMPv4(h.l4).ID())
	if h.v6 {
		wire.ICMPv6(m).UpdateChecksum(h.dst.addr, h.src.addr)
		return network(b, wire.IPv6Size, n, wire.ProtoICMPv6, h.dst.addr, h.src.addr)
	}
	wire.ICMPv4(m).UpdateChecksum()
	return network(b, wire.IPv6Size, n, wire.ProtoICMP, h.dst.addr, h.src.addr)
}
