package tcp

import (
	"syscall"

	"github.com/libos-go/libos/core"
)

// AutoPort tells whether the program did not choose the local port.
func (c *conn) AutoPort() bool { return !c.is(flagBound) }

// Break ends the connection as by SOCK_DESTROY: the peer gets a RST, the program err
// (net/ipv4/tcp.c, tcp_abort).
func (c *conn) Break(err syscall.Errno) {
	t := c.t
	switch c.state {
	case stateClosed:
		return
	case stateListen:
		c.stopListening()
		c.flags |= flagEnded
		c.socket.SetError(err)
		c.wake(core.ReadyIn | core.ReadyErr | core.ReadyHup)
	case stateTimeWait:
		c.end(0)
	default:
		c.touch()
		c.abort(err)
	}
	t.settle()
}
