package main

import (
	"fmt"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
)

func peerForward(b Budget) (Figure, error) {
	return driveForward(b, gvisorPath)
}

// gvisorPath is a chain of two hosts and hops forwarding stacks between them. Link i is 10.0.i.0/24 with stack i at .1
// and stack i+1 at .2.
func gvisorPath(hops int) (send, recv net.Conn, err error) { return gvisorPathOf(hops, newGVisor) }

func gvisorPathOf(hops int, newStack func() *stack.Stack) (send, recv net.Conn, err error) {
	stacks := make([]*stack.Stack, hops+2)
	for i := range stacks {
		stacks[i] = newStack()
	}
	const left, right = 1, 2 // device numbers, by where they point
	for i := range hops + 1 {
		la, lb, _ := gvisorPipe()
		if err := gvisorNIC(stacks[i], right, la, nil, fmt.Sprintf("10.0.%d.1/24", i)); err != nil {
			return nil, nil, err
		}
		if err := gvisorNIC(stacks[i+1], left, lb, nil, fmt.Sprintf("10.0.%d.2/24", i)); err != nil {
			return nil, nil, err
		}
	}
	first, last := "10.0.0.1", fmt.Sprintf("10.0.%d.2", hops)
	for i, s := range stacks {
		if i > 0 && i <= hops {
			if err := check(s.SetForwardingDefaultAndAllNICs(ipv4.ProtocolNumber, true), "forwarding"); err != nil {
				return nil, nil, err
			}
		}
		if i < hops {
			s.AddRoute(gvisorRoute(fmt.Sprintf("10.0.%d.0/24", hops), right, fmt.Sprintf("10.0.%d.2", i)))
		}
		if i > 1 {
			s.AddRoute(gvisorRoute("10.0.0.0/24", left, fmt.Sprintf("10.0.%d.1", i-1)))
		}
	}
	return gvisorUDP(stacks[0], first, stacks[hops+1], last)
}

func gvisorRoute(cidr string, device tcpip.NICID, gateway string) tcpip.Route {
	_, n, err := net.ParseCIDR(cidr)
	if err != nil {
		panic(err) // a constant of this file
	}
	bits, _ := n.Mask.Size()
	return tcpip.Route{
		Destination: tcpip.AddressWithPrefix{Address: tcpip.AddrFrom4Slice(n.IP.To4()), PrefixLen: bits}.Subnet(),
		Gateway:     tcpip.AddrFrom4Slice(net.ParseIP(gateway).To4()),
		NIC:         device,
	}
}
