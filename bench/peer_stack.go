package main

import (
	"fmt"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
)

// check turns gVisor's error type into Go's, with what was tried.
func check(err tcpip.Error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("gVisor: %s: %s", fmt.Sprintf(format, args...), err)
}

// newGVisor makes a stack with gVisor's own defaults and both families; README.md lists what was tried.
func newGVisor() *stack.Stack {
	return stack.New(stack.Options{
		NetworkProtocols: []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{
			tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4, icmp.NewProtocol6,
		},
	})
}

// gvisorNIC adds a device with addresses such as "10.0.0.1/24", and routes to their subnets. A nil qdisc is none.
func gvisorNIC(s *stack.Stack, id tcpip.NICID, link stack.LinkEndpoint, qdisc stack.QueueingDiscipline, addresses ...string) error {
	err := check(s.CreateNICWithOptions(id, link, stack.NICOptions{QDisc: qdisc}), "create device %d", id)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		p, err := gvisorAddress(a)
		if err != nil {
			return err
		}
		if err := check(s.AddProtocolAddress(id, p, stack.AddressProperties{}), "add address %s", a); err != nil {
			return err
		}
		s.AddRoute(tcpip.Route{Destination: p.AddressWithPrefix.Subnet(), NIC: id})
	}
	return nil
}

func gvisorAddress(cidr string) (tcpip.ProtocolAddress, error) {
	ip, n, err := net.ParseCIDR(cidr)
	if err != nil {
		return tcpip.ProtocolAddress{}, err
	}
	bits, _ := n.Mask.Size()
	protocol, address := header.IPv6ProtocolNumber, tcpip.Address{}
	if v4 := ip.To4(); v4 != nil {
		protocol, address = header.IPv4ProtocolNumber, tcpip.AddrFrom4Slice(v4)
	} else {
		address = tcpip.AddrFrom16Slice(ip)
	}
	return tcpip.ProtocolAddress{
		Protocol:          protocol,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: address, PrefixLen: bits},
	}, nil
}

// gvisorPair makes two stacks joined by a link, 10.0.0.1 and fd00::1 on one side, .2 and ::2 on the other.
func gvisorPair(link gvisorLink, settings ...func(*stack.Stack) error) (a, b *stack.Stack, err error) {
	a, b = newGVisor(), newGVisor()
	for _, set := range settings {
		for _, s := range []*stack.Stack{a, b} {
			if err := set(s); err != nil {
				return nil, nil, err
			}
		}
	}
	la, lb, qdisc := link()
	if err := gvisorNIC(a, 1, la, qdisc(la), "10.0.0.1/24", "fd00::1/64"); err != nil {
		return nil, nil, err
	}
	return a, b, gvisorNIC(b, 1, lb, qdisc(lb), "10.0.0.2/24", "fd00::2/64")
}

func gvisorAddr(ip string, port uint16) tcpip.FullAddress {
	return tcpip.FullAddress{Addr: tcpip.AddrFrom4Slice(net.ParseIP(ip).To4()), Port: port}
}

const gvisorPort = 5000

// gvisorDialer listens on b and returns what makes one connection from a at a time.
func gvisorDialer(a, b *stack.Stack) (func() (client, server net.Conn, err error), error) {
	l, err := gonet.ListenTCP(b, gvisorAddr("10.0.0.2", gvisorPort), ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	return func() (net.Conn, net.Conn, error) {
		client, err := gonet.DialTCP(a, gvisorAddr("10.0.0.2", gvisorPort), ipv4.ProtocolNumber)
		if err != nil {
			return nil, nil, err
		}
		server, err := l.Accept()
		return client, server, err
	}, nil
}

// gvisorTCP is one connection between two fresh stacks.
func gvisorTCP(link gvisorLink, settings ...func(*stack.Stack) error) (client, server net.Conn, err error) {
	a, b, err := gvisorPair(link, settings...)
	if err != nil {
		return nil, nil, err
	}
	dial, err := gvisorDialer(a, b)
	if err != nil {
		return nil, nil, err
	}
	return dial()
}

// gvisorUDP is a UDP socket on each stack, connected to the other.
func gvisorUDP(a *stack.Stack, addrA string, b *stack.Stack, addrB string) (send, recv net.Conn, err error) {
	fa, fb := gvisorAddr(addrA, gvisorPort), gvisorAddr(addrB, gvisorPort)
	if send, err = gonet.DialUDP(a, &fa, &fb, ipv4.ProtocolNumber); err != nil {
		return nil, nil, err
	}
	recv, err = gonet.DialUDP(b, &fb, &fa, ipv4.ProtocolNumber)
	return send, recv, err
}
