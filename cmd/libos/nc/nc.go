package nc

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
)

// session is one run of the command.
type session struct {
	e       *command.Env
	listen  bool
	keep    bool
	datagr  bool
	verbose bool
	// protocol is that of IP whose datagrams these are; 0 is UDP or TCP.
	protocol uint8
	wait     time.Duration
}

// Command is `libos nc`.
func Command(e *command.Env) *cobra.Command {
	n := session{e: e}
	c := &cobra.Command{
		Use:   "nc ADDRESS PORT | -l [ADDRESS] PORT",
		Short: "Join standard input and output to a socket",
		Long: `Join standard input and output to a TCP or UDP (-u) socket of an instance, or one
of another protocol of datagrams (--protocol), that connects to ADDRESS and PORT or
(-l) waits there for a peer.

TCP: the end of the input is passed on as the end of the stream, and the command
ends when the peer has ended too. UDP: each read of the input is a datagram; the
command ends -w after the end of the input, or -w after the last datagram.`,
		Example: `  echo hello | libos nc 10.1.0.1 7
  libos nc -l 7
  echo hello | libos nc -u -w 1s fd02::2 5353
  libos nc -u -l 5353
  libos nc --protocol 253 10.1.0.1 7`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			if len(args) == 1 {
				if !n.listen {
					return fmt.Errorf("nc wants ADDRESS and PORT, or -l and PORT")
				}
				args = []string{"", args[0]}
			}
			n.datagr = n.datagr || n.protocol != 0
			if n.keep && (!n.listen || n.datagr) {
				return errors.New("-k is for -l with TCP")
			}
			if n.wait < 0 {
				return fmt.Errorf("-w %v is negative", n.wait)
			}
			ctx := c.Context()
			s, err := e.Open(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			address := net.JoinHostPort(args[0], args[1])
			switch {
			case n.datagr && n.listen:
				return n.datagrams(ctx, s, address)
			case n.datagr:
				return n.toDatagrams(ctx, s, address)
			case n.listen:
				return n.accept(ctx, s, address)
			}
			conn, err := s.DialContext(ctx, "tcp", address)
			if err != nil {
				return err
			}
			n.say("connected to %s", conn.RemoteAddr())
			return n.stream(ctx, conn)
		},
	}
	f := c.Flags()
	f.BoolVarP(&n.datagr, "udp", "u", false, "UDP instead of TCP")
	f.Uint8Var(&n.protocol, "protocol", 0, "datagrams of the IP protocol of this `number`, as of a module")
	f.BoolVarP(&n.listen, "listen", "l", false, "wait for a peer")
	f.BoolVarP(&n.keep, "keep", "k", false, "with -l: go on with the next connection")
	f.BoolVarP(&n.verbose, "verbose", "v", false, "say on standard error who is connected")
	f.DurationVarP(&n.wait, "wait", "w", 0, "end after this time without input (0: TCP never, UDP 1s after the input ended)")
	e.StackFlags(c)
	return c
}

func (n *session) say(format string, args ...any) {
	if n.verbose {
		n.e.Note(format, args...)
	}
}

// deadline is the time without traffic after which the session ends.
func (n *session) deadline(c interface{ SetReadDeadline(time.Time) error }) {
	if n.wait > 0 {
		_ = c.SetReadDeadline(time.Now().Add(n.wait))
	}
}

// over tells whether err only says that the session is at its end.
func over(ctx context.Context, err error) error {
	var timeout net.Error
	if ctx.Err() != nil || errors.Is(err, net.ErrClosed) || errors.As(err, &timeout) && timeout.Timeout() {
		return nil
	}
	return err
}
