package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
)

// Client speaks to the server behind one control socket. Every operation has a
// connection of its own.
type Client struct{ Path string }

// open sends a request. The connection is cut when ctx ends.
func (c *Client) open(ctx context.Context, op, instance string, args any, streams bool) (*conn, func(), error) {
	raw, err := json.Marshal(args)
	if err != nil {
		return nil, nil, fmt.Errorf("control: %s: %w", op, err)
	}
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", c.Path)
	if err != nil {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
			err = fmt.Errorf("%s: nobody answers there: start the stack with `libos up FILE`", c.Path)
		case errors.Is(err, fs.ErrPermission):
			err = fmt.Errorf("%s: the socket belongs to another user", c.Path)
		}
		return nil, nil, err
	}
	k := newConn(nc)
	stop := context.AfterFunc(ctx, func() { _ = nc.Close() })
	if err := k.writeLine(request{op, instance, raw, streams}); err != nil {
		stop()
		_ = nc.Close()
		return nil, nil, fmt.Errorf("%s: %w", c.Path, err)
	}
	return k, func() { stop() }, nil
}

// Call runs an operation and hands each event to the caller.
func (c *Client) Call(ctx context.Context, op, instance string, args any, each func(json.RawMessage) error) error {
	k, stop, err := c.open(ctx, op, instance, args, false)
	if err != nil {
		return err
	}
	defer stop()
	defer k.Close()
	for {
		var a answer
		if err := k.readLine(&a); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("%s: the connection ended: %w", c.Path, noEOF(err))
		}
		switch {
		case a.Error != "":
			return &Error{a.Error, syscall.Errno(a.Errno)}
		case a.Done:
			return nil
		case a.Event != nil && each != nil:
			if err := each(a.Event); err != nil {
				return err
			}
		}
	}
}

func noEOF(err error) error {
	if err == io.EOF {
		return errors.New("the stack was stopped")
	}
	return err
}

// Stream runs an operation that goes on as a stream of bytes, which is cut when
// ctx ends; info receives what the server says of it.
func (c *Client) Stream(ctx context.Context, op, instance string, args, info any) (net.Conn, error) {
	k, stop, err := c.open(ctx, op, instance, args, true)
	if err != nil {
		return nil, err
	}
	var a answer
	err = k.readLine(&a)
	switch {
	case err != nil && ctx.Err() != nil:
		err = ctx.Err()
	case err != nil:
		err = fmt.Errorf("%s: the connection ended: %w", c.Path, noEOF(err))
	case a.Error != "":
		err = &Error{a.Error, syscall.Errno(a.Errno)}
	case a.Stream == nil:
		err = fmt.Errorf("%s: %s answered without a stream", c.Path, op)
	case info != nil:
		err = json.Unmarshal(a.Stream, info)
	}
	if err != nil {
		stop()
		_ = k.Close()
		return nil, err
	}
	return &streamConn{conn: k, stop: stop}, nil
}

type streamConn struct {
	*conn
	stop func()
}

func (s *streamConn) Close() error { s.stop(); return s.conn.Close() }

// List describes the instances behind the socket.
func (c *Client) List(ctx context.Context) ([]InstanceInfo, error) {
	var list []InstanceInfo
	err := c.Call(ctx, "list", "", nil, func(m json.RawMessage) error {
		var i InstanceInfo
		if err := json.Unmarshal(m, &i); err != nil {
			return err
		}
		list = append(list, i)
		return nil
	})
	return list, err
}

// socketArgs are the arguments of dial and listen.
type socketArgs struct {
	Network string `json:"network"`
	Address string `json:"address"`
	ID      uint64 `json:"id,omitempty"`
}

// socketInfo is what a stream is.
type socketInfo struct {
	Network string `json:"network"`
	Local   string `json:"local"`
	Remote  string `json:"remote,omitempty"`
}

// addr is an address of the far stack.
type addr struct{ network, text string }

func (a addr) Network() string { return a.network }
func (a addr) String() string  { return a.text }

// remoteConn is a stream socket of the far instance.
type remoteConn struct {
	net.Conn
	info socketInfo
}

func (c *remoteConn) LocalAddr() net.Addr  { return addr{c.info.Network, c.info.Local} }
func (c *remoteConn) RemoteAddr() net.Addr { return addr{c.info.Network, c.info.Remote} }

// CloseWrite is half-close.
func (c *remoteConn) CloseWrite() error { return c.Conn.(*streamConn).CloseWrite() }

// DialContext connects from the instance. Streams (tcp) only end with Close;
// the context holds for the connection attempt.
func (c *Client) DialContext(ctx context.Context, instance, network, address string) (net.Conn, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	var info socketInfo
	k, err := c.Stream(life, "dial", instance, socketArgs{Network: network, Address: address}, &info)
	if !stop() && err == nil {
		_ = k.Close()
		err = ctx.Err()
	}
	if err != nil {
		cancel()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	if datagrams(network) {
		return &packetConn{c: k, info: info}, nil
	}
	return &remoteConn{k, info}, nil
}

// Listen listens on an address of the instance for as long as the listener is
// open.
func (c *Client) Listen(ctx context.Context, instance, network, address string) (net.Listener, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	k, stop, err := c.open(life, "listen", instance, socketArgs{Network: network, Address: address}, false)
	if err != nil {
		cancel()
		return nil, err
	}
	l := &listener{client: c, conn: k, stop: stop, cancel: cancel, life: life, instance: instance}
	var a answer
	if err := k.readLine(&a); err != nil {
		l.Close()
		return nil, fmt.Errorf("%s: the connection ended: %w", c.Path, noEOF(err))
	}
	if a.Error != "" {
		l.Close()
		return nil, &Error{a.Error, syscall.Errno(a.Errno)}
	}
	if err := json.Unmarshal(a.Event, &l.info); err != nil {
		l.Close()
		return nil, fmt.Errorf("control: listen: %w", err)
	}
	return l, nil
}

// ListenPacket opens a datagram socket of the instance.
func (c *Client) ListenPacket(ctx context.Context, instance, network, address string) (net.PacketConn, error) {
	var info socketInfo
	k, err := c.Stream(context.WithoutCancel(ctx), "listenpacket", instance, socketArgs{Network: network, Address: address}, &info)
	if err != nil {
		return nil, err
	}
	return &packetConn{c: k, info: info}, nil
}

// listener is told of connections by events and fetches each as a stream.
type listener struct {
	client   *Client
	conn     *conn
	stop     func()
	cancel   context.CancelFunc
	life     context.Context
	instance string
	info     socketInfo
	once     sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		var a answer
		if err := l.conn.readLine(&a); err != nil {
			if l.life.Err() != nil {
				return nil, net.ErrClosed
			}
			return nil, fmt.Errorf("%s: the connection ended: %w", l.client.Path, noEOF(err))
		}
		if a.Error != "" {
			return nil, &Error{a.Error, syscall.Errno(a.Errno)}
		}
		var args socketArgs
		if err := json.Unmarshal(a.Event, &args); err != nil {
			return nil, fmt.Errorf("control: accept: %w", err)
		}
		var info socketInfo
		k, err := l.client.Stream(context.WithoutCancel(l.life), "accept", l.instance, args, &info)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOENT) {
			continue // it waited too long
		}
		if err != nil {
			return nil, err
		}
		return &remoteConn{k, info}, nil
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		l.cancel()
		l.stop()
		_ = l.conn.Close()
	})
	return nil
}

func (l *listener) Addr() net.Addr { return addr{l.info.Network, l.info.Local} }
