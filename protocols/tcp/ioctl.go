package tcp

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Ioctl is ioctl(2) (net/ipv4/tcp.c, tcp_ioctl). The FIN counts as a byte that
// is to be acknowledged.
func (c *conn) Ioctl(request int) (int, error) {
	if request == core.SIOCATMARK {
		return bit(c.atMark()), nil
	}
	if c.state == stateListen {
		return 0, syscall.EINVAL
	}
	synchronized := c.state.in(setSynchronized | 1<<stateTimeWait)
	switch request {
	case core.SIOCINQ:
		return c.readable(), nil
	case core.SIOCOUTQ:
		if !synchronized {
			return 0, nil
		}
		return int(c.queued().Sub(c.snd.una)), nil
	case core.SIOCOUTQNSD:
		if !synchronized {
			return 0, nil
		}
		return max(int(c.queued().Sub(c.snd.max)), 0), nil
	}
	return 0, syscall.ENOTTY
}

// queued is behind everything that the user has us send, our FIN included.
func (c *conn) queued() wire.Seq {
	end := c.snd.queue.end()
	if c.is(flagFinQueued) {
		end++
	}
	return wire.MaxSeq(end, c.snd.max)
}

// readable is how many bytes a read could give: up to the urgent byte, unless
// that is read in line (net/ipv4/tcp.c, tcp_inq).
func (c *conn) readable() int {
	n := c.rcv.queue.bytes
	if c.extra != nil && c.extra.urgent.state != urgentNone && !c.socket.Options().OOBInline {
		if d := c.extra.urgent.at.Sub(c.readSeq()); d >= 0 && d < n {
			n = d
		}
	}
	return int(n)
}
