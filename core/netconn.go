package core

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/libos-go/libos/core/wire"
)

// Conn is a connected socket as a net.Conn. Several goroutines may use it. Its
// addresses stay those of the connection when that is over, as in package net.
type Conn struct {
	s           *Socket
	local, peer SockAddr // when it was made
	connected   bool
}

// conn is s with the addresses it has now.
func (s *Socket) conn() Conn {
	c := Conn{s: s}
	s.instance.domain.Do(func() {
		if !s.closed {
			c.local = s.endpoint.Local()
			c.peer, c.connected = s.endpoint.Peer()
		}
	})
	return c
}

var (
	_ net.Conn       = (*Conn)(nil)
	_ net.Listener   = (*Listener)(nil)
	_ net.PacketConn = (*PacketConn)(nil)
)

// Socket is the socket underneath, for options that package net has no name for.
func (c *Conn) Socket() *Socket { return c.s }

func (c *Conn) network() string {
	if c.s.typ == SockDgram {
		switch c.s.protocol {
		case uint16(wire.ProtoUDP):
			return "udp"
		case uint16(wire.ProtoUDPLite):
			return "udplite"
		}
		return fmt.Sprint("datagram:", c.s.protocol)
	}
	return "tcp"
}

func (c *Conn) fail(op, call string, err error) error {
	e := &net.OpError{Op: op, Net: c.network(), Source: c.LocalAddr(), Err: wrap(call, err)}
	if a := c.RemoteAddr(); a != nil {
		e.Addr = a
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
func (c *Conn) LocalAddr() net.Addr {
	a := c.s.LocalAddr()
	if a.Port == 0 {
		a = c.local
	}
	return netAddr(int(c.s.typ), c.s.instance, a)
}

// RemoteAddr implements net.Conn; nil for a socket that is not connected.
func (c *Conn) RemoteAddr() net.Addr {
	if c.connected {
		return netAddr(int(c.s.typ), c.s.instance, c.peer)
	}
	a, err := c.s.PeerAddr()
	if err != nil {
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
	if !c.s.setLimits(r, w, read, write) {
		return c.fail("set", "setdeadline", syscall.EBADF)
	}
	return nil
}

// SetNoDelay turns Nagle's algorithm off (the default of package net) or on.
func (c *Conn) SetNoDelay(on bool) error { return c.option(SolTCP, 1, bit(on)) }

// SetKeepAlive turns keepalive probes on or off.
func (c *Conn) SetKeepAlive(on bool) error { return c.option(SolSocket, SoKeepalive, bit(on)) }

// SetKeepAlivePeriod sets how long a connection may be idle before it is probed,
// and the time between probes, in whole seconds of at least one.
func (c *Conn) SetKeepAlivePeriod(d time.Duration) error {
	sec := int((d + time.Second - 1) / time.Second)
	if err := c.option(SolTCP, 4, sec); err != nil { // TCP_KEEPIDLE
		return err
	}
	return c.option(SolTCP, 5, sec) // TCP_KEEPINTVL
}

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
	var b [8]byte
	if sec >= 0 {
		binary.NativeEndian.PutUint32(b[:], 1)
		binary.NativeEndian.PutUint32(b[4:], uint32(sec))
	}
	if err := c.s.SetOption(SolSocket, SoLinger, b[:]); err != nil {
		return c.fail("set", "setsockopt", err)
	}
	return nil
}

// Listener is a listening socket as a net.Listener.
type Listener struct {
	s     *Socket
	local SockAddr
}

func (l *Listener) fail(op, call string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Addr: l.Addr(), Err: wrap(call, err)}
}

// Socket is the socket underneath.
func (l *Listener) Socket() *Socket { return l.s }

// Accept implements net.Listener.
func (l *Listener) Accept() (net.Conn, error) {
	s, _, err := l.s.Accept()
	if err != nil {
		return nil, l.fail("accept", "accept", err)
	}
	return newStream(s), nil
}

// Close implements net.Listener.
func (l *Listener) Close() error {
	if err := l.s.Close(); err != nil {
		return l.fail("close", "close", err)
	}
	return nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return netAddr(SockStream, l.s.instance, l.local) }

// SetDeadline bounds Accept.
func (l *Listener) SetDeadline(t time.Time) error {
	if !l.s.setLimits(l.s.instance.domain.host.Time(t), 0, true, false) {
		return l.fail("set", "setdeadline", syscall.EBADF)
	}
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
	return n, c.s.instance.addrPort(from), nil
}

// ReadFromUDPAddrPort is ReadFromAddrPort under net.UDPConn's name.
func (c *PacketConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	return c.ReadFromAddrPort(b)
}

// WriteToUDPAddrPort is WriteToAddrPort under net.UDPConn's name.
func (c *PacketConn) WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.WriteToAddrPort(b, to)
}

// WriteTo implements net.PacketConn; addr is a *net.UDPAddr.
func (c *PacketConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	u, ok := addr.(*net.UDPAddr)
	if !ok || u == nil {
		return 0, c.fail("write", "sendto", fmt.Errorf("the address %v is not a *net.UDPAddr: %w", addr, syscall.EINVAL))
	}
	to, err := c.s.instance.sockAddr(u.IP, u.Port, u.Zone)
	if err != nil {
		return 0, c.fail("write", "sendto", err)
	}
	return c.writeTo(b, to, "")
}

// WriteToAddrPort is WriteTo without a net.Addr.
func (c *PacketConn) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return c.writeTo(b, SockAddr{Addr: wire.FromNetIP(to.Addr()), Port: to.Port()}, to.Addr().Zone())
}

func (c *PacketConn) writeTo(b []byte, to SockAddr, zone string) (int, error) {
	if zone != "" {
		ifc := c.s.instance.InterfaceByName(zone)
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

// NewPacketConn makes a datagram socket a net.PacketConn, which then owns it.
func NewPacketConn(s *Socket) *PacketConn { return &PacketConn{s.conn()} }

// NewConn makes a connected socket a net.Conn, which then owns it.
func NewConn(s *Socket) *Conn {
	c := s.conn()
	return &c
}

// newStream is NewConn for Dial and Accept: without Nagle's algorithm, as
// package net has it. Keepalive probes are off, since they would never let a
// simulation end.
func newStream(s *Socket) *Conn {
	_ = s.SetInt(SolTCP, 1, 1) // TCP_NODELAY
	return NewConn(s)
}
