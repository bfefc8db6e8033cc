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

	optWindowClamp  = 10
	optThinLinear   = 16
	optThinDupack   = 17
	optRepair       = 19
	optTimestamp    = 24
	optNotsentLowat = 25
	optSaveSyn      = 27
	optSavedSyn     = 28
	optInq          = 36 // also the name of its control message, TCP_CM_INQ
	optIsMPTCP      = 43
	optRTOMax       = 44 // milliseconds
	optRTOMin       = 45 // microseconds
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
	case optWindowClamp:
		switch {
		case v == 0 && c.state != stateClosed:
			return syscall.EINVAL
		case v != 0:
			v = max(v, leastClamp)
		}
		c.more().clamp = int32(v)
		c.rcv.clamp = int32(v)
	case optNotsentLowat:
		c.more().notsentLowat = uint32(v)
		c.wake(core.ReadyOut)
	case optInq:
		if err := within(0, 1); err != nil {
			return err
		}
		c.more().inq = v == 1
	case optSaveSyn:
		if err := within(0, 2); err != nil {
			return err
		}
		c.more().saveSyn = v != 0
	case optThinLinear, optThinDupack:
		if err := within(0, 1); err != nil {
			return err
		}
		if name == optThinLinear {
			c.more().thin = v == 1
		}
	default:
		return syscall.ENOPROTOOPT
	}
	c.t.settle()
	return nil
}

// leastClamp is SOCK_MIN_RCVBUF/2.
const leastClamp = 1152

// savedSyn gives the headers of the SYN away once (net/ipv4/tcp.c,
// do_tcp_getsockopt): EINVAL where they do not fit, and an empty value where
// nobody asked for them.
func (c *conn) savedSyn(buf []byte) (int, error) {
	if c.extra == nil || c.extra.syn == nil {
		return 0, nil
	}
	if len(buf) < len(c.extra.syn) {
		return 0, syscall.EINVAL
	}
	n := copy(buf, c.extra.syn)
	c.extra.syn = nil
	return n, nil
}

// keepSyn remembers the headers of the SYN for a listener that wants them.
func (c *conn) keepSyn(l *listener, s *segment) {
	if x := l.conn.extra; x == nil || !x.saveSyn {
		return
	}
	h := s.p.NetworkHeader()
	n := len(h) - s.p.LinearLen() + int(s.skip)
	if n > 0 && n <= len(h) {
		c.more().syn = append([]byte(nil), h[:n]...)
	}
}

// notsentLowat is how much unsent data makes a socket one that cannot be written to.
func (c *conn) notsentLowat() uint32 {
	if c.extra != nil && c.extra.notsentLowat != 0 {
		return c.extra.notsentLowat
	}
	return c.t.settings().NotsentLowat
}

// crowded tells whether as much is unsent as the user wants there to be at most.
func (c *conn) crowded() bool { return uint32(max(c.snd.unsent(), 0)) >= c.notsentLowat() }

// Inquiry is what TCP_CM_INQ tells, if the user asked for it: the bytes that can be
// read, and one for the end (net/ipv4/tcp.c, tcp_inq_hint).
func (c *conn) Inquiry() (n int, asked bool) {
	if c.extra == nil || !c.extra.inq {
		return 0, false
	}
	return int(c.rcv.queue.bytes) + bit(c.is(flagFinReceived)), true
}

// Held is what SO_MEMINFO tells: the bytes that wait to be read, and those that were
// not acknowledged.
func (c *conn) Held() (received, sent int) { return int(c.rcv.queue.bytes), c.snd.queue.len() }

// Buffers are the sizes of the buffers while the user has not set them.
func (c *conn) Buffers() (send, receive int32) {
	if send, receive = c.snd.limit, c.rcv.limit; c.state.in(1<<stateClosed|1<<stateListen) && !c.is(flagDone) {
		set := c.t.settings()
		send, receive = set.WMem[1], set.RMem[1]
	}
	return send, receive
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
		v = bit(c.rcv.quick > 0 || !c.state.in(setSynchronized))
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
	case optWindowClamp:
		v = int(x.clamp)
	case optNotsentLowat:
		v = int(x.notsentLowat)
	case optInq:
		v = bit(x.inq)
	case optSaveSyn:
		v = bit(x.saveSyn)
	case optSavedSyn:
		return c.savedSyn(buf)
	case optThinLinear:
		v = bit(x.thin)
	case optThinDupack, optRepair, optIsMPTCP:
		v = 0
	case optTimestamp:
		v = int(c.timestamp())
	case optRTOMax:
		v = int(rtoMax / time.Millisecond)
	case optRTOMin:
		v = int(rtoMin / time.Microsecond)
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
