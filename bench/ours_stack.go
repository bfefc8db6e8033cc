package main

import (
	"fmt"
	"net"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// network is a Domain in real time with defconfig's wiring: what a user of the library has.
type network struct {
	domain *core.Domain
	wiring *core.Wiring
	links  int
}

func newNetwork() *network {
	return &network{domain: core.NewDomain(host.NewRealTime(), core.DomainOptions{}), wiring: libos.Wiring()}
}

func (n *network) instance(name string) (*core.Instance, error) {
	return core.New(core.Options{Name: name, Domain: n.domain, Wiring: n.wiring})
}

// join links two instances by an Ethernet pipe and gives each end its addresses.
func (n *network) join(a, b *core.Instance, atA, atB []string) error {
	n.links++
	left, right := pipe.New(pipe.Config{Name: fmt.Sprint("link", n.links), MTU: mtu})
	return firstError(attach(a, left, atA), attach(b, right, atB))
}

// attach gives an instance a device that is up, with addresses that are usable at once.
func attach(in *core.Instance, dev core.Device, addresses []string) error {
	ifc, err := in.AddDevice(dev, "")
	if err != nil {
		return err
	}
	for _, text := range addresses {
		p, err := wire.ParsePrefix(text)
		if err != nil {
			return err
		}
		in.Domain().Do(func() {
			err = ifc.AddAddressLocked(&core.Address{Prefix: p, Flags: core.AddressPermanent | core.AddressNoDAD})
		})
		if err != nil {
			return fmt.Errorf("%s: %s: %w", in.Name(), text, err)
		}
	}
	return ifc.SetUp(true)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// pair makes two joined instances, 10.0.0.1 and 10.0.0.2.
func (n *network) pair() (a, b *core.Instance, err error) {
	if a, err = n.instance("a"); err != nil {
		return nil, nil, err
	}
	if b, err = n.instance("b"); err != nil {
		return nil, nil, err
	}
	return a, b, n.join(a, b, []string{"10.0.0.1/24", "fd00::1/64"}, []string{"10.0.0.2/24", "fd00::2/64"})
}

// dialer listens on one instance and connects from the other, any number of times.
type dialer struct {
	from     *core.Instance
	listener net.Listener
}

func newDialer(n *network) (*dialer, error) {
	a, b, err := n.pair()
	if err != nil {
		return nil, err
	}
	l, err := b.Listen("tcp4", "10.0.0.2:80")
	return &dialer{a, l}, err
}

func (d *dialer) dial() (client, server net.Conn, err error) {
	if client, err = d.from.Dial("tcp4", d.listener.Addr().String()); err != nil {
		return nil, nil, err
	}
	server, err = d.listener.Accept()
	return client, server, err
}

// datagramPair opens two UDP sockets that are connected to each other.
func datagramPair(a, b *core.Instance, atA, atB string) (send, recv net.Conn, err error) {
	s, err := connected(a, atA+":7001", atB+":7002")
	if err != nil {
		return nil, nil, err
	}
	r, err := connected(b, atB+":7002", atA+":7001")
	return s, r, err
}

func connected(in *core.Instance, local, remote string) (net.Conn, error) {
	c, err := in.ListenPacket("udp4", local)
	if err != nil {
		return nil, err
	}
	to, err := net.ResolveUDPAddr("udp4", remote)
	if err != nil {
		return nil, err
	}
	addr, _ := wire.AddrFromSlice(to.IP)
	return c, c.Socket().Connect(core.SockAddr{Addr: addr, Port: uint16(to.Port)})
}
