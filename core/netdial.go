package core

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// Dial connects to address ("10.0.0.1:80", "[fe80::1%eth0]:80") on network
// "tcp", "udp" or "udplite", each also with 4 or 6 behind it for one family alone,
// or "datagram:253" ("datagram4:253", "datagram6:253"), datagrams of that IP protocol.
// Names are not looked up: an instance has no resolver of its own.
func (in *Instance) Dial(network, address string) (net.Conn, error) {
	return in.DialContext(context.Background(), network, address)
}

// DialContext is Dial that ends with ctx. It has the form that
// http.Transport.DialContext wants. In virtual time ctx must not have a deadline
// of the machine's clock; use the socket's own.
func (in *Instance) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := Dialer{Instance: in}
	return d.DialContext(ctx, network, address)
}

// Listen listens on a local address (":80" for all) on network "tcp", "tcp4" or
// "tcp6". "tcp" without an address takes IPv4 and IPv6 connections where the
// instance has both.
func (in *Instance) Listen(network, address string) (net.Listener, error) {
	s, local, err := in.bind(network, address)
	if err == nil {
		err = wrap("listen", s.Listen(4096))
		if err != nil {
			_ = s.Close()
		}
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: netAddr(SockStream, in, local), Err: err}
	}
	return &Listener{s, s.LocalAddr()}, nil
}

// ListenPacket opens a datagram socket on a local address on network "udp",
// "udp4", "udp6", "udplite", "udplite4" or "udplite6", or "datagram:253" and its like.
func (in *Instance) ListenPacket(network, address string) (*PacketConn, error) {
	s, local, err := in.bind(network, address)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: netAddr(SockDgram, in, local), Err: err}
	}
	return NewPacketConn(s), nil
}

func (in *Instance) bind(network, address string) (*Socket, SockAddr, error) {
	kind, local, err := in.parse(network, address)
	if err != nil {
		return nil, local, err
	}
	s, err := in.Socket(kind.Family, kind.Type, kind.Protocol)
	if err != nil {
		return nil, local, os.NewSyscallError("socket", err)
	}
	if kind.Type == SockStream {
		err = s.SetInt(SolSocket, SoReuseAddr, 1)
	}
	if _, only6 := families(network); err == nil && only6 {
		err = s.SetInt(SolIPv6, IPv6V6Only, 1)
	}
	if err == nil {
		err = s.Bind(local)
	}
	if err != nil {
		_ = s.Close()
		return nil, local, wrap("bind", err)
	}
	return s, local, nil
}

// parse reads a network and an address. An empty host is the unspecified
// address of the widest family that the network and the instance allow.
func (in *Instance) parse(network, address string) (SocketKind, SockAddr, error) {
	k := SocketKind{Family: afInet}
	var a SockAddr
	name, number, numbered := strings.Cut(network, ":")
	if n, err := strconv.ParseUint(number, 10, 8); numbered && (err != nil || n == 0 || !strings.HasPrefix(name, "datagram")) {
		return k, a, net.UnknownNetworkError(network)
	} else if numbered {
		k.Protocol = int(n)
	}
	switch name {
	case "datagram", "datagram4", "datagram6":
		k.Type = SockDgram
		if !numbered {
			return k, a, net.UnknownNetworkError(network)
		}
	case "tcp", "tcp4", "tcp6":
		k.Type, k.Protocol = SockStream, int(wire.ProtoTCP)
	case "udp", "udp4", "udp6":
		k.Type, k.Protocol = SockDgram, int(wire.ProtoUDP)
	case "udplite", "udplite4", "udplite6":
		k.Type, k.Protocol = SockDgram, int(wire.ProtoUDPLite)
	default:
		return k, a, net.UnknownNetworkError(network)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return k, a, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return k, a, fmt.Errorf("port %q is not a number from 0 to 65535", port)
	}
	a.Port = uint16(n)
	want4, want6 := families(network)
	switch host {
	case "":
		if !want4 && (want6 || in.networkFamily(afInet6) >= 0) {
			k.Family = afInet6
		} else {
			a.Addr = wire.FromV4(0)
		}
		return k, a, nil
	case "localhost":
		host = "127.0.0.1"
		if want6 || in.networkFamily(afInet) < 0 {
			host = "::1"
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return k, a, fmt.Errorf("%q is not an IP address (an instance does not resolve names)", host)
	}
	if z := ip.Zone(); z != "" {
		ifc := in.InterfaceByName(z)
		if ifc == nil {
			return k, a, fmt.Errorf("address %s: there is no interface %s", host, z)
		}
		a.Scope = uint32(ifc.index)
	}
	a.Addr = wire.FromNetIP(ip.WithZone(""))
	if !a.Addr.Is4() {
		k.Family = afInet6
	}
	if a.Addr.Is4() && want6 || !a.Addr.Is4() && want4 {
		return k, a, &net.AddrError{Err: "the address is of another family than network " + network, Addr: host}
	}
	return k, a, nil
}

// families tells which family alone a network has.
func families(network string) (only4, only6 bool) {
	name, _, _ := strings.Cut(network, ":")
	return strings.HasSuffix(name, "4"), strings.HasSuffix(name, "6")
}

// interfaceName is the name of an interface by its index, "" if there is none.
func (in *Instance) interfaceName(index int) (name string) {
	in.domain.Do(func() {
		if ifc := in.InterfaceByIndex(index); ifc != nil {
			name = ifc.name
		}
	})
	return name
}

// wrap makes an error of a socket call what Go programs expect of package net.
func wrap(call string, err error) error {
	switch e := err.(type) {
	case nil:
		return nil
	case syscall.Errno:
		if e == syscall.EBADF {
			return net.ErrClosed
		}
		return os.NewSyscallError(call, e)
	case deadlineError:
		return os.ErrDeadlineExceeded
	}
	return err
}

// netAddr is a socket address as package net has it.
func netAddr(typ int, in *Instance, a SockAddr) net.Addr {
	ip := a.Addr.NetIP()
	zone := ""
	if a.Scope != 0 {
		zone = in.interfaceName(int(a.Scope))
	}
	if typ == SockDgram {
		return &net.UDPAddr{IP: ip.AsSlice(), Port: int(a.Port), Zone: zone}
	}
	return &net.TCPAddr{IP: ip.AsSlice(), Port: int(a.Port), Zone: zone}
}
