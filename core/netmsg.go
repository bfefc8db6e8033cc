package core

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// ReadMsgUDP reads a datagram into b and its control messages, as they were asked
// for by socket options (IP_PKTINFO, IP_RECVTTL, SO_TIMESTAMP, …), into oob, as
// net.UDPConn does. flags has MsgTrunc for a datagram that is longer than b, and
// MsgCTrunc where oob is too short for the next message.
func (c *PacketConn) ReadMsgUDP(b, oob []byte) (n, oobn, flags int, addr *net.UDPAddr, err error) {
	m, n, oobn, err := c.readMsg(b, oob)
	if err == nil {
		addr, _ = netAddr(SockDgram, c.s.instance, m.Addr).(*net.UDPAddr)
	}
	return n, oobn, m.OutFlags, addr, err
}

// ReadMsgUDPAddrPort is ReadMsgUDP without a net.Addr.
func (c *PacketConn) ReadMsgUDPAddrPort(b, oob []byte) (n, oobn, flags int, addr netip.AddrPort, err error) {
	m, n, oobn, err := c.readMsg(b, oob)
	if err == nil {
		addr = c.s.instance.addrPort(m.Addr)
	}
	return n, oobn, m.OutFlags, addr, err
}

func (c *PacketConn) readMsg(b, oob []byte) (m Message, n, oobn int, err error) {
	m.Data = b
	if n, err = c.s.Receive(&m); err != nil {
		return m, n, 0, c.fail("read", "recvmsg", err)
	}
	oobn, whole := FitControl(oob, c.s.AppendControl(nil, &m))
	if !whole {
		m.OutFlags |= MsgCTrunc
	}
	return m, n, oobn, nil
}

// WriteMsgUDP sends b to addr, or to the peer of a connected socket if that is
// nil, with the control messages in oob (IP_PKTINFO, IP_TTL, IP_TOS and IPv6's), as
// net.UDPConn does.
func (c *PacketConn) WriteMsgUDP(b, oob []byte, addr *net.UDPAddr) (n, oobn int, err error) {
	m := Message{HasAddr: addr != nil}
	if addr != nil {
		if m.Addr, err = c.s.instance.sockAddr(addr.IP, addr.Port, addr.Zone); err != nil {
			return 0, 0, c.fail("write", "sendmsg", err)
		}
	}
	return c.writeMsg(b, oob, &m)
}

// WriteMsgUDPAddrPort is WriteMsgUDP without a net.Addr; the zero AddrPort stands
// for the peer.
func (c *PacketConn) WriteMsgUDPAddrPort(b, oob []byte, addr netip.AddrPort) (n, oobn int, err error) {
	m := Message{HasAddr: addr.IsValid()}
	if m.HasAddr {
		if m.Addr, err = c.s.instance.sockAddr(addr.Addr().AsSlice(), int(addr.Port()), addr.Addr().Zone()); err != nil {
			return 0, 0, c.fail("write", "sendmsg", err)
		}
	}
	return c.writeMsg(b, oob, &m)
}

func (c *PacketConn) writeMsg(b, oob []byte, m *Message) (n, oobn int, err error) {
	if c.connected && m.HasAddr {
		return 0, 0, c.fail("write", "sendmsg", net.ErrWriteToConnected)
	}
	if err := m.ParseControl(oob); err != nil {
		return 0, 0, c.fail("write", "sendmsg", err)
	}
	m.Data, m.Flags = b, MsgNoSignal
	if n, err = c.s.Send(m); err != nil {
		return n, 0, c.fail("write", "sendmsg", err)
	}
	return n, len(oob), nil
}

// addrPort is a socket address with the interface's name for its zone.
func (in *Instance) addrPort(a SockAddr) netip.AddrPort {
	ip := a.Addr.NetIP()
	if a.Scope != 0 {
		ip = ip.WithZone(in.interfaceName(int(a.Scope)))
	}
	return netip.AddrPortFrom(ip, a.Port)
}

// sockAddr is an address of package net; no IP stands for the unspecified one of
// IPv4. EINVAL for what is none, ENODEV for a zone that is no interface.
func (in *Instance) sockAddr(ip net.IP, port int, zone string) (SockAddr, error) {
	a, ok := wire.AddrFromSlice(ip)
	if !ok {
		if len(ip) != 0 {
			return SockAddr{}, syscall.EINVAL
		}
		a = wire.FromV4(0)
	}
	out := SockAddr{Addr: a, Port: uint16(port)}
	if zone != "" {
		ifc := in.InterfaceByName(zone)
		if ifc == nil {
			return SockAddr{}, syscall.ENODEV
		}
		out.Scope = uint32(ifc.index)
	}
	return out, nil
}
