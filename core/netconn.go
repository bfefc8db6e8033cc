package core

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/libos-go/libos/core/wire"
)

// Conn is a connected socket as a net.Conn. Several goroutines may use it.
type Conn struct{ s *Socket }

var (
	_ net.Conn       = (*Conn)(nil)
	_ net.Listener   = (*Listener)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
)

// Socket is the socket underneath, for options that package net has no name for.
func (c *Conn) Socket() *Socket { return c.s }

func (c *Conn) network() string {
	if c.s.typ == SockDgram {
		return "udp"
	}
	return "tcp"
}

func (c *Conn) fail(op, call string, err error) error {
	e := &net.OpError{Op: op, Net: c.network(), Source: c.LocalAddr(), Err: wrap(call, err)}
	if a, err := c.s.PeerAddr(); err == nil {
		e.Addr = netAddr(int(c.s.typ), c.s.instance, a)
	}
	return e
}

// Read implements net.Conn.
func (c *Conn) Read(b []byte) (int, error) {
	n, _, err := c.s.read(b)
	if err != nil {
		return n, c.fail("read", "read", err)
	}
	if n == 0 && len(b) > 0 && c.s.typ == SockStream {
		return 0, io.EOF
	}
	return n, nil
}

// Write implements net.Conn.
func (c *Conn) Write(b []byte) (int, error) {
	n, err := c.s.write(b, nil)
	if err != nil {
		return n, c.fail("write", "write", err)
	}
	return n, nil
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	if err := c.s.Close(); err != nil {
		return c.fail("close", "close", err)
	}
	return nil
}

// CloseRead ends reading; CloseWrite ends writing, so that the peer reads the
// end of the stream.
func (c *Conn) CloseRead() error { return c.shutdown(ShutRead) }

// CloseWrite is half-close.
func (c *Conn) CloseWrite() error { return c.shutdown(ShutWrite) }

func (c *Conn) shutdown(how int) error {
	if err := c.s.Shutdown(how); err != nil {
		return c.fail("close", "shutdown", err)
	}
	return nil
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return netAddr(int(c.s.typ), c.s.instance, c.s.LocalAddr()) }

// RemoteAddr implements net.Conn; nil for a socket that is not connected, and
// without an address once it is closed.
func (c *Conn) RemoteAddr() net.Addr {
	a, err := c.s.PeerAddr()
	if err != nil && err != syscall.EBADF {
		return nil
	}
	return netAddr(int(c.s.typ), c.s.instance, a)
}

// SetDeadline implements net.Conn. t is read on the host's clock: in virtual
// time that is WallNow's.
func (c *Conn) SetDeadline(t time.Time) error {
	x := c.s.instance.domain.host.Time(t)
	return c.setLimits(x, x, true, true)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error {
	return c.setLimits(c.s.instance.domain.host.Time(t), 0, true, false)
}

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	return c.setLimits(0, c.s.instance.domain.host.Time(t), false, true)
}

func (c *Conn) setLimits(r, w Time, read, write bool) error {
	closed := false
	c.s.instance.domain.Do(func() {
		if closed = c.s.closed; closed {
			return
		}
		l := c.s.deadlines()
		if read {
			c.s.setLimitLocked(&l.read, &l.readPast, r)
		}
		if write {
			c.s.setLimitLocked(&l.write, &l.writePast, w)
		}
	})
	if closed {
		return c.fail("set", "setdeadline", syscall.EBADF)
	}
	return nil
}

// SetNoDelay turns Nagle's algorithm off (the default of package net) or on.
func (c *Conn) SetNoDelay(on bool) error { return c.option(SolTCP, 1, bit(on)) }

// SetKeepAlive turns keepalive probes on or off.
func (c *Conn) SetKeepAlive(on bool) error { return c.option(SolSocket, SoKeepalive, bit(on)) }

// SetReadBuffer and SetWriteBuffer set SO_RCVBUF and SO_SNDBUF in bytes.
func (c *Conn) SetReadBuffer(bytes int) error { return c.option(SolSocket, SoRcvBuf, bytes) }

// SetWriteBuffer sets SO_SNDBUF.
func (c *Conn) SetWriteBuffer(bytes int) error { return c.option(SolSocket, SoSndBuf, bytes) }

func (c *Conn) option(level, name, value int) error {
	if err := c.s.SetInt(level, name, value); err != nil {
		return c.fail("set", "setsockopt", err)
	}
	return nil
}

// SetLinger sets SO_LINGER as net.TCPConn does: negative for the background, 0
// to discard and reset, otherwise seconds to wait.
func (c *Conn) SetLinger(sec int) error {
	d := time.Duration(sec) * time.Second
	if sec < 0 {
		d = -1
	}
	c.s.instance.domain.Do(func() { c.s.OwnOptions().Linger = d })
	return nil
}

// Listener is a listening socket as a net.Listener.
type Listener struct{ s *Socket }

// Socket is the socket underneath.
func (l *Listener) Socket() *Socket { return l.s }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	s, _, err := l.s.Accept()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: wrap("accept", err)}
	}
	return &Conn{s}, nil
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	if err := l.s.Close(); err != nil {
		return &net.OpError{Op: "close", Net: "tcp", Addr: l.Addr(), Err: wrap("close", err)}
	}
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return netAddr(SockStream, l.s.instance, l.s.LocalAddr()) }

// SetDeadline bounds Accept.
func (l *Listener) SetDeadline(t time.Time) error {
	l.s.SetReadDeadline(l.s.instance.domain.host.Time(t))
	return nil
}

// PacketConn is a datagram socket as a net.PacketConn, and as a net.Conn when it
// is connected.
type PacketConn struct{ Conn }

// ReadFrom implements net.PacketConn.
func (c *PacketConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.s.read(b)
	if err != nil {
		return n, nil, c.fail("read", "recvfrom", err)
	}
	return n, netAddr(int(c.s.typ), c.s.instance, from), nil
}

// ReadFromAddrPort is ReadFrom that allocates nothing.
func (c *PacketConn) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, from, err := c.s.read(b)
	if err != nil {
		return n, netip.AddrPort{}, c.fail("read", "recvfrom", err)
	}
	return n, netip.AddrPortFrom(from.Addr.NetIP(), from.Port), nil
}

// WriteTo implements net.PacketConn; addr is a *net.UDPAddr.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok || u == nil {
		return 0, c.fail("write", "sendto", fmt.Errorf("the address %v is not a *net.UDPAddr: %w", addr, syscall.EINVAL))
	}
	a, ok := wire.AddrFromSlice(u.IP)
	if !ok {
		if len(u.IP) != 0 {
			return 0, c.fail("write", "sendto", syscall.EINVAL)
		}
		a = wire.FromV4(0)
	}
	to := SockAddr{Addr: a, Port: uint16(u.Port)}
	if u.Zone != "" {
		ifc := c.s.instance.InterfaceByName(u.Zone)
		if ifc == nil {
			return 0, c.fail("write", "sendto", syscall.ENODEV)
		}
		to.Scope = uint32(ifc.index)
	}
	n, err := c.s.write(b, &to)
	if err != nil {
		return n, c.fail("write", "sendto", err)
	}
	return n, nil
}

// WriteToAddrPort is WriteTo without a net.Addr.
func (c *PacketConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	n, err := c.s.write(b, &SockAddr{Addr: wire.FromNetIP(to.Addr().WithZone("")), Port: to.Port()})
	if err != nil {
		return n, c.fail("write", "sendto", err)
	}
	return n, nil
}

// NewPacketConn makes a datagram socket a net.PacketConn, which then owns it.
func NewPacketConn(s *Socket) *PacketConn { return &PacketConn{Conn{s}} }

// NewConn makes a connected socket a net.Conn, which then owns it.
func NewConn(s *Socket) *Conn { return &Conn{s} }
