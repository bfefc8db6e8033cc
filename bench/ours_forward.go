package main

import (
	"fmt"
	"net"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

func oursForward(b Budget) (Figure, error) {
	return driveForward(b, func(hops int) (net.Conn, net.Conn, error) { return forwardPath(newNetwork(), hops) })
}

// forwardPath joins hops forwarding instances in a row between two hosts. Link i is 10.0.i.0/24 with .1 on its left and
// .2 on its right.
func forwardPath(n *network, hops int) (send, recv net.Conn, err error) {
	nodes := make([]*core.Instance, hops+2)
	for i := range nodes {
		if nodes[i], err = n.instance(fmt.Sprint("node", i)); err != nil {
			return nil, nil, err
		}
		if err := nodes[i].SetSysctl("net.ipv4.ip_forward", "1"); err != nil {
			return nil, nil, err
		}
	}
	last := len(nodes) - 2 // number of the last link
	for i := 0; i <= last; i++ {
		if err := n.join(nodes[i], nodes[i+1], []string{fmt.Sprintf("10.0.%d.1/24", i)}, []string{fmt.Sprintf("10.0.%d.2/24", i)}); err != nil {
			return nil, nil, err
		}
	}
	for i, node := range nodes {
		if i < last { // towards the right end
			if err := route(node, fmt.Sprintf("10.0.%d.0/24", last), fmt.Sprintf("10.0.%d.2", i)); err != nil {
				return nil, nil, err
			}
		}
		if i > 1 { // towards the left end
			if err := route(node, "10.0.0.0/24", fmt.Sprintf("10.0.%d.1", i-1)); err != nil {
				return nil, nil, err
			}
		}
	}
	return datagramPair(nodes[0], nodes[len(nodes)-1], "10.0.0.1", fmt.Sprintf("10.0.%d.2", last))
}

func route(in *core.Instance, to, via string) error {
	p, err := wire.ParsePrefix(to)
	if err != nil {
		return err
	}
	gw, err := wire.ParseAddr(via)
	if err != nil {
		return err
	}
	if err := in.AddRoute(core.RouteEntry{Prefix: p, Gateway: gw}); err != nil {
		return fmt.Errorf("%s: route %s via %s: %w", in.Name(), to, via, err)
	}
	return nil
}
