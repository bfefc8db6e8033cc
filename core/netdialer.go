package core

import (
	"context"
	"net"
	"os"
	"time"

	"github.com/libos-go/libos/core/wire"
)

// Dialer connects as net.Dialer does, by the stack of Instance. The fields are
// those of net.Dialer; the zero value of each but Instance is Instance.Dial's.
type Dialer struct {
	Instance *Instance
	// LocalAddr is what the socket is bound to: a *net.TCPAddr or *net.UDPAddr
	// as the network has it; nil to choose.
	LocalAddr net.Addr
	// Timeout bounds a connect, on the host's clock also in virtual time; 0 does
	// not.
	Timeout time.Duration
	// KeepAlive is the time between keepalive probes of an idle stream, in whole
	// seconds of at least one; without it, unlike in package net, none is sent:
	// probes would never let a simulation end.
	KeepAlive time.Duration
	// Control, if it is not nil, is called with the new socket before it is bound
	// and connected; an error ends the dial.
	Control func(network, address string, s *Socket) error
}

// Dial is DialContext without a context.
func (d *Dialer) Dial(network, address string) (net.Conn, error) {
	return d.DialContext(context.Background(), network, address)
}

// DialContext connects to address as Instance.DialContext does. A dial that takes
// longer than Timeout fails with os.ErrDeadlineExceeded.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	in := d.Instance
	kind, remote, err := in.parse(network, address)
	t, bounded := ctx.Deadline()
	now, until := in.domain.host.Now(), in.domain.host.Time(t)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil && bounded && until <= now {
		err = context.DeadlineExceeded
	}
	var local SockAddr
	if err == nil && d.LocalAddr != nil {
		local, err = in.localOf(d.LocalAddr, kind)
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	limit := until
	if d.Timeout > 0 && (!bounded || now.Add(d.Timeout) < until) {
		limit, bounded = now.Add(d.Timeout), false
	}
	s, err := in.Socket(kind.Family, kind.Type, kind.Protocol)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: netAddr(kind.Type, in, remote), Err: os.NewSyscallError("socket", err)}
	}
	if err = d.prepare(s, network, address, local); err == nil {
		err = d.connect(ctx, s, remote, limit, bounded)
	}
	if err != nil {
		_ = s.Close()
		e := &net.OpError{Op: "dial", Net: network, Addr: netAddr(kind.Type, in, remote), Err: err}
		if d.LocalAddr != nil {
			e.Source = d.LocalAddr
		}
		return nil, e
	}
	if kind.Type == SockDgram {
		return NewPacketConn(s), nil
	}
	c := newStream(s)
	if d.KeepAlive > 0 {
		_ = c.SetKeepAlive(true)
		_ = c.SetKeepAlivePeriod(d.KeepAlive)
	}
	return c, nil
}

// prepare does what comes before the connect.
func (d *Dialer) prepare(s *Socket, network, address string, local SockAddr) error {
	if d.Control != nil {
		if err := d.Control(network, address, s); err != nil {
			return err
		}
	}
	if d.LocalAddr == nil {
		return nil
	}
	return wrap("bind", s.Bind(local))
}

// connect connects until limit (0: without one), which is the context's own if
// bounded is set, or until the context ends.
func (d *Dialer) connect(ctx context.Context, s *Socket, remote SockAddr, limit Time, bounded bool) error {
	if limit != 0 {
		s.SetWriteDeadline(limit)
	}
	stop := context.AfterFunc(ctx, func() { s.SetWriteDeadline(1) })
	err := s.Connect(remote)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	switch {
	case err == nil:
		s.SetWriteDeadline(0)
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case bounded && err == ErrDeadline: // the same instant on our clock
		return context.DeadlineExceeded
	}
	return wrap("connect", err)
}

// localOf is the address to bind a socket of this kind to.
func (in *Instance) localOf(a net.Addr, k SocketKind) (SockAddr, error) {
	mismatch := &net.AddrError{Err: "mismatched local address type", Addr: a.String()}
	var out SockAddr
	var err error
	switch a := a.(type) {
	case *net.TCPAddr:
		if k.Type != SockStream {
			return out, mismatch
		}
		out, err = in.sockAddr(a.IP, a.Port, a.Zone)
	case *net.UDPAddr:
		if k.Type != SockDgram {
			return out, mismatch
		}
		out, err = in.sockAddr(a.IP, a.Port, a.Zone)
	default:
		return out, mismatch
	}
	switch {
	case err != nil:
		return out, err
	case out.Addr.IsUnspecified() && k.Family == afInet:
		out.Addr = wire.IPv4Any()
	case out.Addr.IsUnspecified():
		out.Addr = wire.IPv6Any()
	case out.Addr.Is4() != (k.Family == afInet):
		return out, mismatch
	}
	return out, nil
}
