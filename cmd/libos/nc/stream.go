package nc

import (
	"context"
	"errors"
	"io"
	"net"

	"github.com/libos-go/libos/cmd/libos/command"
)

// accept waits for a connection; with -k for one after the other.
func (n *session) accept(ctx context.Context, s command.Stack, address string) error {
	l, err := s.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer l.Close()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	n.say("listening on %s", l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return over(ctx, err)
		}
		n.say("connection from %s", c.RemoteAddr())
		if !n.keep {
			_ = l.Close()
		}
		if err := n.stream(ctx, c); err != nil || !n.keep {
			return err
		}
	}
}

// stream joins a connection to standard input and output until the peer has
// ended, and the input too if it is no terminal.
func (n *session) stream(ctx context.Context, c net.Conn) error {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.Close() })()
	sent := make(chan error, 1)
	go func() { // it may stay in a read of the input when the peer ends first
		_, err := io.Copy(struct{ io.Writer }{c}, n.e.Stdin)
		if w, ok := c.(interface{ CloseWrite() error }); ok && err == nil {
			err = w.CloseWrite()
		}
		sent <- err
	}()
	b := make([]byte, 64<<10)
	for {
		n.deadline(c)
		k, err := c.Read(b)
		if _, err := n.e.Stdout.Write(b[:k]); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF):
			if command.Terminal(n.e.Stdin) {
				return nil // nobody need press a key to see that it is over
			}
			select {
			case err := <-sent: // what could not be sent is an error
				return over(ctx, err)
			case <-ctx.Done():
				return nil
			}
		case err != nil:
			return over(ctx, err)
		}
	}
}
