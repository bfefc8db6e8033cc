package main

import (
	"fmt"
	"runtime"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

func oursInstance(Budget) (Figure, error) {
	n := newNetwork()
	return driveInstance(func(int) (any, error) {
		a, b, err := n.pair()
		return [2]*core.Instance{a, b}, err
	})
}

const (
	manyWarm  = 100
	manyCount = 10000
)

// oursInstance10k measures an instance with a device, an IPv4 and an IPv6 address and an open UDP socket that has answered
// one ping of each family.
func oursInstance10k(Budget) (Figure, error) {
	n := newNetwork()
	var kept []any
	f, err := memoryPer(manyWarm, manyCount, 1, func(i int) error {
		in, err := n.instance(fmt.Sprint("i", i))
		if err != nil {
			return err
		}
		dev := &echoDevice{}
		if err := attach(in, dev, []string{"10.0.0.1/24", "fd00::1/64"}); err != nil {
			return err
		}
		c, err := in.ListenPacket("udp4", "10.0.0.1:7000")
		if err != nil {
			return err
		}
		kept = append(kept, in, c)
		return dev.ping()
	})
	f.Detail["goroutines each"] = float64(runtime.NumGoroutine()) / manyCount
	runtime.KeepAlive(kept)
	return f, err
}

// echoDevice is a link without a header whose other end sends an echo request and looks for the reply.
type echoDevice struct {
	ifc     *core.Interface
	replies int
}

func (d *echoDevice) Properties() core.Properties {
	return core.Properties{Kind: "echo", Link: core.LinkRaw, MTU: mtu, Flags: core.FlagPointToPoint | core.FlagNoARP}
}
func (d *echoDevice) Attach(ifc *core.Interface) { d.ifc = ifc }
func (d *echoDevice) Close() error               { return nil }

func (d *echoDevice) Send(batch []*core.Packet) int {
	for _, p := range batch {
		b := p.Linear()
		if p.Pullup(28) && b[0]>>4 == 4 && b[9] == wire.ProtoICMP && p.Linear()[20] == wire.ICMPv4EchoReply {
			d.replies++
		}
		p.Free()
	}
	return len(batch)
}

// ping delivers an echo request and makes sure that it was answered.
func (d *echoDevice) ping() error {
	frame := make([]byte, 28+56)
	wire.IPv4(frame).Encode(&wire.IPv4Fields{TTL: 64, Protocol: wire.ProtoICMP,
		Src: wire.FromV4(0x0a000002), Dst: wire.FromV4(0x0a000001), TotalLen: len(frame)})
	icmp := frame[20:]
	icmp[0] = wire.ICMPv4Echo
	sum := wire.Finish(wire.Sum(icmp, 0))
	icmp[2], icmp[3] = byte(sum>>8), byte(sum)
	d.ifc.Deliver([]core.Frame{{Data: frame}})
	if d.replies != 1 {
		return fmt.Errorf("%d replies to one echo request", d.replies)
	}
	return nil
}
