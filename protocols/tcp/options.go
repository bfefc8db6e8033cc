package tcp

import (
	"encoding/binary"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
)

// Options of level IPPROTO_TCP, with Linux's numbers (include/uapi/linux/tcp.h).
const (
	optNoDelay     = 1
	optMaxSeg      = 2
	optCork        = 3
	optKeepIdle    = 4
	optKeepIntvl   = 5
	optKeepCnt     = 6
	optSynCnt      = 7
	optLinger2     = 8
	optDeferAccept = 9
	optInfo        = 11
	optQuickAck    = 12
	optCongestion  = 13
	optUserTimeout = 18
)

// SetOption implements core.Endpoint.
func (c *conn) SetOption(level, name int, value []byte) error {
	if level != core.SolTCP {
		return syscall.ENOPROTOOPT
	}
	if name == optCongestion {
		return c.setCongestion(value)
	}
	if len(value) < 4 {
		return syscall.EINVAL
	}
	v := int(int32(binary.NativeEndian.Uint32(value)))
	within := func(least, most int) error {
		if v < least || v > most {
			return syscall.EINVAL
		}
		return nil
	}
	switch name {
	case optNoDelay:
		c.set(flagNoDelay, v != 0)
		c.touch()
	case optCork:
		c.set(flagCork, v != 0)
		c.touch()
	case optQuickAck:
		if c.rcv.quick = 0; v != 0 {
			c.rcv.quick = 8
			c.touch()
		}
	case optMaxSeg:
		if v != 0 {
			if err := within(88, 32767); err != nil {
				return err
			}
		}
		c.more().maxSeg = uint16(v)
		c.snd.mssCap = uint16(v)
		c.updateMSS()
	case optKeepIdle:
		if err := within(1, 32767); err != nil {
			return err
		}
		c.more().idle = time.Duration(v) * time.Second
		c.keepaliveChanged()
	case optKeepIntvl:
		if err := within(1, 32767); err != nil {
			return err
		}
		c.more().interval = time.Duration(v) * time.Second
	case optKeepCnt:
		if err := within(1, 127); err != nil {
			return err
		}
		c.more().count = int32(v)
	case optSynCnt:
		if err := within(1, 127); err != nil {
			return err
		}
		c.more().synRetries = int32(v)
	case optDeferAccept:
		c.more().deferAccept = retriesIn(time.Duration(v) * time.Second)
	case optLinger2:
		c.more().linger2 = min(time.Duration(max(v, -1))*time.Second, finWaitMost)
	case optUserTimeout:
		if v < 0 {
			return syscall.EINVAL
		}
		c.more().userTimeout = time.Duration(v) * time.Millisecond
	default:
		return syscall.ENOPROTOOPT
	}
	c.t.settle()
	return nil
}

func (c *conn) setCongestion(value []byte) error {
	name := string(value)
	for i := range value {
		if value[i] == 0 {
			name = string(value[:i])
			break
		}
	}
	a := c.t.controls.named(name)
	if a == nil {
		return syscall.ENOENT
	}
	if list := c.t.settings().Allowed; list != "" && !slices.Contains(strings.Fields(list), name) {
		return syscall.EPERM
	}
	c.cong.name = a.Name
	if c.cong.control != nil { // a running connection keeps its window
		cwnd, ssthresh := c.cong.cwnd, c.cong.ssthresh
		c.stopControl()
		c.cong.control = a.New()
		c.tell(congestion.Event{Kind: congestion.Init})
		c.cong.cwnd, c.cong.ssthresh = cwnd, ssthresh
	}
	return nil
}

// Option implements core.Endpoint.
func (c *conn) Option(level, name int, buf []byte) (int, error) {
	if level != core.SolTCP {
		return 0, syscall.ENOPROTOOPT
	}
	idle, interval, count := c.keepaliveTimes()
	var x extra
	if c.extra != nil {
		x = *c.extra
	}
	v := 0
	switch name {
	case optCongestion:
		algorithm := c.cong.name
		if a := c.t.algorithm(algorithm); algorithm == "" && a != nil {
			algorithm = a.Name
		}
		var b [16]byte // TCP_CA_NAME_MAX
		copy(b[:15], algorithm)
		return copy(buf, b[:]), nil
	case optInfo:
		return copy(buf, c.info()), nil
	case optNoDelay:
		v = bit(c.is(flagNoDelay))
	case optCork:
		v = bit(c.is(flagCork))
	case optQuickAck:
		v = bit(c.rcv.quick > 0)
	case optMaxSeg:
		if v = int(c.snd.mss); c.state == stateClosed || c.state == stateListen {
			if v = int(x.maxSeg); v == 0 {
				v = 536
			}
		}
	case optKeepIdle:
		v = int(idle / time.Second)
	case optKeepIntvl:
		v = int(interval / time.Second)
	case optKeepCnt:
		v = int(count)
	case optSynCnt:
		if v = int(x.synRetries); v == 0 {
			v = int(c.t.settings().SynRetries)
		}
	case optDeferAccept:
		if x.deferAccept > 0 {
			v = int(retryTime(int(x.deferAccept)-1, rtoInitial) / time.Second)
		}
	case optLinger2:
		if v = int(x.linger2 / time.Second); x.linger2 == 0 {
			v = int(c.t.settings().FinTimeout / time.Second)
		}
	case optUserTimeout:
		v = int(x.userTimeout / time.Millisecond)
	default:
		return 0, syscall.ENOPROTOOPT
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(int32(v)))
	return copy(buf, b[:]), nil
}

// retriesIn is how often a SYN-ACK is sent again within d (net/ipv4/tcp.c,
// secs_to_retrans).
func retriesIn(d time.Duration) int32 {
	n := int32(0)
	for n < 255 && d > 0 && retryTime(int(n)-1, rtoInitial) < d {
		n++
	}
	return n
}

func bit(on bool) int {
	if on {
		return 1
	}
	return 0
}
