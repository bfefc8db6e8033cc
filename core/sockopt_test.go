package core_test

import (
	"encoding/binary"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// intOption is one line of the table: an option that is an int.
type intOption struct {
	name        string
	level, opt  int
	initial     int         // what getsockopt gives on a new socket
	set         map[int]int // value set → value got
	refused     map[int]syscall.Errno
	readOnly    bool
	kinds       []kind
	acceptsByte bool // also one unsigned byte, as options of IPPROTO_IP do
}

const (
	einval     = syscall.EINVAL
	noProtoOpt = syscall.ENOPROTOOPT
)

var (
	onOff   = map[int]int{0: 0, 1: 1, 7: 1}
	inet6   = []kind{streams[1], datagrams[1]}
	tcp4    = streams[:1]
	udp4    = datagrams[:1]
	udp6    = datagrams[1:]
	buffers = 212992
)

func TestIntOptions(t *testing.T) {
	for _, o := range []intOption{
		{"SO_REUSEADDR", core.SolSocket, core.SoReuseAddr, 0, onOff, nil, false, kinds, false},
		{"SO_REUSEPORT", core.SolSocket, core.SoReusePort, 0, onOff, nil, false, kinds, false},
		{"SO_BROADCAST", core.SolSocket, core.SoBroadcast, 0, onOff, nil, false, kinds, false},
		{"SO_KEEPALIVE", core.SolSocket, core.SoKeepalive, 0, onOff, nil, false, kinds, false},
		{"SO_OOBINLINE", core.SolSocket, core.SoOOBInline, 0, onOff, nil, false, kinds, false},
		{"SO_DONTROUTE", core.SolSocket, core.SoDontRoute, 0, onOff, nil, false, kinds, false},
		{"SO_TIMESTAMP", core.SolSocket, core.SoTimestamp, 0, onOff, nil, false, kinds, false},
		{"SO_TIMESTAMPNS", core.SolSocket, core.SoTimestampNS, 0, onOff, nil, false, kinds, false},
		{"SO_NO_CHECK", core.SolSocket, core.SoNoCheck, 0, onOff, nil, false, datagrams, false},
		{"SO_PRIORITY", core.SolSocket, core.SoPriority, 0, map[int]int{6: 6, 0: 0}, nil, false, kinds, false},
		{"SO_MARK", core.SolSocket, core.SoMark, 0, map[int]int{42: 42, -1: -1}, nil, false, kinds, false},
		{"SO_SNDBUF", core.SolSocket, core.SoSndBuf, buffers, map[int]int{10000: 20000, 1: 4608, 0: 4608, -1: 8 << 20, 10_000_000: 8 << 20}, nil, false, datagrams, false},
		{"SO_SNDBUF of a stream", core.SolSocket, core.SoSndBuf, 16384, map[int]int{10000: 20000, 1: 4608, 0: 4608, -1: 8 << 20, 10_000_000: 8 << 20}, nil, false, streams, false},
		{"SO_RCVBUF", core.SolSocket, core.SoRcvBuf, buffers, map[int]int{10000: 20000, 1: 2304, 0: 2304, -1: 8 << 20, 10_000_000: 8 << 20}, nil, false, datagrams, false},
		{"SO_RCVBUF of a stream", core.SolSocket, core.SoRcvBuf, 131072, map[int]int{10000: 20000, 1: 2304, 0: 2304, -1: 8 << 20, 10_000_000: 8 << 20}, nil, false, streams, false},
		{"SO_RCVLOWAT", core.SolSocket, core.SoRcvLowat, 1, map[int]int{100: 100, 0: 1, -1: 1<<31 - 1}, nil, false, kinds, false},
		{"SO_SNDLOWAT", core.SolSocket, core.SoSndLowat, 1, nil, nil, true, kinds, false},
		{"SO_BINDTOIFINDEX", core.SolSocket, core.SoBindToIfindex, 0, map[int]int{2: 2, 0: 0},
			map[int]syscall.Errno{-1: einval, 99: syscall.ENODEV}, false, kinds, false},
		{"SO_ERROR", core.SolSocket, core.SoError, 0, nil, nil, true, kinds, false},
		{"SO_ACCEPTCONN", core.SolSocket, core.SoAcceptConn, 0, nil, nil, true, kinds, false},
		{"SO_TYPE", core.SolSocket, core.SoType, core.SockDgram, nil, nil, true, datagrams, false},
		{"SO_TYPE of a stream", core.SolSocket, core.SoType, core.SockStream, nil, nil, true, streams, false},
		{"SO_DOMAIN", core.SolSocket, core.SoDomain, core.AFInet6, nil, nil, true, inet6, false},
		{"SO_PROTOCOL", core.SolSocket, core.SoProtocol, 17, nil, nil, true, datagrams, false},
		{"SO_PROTOCOL of a stream", core.SolSocket, core.SoProtocol, 6, nil, nil, true, streams, false},

		{"IP_TOS", core.SolIP, core.IPTOS, 0, map[int]int{0x10: 0x10, 0xff: 0xff}, nil, false, udp4, true},
		{"IP_TOS of a stream", core.SolIP, core.IPTOS, 0, map[int]int{0x10: 0x10, 0xff: 0xfc}, nil, false, tcp4, true},
		{"IP_TTL", core.SolIP, core.IPTTL, 64, map[int]int{1: 1, 255: 255, -1: 64},
			map[int]syscall.Errno{0: einval, 256: einval, -2: einval}, false, kinds, true},
		{"IP_MULTICAST_TTL", core.SolIP, core.IPMulticastTTL, 1, map[int]int{0: 0, 255: 255, -1: 1},
			map[int]syscall.Errno{256: einval, -2: einval}, false, datagrams, true},
		{"IP_MULTICAST_TTL of a stream", core.SolIP, core.IPMulticastTTL, 1, nil, map[int]syscall.Errno{3: einval}, false, streams, false},
		{"IP_MULTICAST_LOOP", core.SolIP, core.IPMulticastLoop, 1, onOff, nil, false, kinds, true},
		{"IP_MULTICAST_ALL", core.SolIP, core.IPMulticastAll, 1, map[int]int{0: 0, 1: 1},
			map[int]syscall.Errno{2: einval, -1: einval}, false, kinds, true},
		{"IP_MTU_DISCOVER", core.SolIP, core.IPMTUDiscover, 1, map[int]int{0: 0, 5: 5},
			map[int]syscall.Errno{6: einval, -1: einval}, false, kinds, true},
		{"IP_FREEBIND", core.SolIP, core.IPFreeBind, 0, onOff, nil, false, kinds, true},
		{"IP_PKTINFO", core.SolIP, core.IPPktInfo, 0, onOff, nil, false, kinds, true},
		{"IP_RECVTOS", core.SolIP, core.IPRecvTOS, 0, onOff, nil, false, kinds, true},
		{"IP_RECVTTL", core.SolIP, core.IPRecvTTL, 0, onOff, nil, false, kinds, true},
		{"IP_RECVERR", core.SolIP, core.IPRecvErr, 0, onOff, nil, false, kinds, true},

		{"IPV6_V6ONLY", core.SolIPv6, core.IPv6V6Only, 0, onOff, nil, false, inet6, false},
		{"IPV6_UNICAST_HOPS", core.SolIPv6, core.IPv6UnicastHops, 64, map[int]int{1: 1, 255: 255, -1: 64},
			map[int]syscall.Errno{256: einval, -2: einval}, false, inet6, false},
		{"IPV6_MULTICAST_HOPS", core.SolIPv6, core.IPv6MulticastHops, 1, map[int]int{0: 0, 255: 255, -1: 1},
			map[int]syscall.Errno{256: einval, -2: einval}, false, udp6, false},
		{"IPV6_MULTICAST_HOPS of a stream", core.SolIPv6, core.IPv6MulticastHops, 1, nil, map[int]syscall.Errno{3: noProtoOpt}, false, streams[1:], false},
		{"IPV6_MULTICAST_IF", core.SolIPv6, core.IPv6MulticastIF, 0, map[int]int{2: 2, 0: 0},
			map[int]syscall.Errno{99: syscall.ENODEV}, false, udp6, false},
		{"IPV6_MULTICAST_LOOP", core.SolIPv6, core.IPv6MulticastLoop, 1, map[int]int{0: 0, 1: 1},
			map[int]syscall.Errno{2: einval, -1: einval}, false, inet6, false},
		{"IPV6_MULTICAST_ALL", core.SolIPv6, core.IPv6MulticastAll, 1, onOff, nil, false, inet6, false},
		{"IPV6_MTU_DISCOVER", core.SolIPv6, core.IPv6MTUDiscover, 1, map[int]int{0: 0, 5: 5},
			map[int]syscall.Errno{6: einval, -1: einval}, false, inet6, false},
		{"IPV6_TCLASS", core.SolIPv6, core.IPv6TClass, 0, map[int]int{0x20: 0x20, -1: 0, 255: 255},
			map[int]syscall.Errno{256: einval, -2: einval}, false, udp6, false},
		{"IPV6_TCLASS of a stream", core.SolIPv6, core.IPv6TClass, 0, map[int]int{255: 252}, nil, false, streams[1:], false},
		{"IPV6_DONTFRAG", core.SolIPv6, core.IPv6DontFrag, 0, onOff, nil, false, inet6, false},
		{"IPV6_FREEBIND", core.SolIPv6, core.IPv6FreeBind, 0, onOff, nil, false, inet6, false},
		{"IPV6_RECVPKTINFO", core.SolIPv6, core.IPv6RecvPktInfo, 0, onOff, nil, false, inet6, false},
		{"IPV6_RECVTCLASS", core.SolIPv6, core.IPv6RecvTClass, 0, onOff, nil, false, inet6, false},
		{"IPV6_RECVHOPLIMIT", core.SolIPv6, core.IPv6RecvHopLimit, 0, onOff, nil, false, inet6, false},
		{"IPV6_RECVERR", core.SolIPv6, core.IPv6RecvErr, 0, onOff, nil, false, inet6, false},
	} {
		t.Run(o.name, func(t *testing.T) { o.check(t) })
	}
}

func (o *intOption) check(t *testing.T) {
	h := newHosts(t)
	for _, k := range o.kinds {
		s := open(t, h.a, k)
		if v, err := s.Int(o.level, o.opt); err != nil || v != o.initial {
			t.Errorf("%v: at first %d, %v; want %d", k, v, err, o.initial)
		}
		for set, get := range o.set {
			if err := s.SetInt(o.level, o.opt, set); err != nil {
				t.Errorf("%v: setting %d: %v", k, set, err)
				continue
			}
			if v, err := s.Int(o.level, o.opt); err != nil || v != get {
				t.Errorf("%v: %d after %d was set, %v; want %d", k, v, set, err, get)
			}
		}
		before, _ := s.Int(o.level, o.opt)
		for set, errno := range o.refused {
			want(t, k.String()+": a value out of range", s.SetInt(o.level, o.opt, set), errno)
		}
		if o.readOnly {
			want(t, k.String()+": setting what can be read only", s.SetInt(o.level, o.opt, 1), noProtoOpt)
			continue
		}
		if len(o.set) == 0 {
			continue
		}
		want(t, k.String()+": no value", s.SetOption(o.level, o.opt, nil), einval)
		if o.acceptsByte {
			want(t, k.String()+": one byte", s.SetOption(o.level, o.opt, []byte{1}), nil)
			if v, err := s.Int(o.level, o.opt); err != nil || v != 1 && o.opt != core.IPTOS {
				t.Errorf("%v: %d after one byte of 1, %v", k, v, err)
			}
			continue
		}
		want(t, k.String()+": a value that is too short", s.SetOption(o.level, o.opt, []byte{1, 0, 0}), einval)
		if v, err := s.Int(o.level, o.opt); err != nil || v != before {
			t.Errorf("%v: a refused value changed %d to %d, %v", k, before, v, err)
		}
	}
}

func TestUnknownOptionsAndLevels(t *testing.T) {
	h := newHosts(t)
	for _, k := range kinds {
		s := open(t, h.a, k)
		for _, x := range [][2]int{{core.SolSocket, 999}, {core.SolIP, 999}, {core.SolIPv6, 999}, {999, 1}, {core.SolUDP, 999}, {core.SolTCP, 999}} {
			want(t, k.String()+": setsockopt", s.SetInt(x[0], x[1], 1), noProtoOpt)
			_, err := s.Int(x[0], x[1])
			want(t, k.String()+": getsockopt", err, noProtoOpt)
		}
	}
	s := open(t, h.a, datagrams[0])
	want(t, "an option of IPv6 on AF_INET", s.SetInt(core.SolIPv6, core.IPv6V6Only, 1), noProtoOpt)
	_, err := s.Int(core.SolIPv6, core.IPv6V6Only)
	want(t, "reading an option of IPv6 on AF_INET", err, noProtoOpt)
	want(t, "an option of TCP on UDP", s.SetInt(core.SolTCP, 1, 1), noProtoOpt)
}

func TestGetsockoptGivesAsMuchAsFits(t *testing.T) {
	h := newHosts(t)
	s := open(t, h.a, datagrams[0])
	for _, size := range []int{0, 1, 3, 4, 8} {
		n, err := s.Option(core.SolSocket, core.SoRcvBuf, make([]byte, size))
		if err != nil || n != min(size, 4) {
			t.Errorf("%d bytes of %d, %v", n, size, err)
		}
	}
}

func timeval(sec, usec int64) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(sec))
	return binary.NativeEndian.AppendUint64(b, uint64(usec))
}

func TestForcedBufferSizes(t *testing.T) {
	h := newHosts(t)
	s := open(t, h.a, datagrams[0])
	for _, x := range []struct{ force, plain, least int }{
		{core.SoSndBufForce, core.SoSndBuf, 4608}, {core.SoRcvBufForce, core.SoRcvBuf, 2304},
	} {
		for set, get := range map[int]int{10000: 20000, -1: x.least} {
			ok(t, s.SetInt(core.SolSocket, x.force, set))
			if v, err := s.Int(core.SolSocket, x.plain); v != get || err != nil {
				t.Errorf("option %d: %d after %d, %v; want %d", x.force, v, set, err, get)
			}
		}
		_, err := s.Int(core.SolSocket, x.force)
		want(t, "reading what can be set only", err, noProtoOpt)
	}
}

// net.core.rmem_default and its like hold for sockets made later, the most also for
// those that there are.
func TestBufferSizesAreTheInstances(t *testing.T) {
	h := newHosts(t)
	old := open(t, h.a, datagrams[0])
	for name, v := range map[string]string{"rmem_default": "30000", "wmem_default": "40000", "rmem_max": "50000", "wmem_max": "60000"} {
		ok(t, h.a.SetSysctl("net.core."+name, v))
	}
	for _, x := range []struct {
		name string
		s    *core.Socket
		opt  int
		want int
	}{
		{"an older socket", old, core.SoRcvBuf, buffers},
		{"a socket", open(t, h.a, datagrams[0]), core.SoRcvBuf, 30000},
		{"a socket", open(t, h.a, datagrams[1]), core.SoSndBuf, 40000},
		{"a socket of another instance", open(t, h.b, datagrams[0]), core.SoRcvBuf, buffers},
	} {
		if v, err := x.s.Int(core.SolSocket, x.opt); v != x.want || err != nil {
			t.Errorf("option %d of %s: %d, %v; want %d", x.opt, x.name, v, err, x.want)
		}
	}
	for opt, most := range map[int]int{core.SoRcvBuf: 100000, core.SoSndBuf: 120000} {
		ok(t, old.SetInt(core.SolSocket, opt, 1<<20))
		if v, _ := old.Int(core.SolSocket, opt); v != most {
			t.Errorf("option %d: %d after a megabyte, want %d", opt, v, most)
		}
	}
}

func TestTimeoutOptions(t *testing.T) {
	h := newHosts(t)
	s := open(t, h.a, datagrams[0])
	for _, opt := range []int{core.SoRcvTimeo, core.SoSndTimeo} {
		for _, x := range []struct {
			set, got [2]int64
			err      error
		}{
			{[2]int64{3, 500000}, [2]int64{3, 500000}, nil},
			{[2]int64{0, 0}, [2]int64{0, 0}, nil},
			{[2]int64{-1, 0}, [2]int64{0, 0}, nil},
			{[2]int64{1 << 62, 0}, [2]int64{0, 0}, nil},
			{[2]int64{1, 1e6}, [2]int64{0, 0}, syscall.EDOM},
			{[2]int64{1, -1}, [2]int64{0, 0}, syscall.EDOM},
		} {
			want(t, "setting", s.SetOption(core.SolSocket, opt, timeval(x.set[0], x.set[1])), x.err)
			b := make([]byte, 16)
			if n, err := s.Option(core.SolSocket, opt, b); n != 16 || err != nil || string(b) != string(timeval(x.got[0], x.got[1])) {
				t.Errorf("option %d after %v: % x, %d bytes, %v", opt, x.set, b, n, err)
			}
		}
		want(t, "a short timeval", s.SetOption(core.SolSocket, opt, make([]byte, 15)), einval)
	}
}

func TestReceiveTimeoutEndsTheCall(t *testing.T) {
	each(t, datagrams, func(t *testing.T, h *hosts, k kind) {
		s := open(t, h.a, k)
		ok(t, s.SetOption(core.SolSocket, core.SoRcvTimeo, timeval(2, 0)))
		start := h.Host.Now()
		_, err := receive(s, 10, 0)
		want(t, "receive", err, syscall.EAGAIN)
		if d := h.Host.Now().Sub(start); d != 2*time.Second {
			t.Errorf("the call took %v, want 2s", d)
		}
		ok(t, s.SetOption(core.SolSocket, core.SoRcvTimeo, timeval(-1, 0)))
		_, err = receive(s, 10, 0)
		want(t, "receive with a negative time", err, syscall.EAGAIN)
		if d := h.Host.Now().Sub(start); d != 2*time.Second {
			t.Errorf("a negative time waited until %v", d)
		}
	})
}

func TestSendTimeoutEndsTheCall(t *testing.T) {
	each(t, streams, func(t *testing.T, h *hosts, k kind) {
		c, _, _ := h.pair(t, k, 7)
		ok(t, c.SetOption(core.SolSocket, core.SoSndTimeo, timeval(1, 0)))
		sent := 0
		for range 1000 {
			start := h.Host.Now()
			n, err := c.Send(&core.Message{Data: make([]byte, 100000)})
			sent += n
			if err != nil {
				want(t, "a send without room", err, syscall.EAGAIN)
				if d := h.Host.Now().Sub(start); d < time.Second || d > 2*time.Second {
					t.Errorf("it took %v, want 1s", d)
				}
				if sent == 0 {
					t.Error("nothing was sent before")
				}
				return
			}
		}
		t.Errorf("%d bytes were taken that nobody read", sent)
	})
}

func TestConnectTimeoutIsTheSendTimeout(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s := open(t, h.a, streams[0])
		ok(t, s.SetOption(core.SolSocket, core.SoSndTimeo, timeval(1, 0)))
		start := h.Host.Now()
		want(t, "connect", s.Connect(at("10.0.0.99", 7)), syscall.EINPROGRESS)
		if d := h.Host.Now().Sub(start); d != time.Second {
			t.Errorf("after %v, want 1s", d)
		}
	})
}

func TestLinger(t *testing.T) {
	h := newHosts(t)
	s := open(t, h.a, streams[0])
	linger := func(on, sec uint32) []byte {
		return binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, on), sec)
	}
	b := make([]byte, 8)
	for _, x := range [][2]uint32{{0, 0}, {1, 5}, {1, 0}, {0, 0}} {
		ok(t, s.SetOption(core.SolSocket, core.SoLinger, linger(x[0], x[1])))
		if n, err := s.Option(core.SolSocket, core.SoLinger, b); n != 8 || err != nil || string(b) != string(linger(x[0], x[1])) {
			t.Errorf("after %v: % x, %d, %v", x, b, n, err)
		}
	}
	want(t, "a short struct", s.SetOption(core.SolSocket, core.SoLinger, make([]byte, 7)), einval)
}

// The connection hears of SO_KEEPALIVE when it is set, idle as it is.
func TestKeepaliveTakesEffectAtOnce(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		c, _, _ := h.pair(t, streams[0], 7)
		for opt, v := range map[int]int{4: 2, 5: 1, 6: 3} { // TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT
			ok(t, c.SetInt(core.SolTCP, opt, v))
		}
		ok(t, c.SetInt(core.SolSocket, core.SoKeepalive, 1))
		ok(t, h.b.InterfaceByName("eth0").SetUp(false))
		start := h.Host.Now()
		_, err := receive(c, 10, 0)
		want(t, "receive", err, syscall.ETIMEDOUT)
		if d := h.Host.Now().Sub(start); d != 5*time.Second {
			t.Errorf("the peer was given up after %v, want 2s and three probes", d)
		}
	})
}

func TestBindToDevice(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s := open(t, h.b, datagrams[0])
		want(t, "an unknown device", s.SetOption(core.SolSocket, core.SoBindToDevice, []byte("eth7")), syscall.ENODEV)
		ok(t, s.SetOption(core.SolSocket, core.SoBindToDevice, []byte("lo\x00rest")))
		b := make([]byte, 16)
		if n, err := s.Option(core.SolSocket, core.SoBindToDevice, b); err != nil || string(b[:n]) != "lo\x00" {
			t.Errorf("bound to %q, %v", b[:n], err)
		}
		_, err := s.Option(core.SolSocket, core.SoBindToDevice, b[:15])
		want(t, "a buffer below IFNAMSIZ", err, einval)
		if v, err := s.Int(core.SolSocket, core.SoBindToIfindex); v != h.b.Loopback().Index() || err != nil {
			t.Errorf("SO_BINDTOIFINDEX is %d, %v", v, err)
		}
		ok(t, s.Bind(at("0.0.0.0", 7)))
		c := open(t, h.a, datagrams[0])
		ok(t, c.Connect(at(addrB, 7)))
		send(t, c, "by eth0")
		_, err = receive(c, 10, 0)
		want(t, "what came by another device", err, syscall.ECONNREFUSED)
		ok(t, s.SetOption(core.SolSocket, core.SoBindToDevice, nil))
		send(t, c, "again")
		wantReceived(t, s, 10, 0, "again")
	})
}

func TestBroadcastNeedsLeave(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		l := open(t, h.b, datagrams[0])
		ok(t, l.Bind(at("0.0.0.0", 7)))
		s := open(t, h.a, datagrams[0])
		to := at("10.0.0.255", 7)
		_, err := s.Send(&core.Message{Data: []byte("all"), Addr: to, HasAddr: true})
		want(t, "send", err, syscall.EACCES)
		want(t, "connect", s.Connect(to), syscall.EACCES)
		ok(t, s.SetInt(core.SolSocket, core.SoBroadcast, 1))
		_, err = s.Send(&core.Message{Data: []byte("all"), Addr: to, HasAddr: true})
		ok(t, err)
		wantReceived(t, l, 10, 0, "all")
	})
}

func TestV6OnlyIsFixedOnceBound(t *testing.T) {
	h := newHosts(t)
	for _, k := range inet6 {
		s := open(t, h.a, k)
		ok(t, s.Bind(at("::", 7)))
		want(t, k.String(), s.SetInt(core.SolIPv6, core.IPv6V6Only, 1), einval)
	}
}

func TestPathMTUOptions(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		level, opt := core.SolIP, core.IPMTU
		if k.family == core.AFInet6 {
			level, opt = core.SolIPv6, core.IPv6MTU
		}
		_, err := open(t, h.a, k).Int(level, opt)
		want(t, "without a peer", err, syscall.ENOTCONN)
		c, _, _ := h.pair(t, k, 7)
		if v, err := c.Int(level, opt); err != nil || v != 1500 {
			t.Errorf("%d, %v; want the link's 1500", v, err)
		}
	})
}

func TestDefaultHopsFollowTheSettings(t *testing.T) {
	h := newHosts(t)
	ok(t, h.a.SetSysctl("net.ipv4.ip_default_ttl", "33"))
	if v, err := open(t, h.a, datagrams[0]).Int(core.SolIP, core.IPTTL); v != 33 || err != nil {
		t.Errorf("IP_TTL %d, %v; want 33", v, err)
	}
	ok(t, h.a.SetSysctl("net.ipv6.conf.eth0.hop_limit", "44"))
	h.Do(func() {
		s := open(t, h.a, datagrams[1])
		ok(t, s.Connect(at(addrB6, 7)))
		if v, err := s.Int(core.SolIPv6, core.IPv6UnicastHops); v != 44 || err != nil {
			t.Errorf("IPV6_UNICAST_HOPS %d, %v; want 44", v, err)
		}
	})
}

func TestDontFragmentRefusesWhatDoesNotFit(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s, _, _ := h.pair(t, datagrams[1], 7)
		_, err := s.Send(&core.Message{Data: make([]byte, 3000)})
		want(t, "a datagram that is fragmented", err, nil)
		ok(t, s.SetInt(core.SolIPv6, core.IPv6DontFrag, 1))
		_, err = s.Send(&core.Message{Data: make([]byte, 3000)})
		want(t, "with IPV6_DONTFRAG", err, syscall.EMSGSIZE)
	})
}

// mreqn is struct ip_mreqn.
func mreqn(group, local string, ifindex int) []byte {
	g, l := at(group, 0).Addr.As4(), at(local, 0).Addr.As4()
	return binary.NativeEndian.AppendUint32(append(g[:], l[:]...), uint32(ifindex))
}

// mreq6 is struct ipv6_mreq.
func mreq6(group string, ifindex int) []byte {
	g := at(group, 0).Addr.As16()
	return binary.NativeEndian.AppendUint32(g[:], uint32(ifindex))
}

// groupReq is struct group_req.
func groupReq(ifindex int, family uint16, group string) []byte {
	b := make([]byte, 136)
	binary.NativeEndian.PutUint32(b, uint32(ifindex))
	binary.NativeEndian.PutUint16(b[8:], family)
	if family == core.AFInet {
		a := at(group, 0).Addr.As4()
		copy(b[12:], a[:])
	} else {
		a := at(group, 0).Addr.As16()
		copy(b[16:], a[:])
	}
	return b
}

func TestMembershipErrors(t *testing.T) {
	h := newHosts(t)
	u4, u6 := datagrams[0], datagrams[1]
	for _, x := range []struct {
		name       string
		k          kind
		level, opt int
		value      []byte
		err        error
	}{
		{"a short ip_mreq", u4, core.SolIP, core.IPAddMembership, make([]byte, 7), einval},
		{"no group", u4, core.SolIP, core.IPAddMembership, mreqn(addrB, addrA, 0), einval},
		{"an unknown interface", u4, core.SolIP, core.IPAddMembership, mreqn("224.1.1.1", "0.0.0.0", 99), syscall.ENODEV},
		{"an address of nobody", u4, core.SolIP, core.IPAddMembership, mreqn("224.1.1.1", "10.9.9.9", 0), syscall.ENODEV},
		{"leaving what was not joined", u4, core.SolIP, core.IPDropMembership, mreqn("224.1.1.1", addrA, 0), syscall.EADDRNOTAVAIL},
		{"a stream", streams[0], core.SolIP, core.IPAddMembership, mreqn("224.1.1.1", addrA, 0), syscall.EPROTO},
		{"a short group_req", u4, core.SolIP, core.MCastJoinGroup, make([]byte, 135), einval},
		{"a group_req of IPv6", u4, core.SolIP, core.MCastJoinGroup, groupReq(2, core.AFInet6, "ff02::99"), syscall.EADDRNOTAVAIL},
		{"a short ipv6_mreq", u6, core.SolIPv6, core.IPv6JoinGroup, make([]byte, 19), einval},
		{"no group of IPv6", u6, core.SolIPv6, core.IPv6JoinGroup, mreq6(addrB6, 2), einval},
		{"a mapped group", u6, core.SolIPv6, core.IPv6JoinGroup, mreq6("224.1.1.1", 2), einval},
		{"an unknown interface of IPv6", u6, core.SolIPv6, core.IPv6JoinGroup, mreq6("ff02::99", 99), syscall.ENODEV},
		{"leaving a group of IPv6", u6, core.SolIPv6, core.IPv6LeaveGroup, mreq6("ff02::99", 2), syscall.EADDRNOTAVAIL},
		{"a stream of IPv6", streams[1], core.SolIPv6, core.IPv6JoinGroup, mreq6("ff02::99", 2), syscall.EPROTO},
	} {
		want(t, x.name, open(t, h.a, x.k).SetOption(x.level, x.opt, x.value), x.err)
	}
}

func TestMembershipLastsAsLongAsTheSocket(t *testing.T) {
	for _, x := range []struct {
		name        string
		k           kind
		level       int
		group       string
		join, leave int
		value       []byte
	}{
		{"ip_mreq", datagrams[0], core.SolIP, "224.1.1.1", core.IPAddMembership, core.IPDropMembership, mreqn("224.1.1.1", addrA, 0)[:8]},
		{"ip_mreqn", datagrams[0], core.SolIP, "224.1.1.1", core.IPAddMembership, core.IPDropMembership, mreqn("224.1.1.1", "0.0.0.0", 2)},
		{"by route", datagrams[0], core.SolIP, "224.1.1.1", core.IPAddMembership, core.IPDropMembership, mreqn("224.1.1.1", "0.0.0.0", 2)},
		{"group_req", datagrams[0], core.SolIP, "224.1.1.1", core.MCastJoinGroup, core.MCastLeaveGroup, groupReq(2, core.AFInet, "224.1.1.1")},
		{"ipv6_mreq", datagrams[1], core.SolIPv6, "ff02::99", core.IPv6JoinGroup, core.IPv6LeaveGroup, mreq6("ff02::99", 2)},
		{"group_req of IPv6", datagrams[1], core.SolIPv6, "ff02::99", core.MCastJoinGroup, core.MCastLeaveGroup, groupReq(2, core.AFInet6, "ff02::99")},
	} {
		t.Run(x.name, func(t *testing.T) {
			h := newHosts(t)
			group := at(x.group, 0).Addr
			eth := h.a.InterfaceByName("eth0")
			in := func() (is bool) {
				h.Domain.Do(func() { is = eth.InGroup(group) })
				return is
			}
			s, s2 := open(t, h.a, x.k), open(t, h.a, x.k)
			ok(t, s.SetOption(x.level, x.join, x.value))
			want(t, "joining twice", s.SetOption(x.level, x.join, x.value), syscall.EADDRINUSE)
			ok(t, s2.SetOption(x.level, x.join, x.value))
			ok(t, s.SetOption(x.level, x.leave, x.value))
			if !in() {
				t.Error("one socket left, and with it the other")
			}
			ok(t, s2.Close())
			if in() {
				t.Error("the interface is in the group after its last socket closed")
			}
		})
	}
}

// A leave that names no interface leaves the group wherever it was joined.
func TestLeavingWithoutAnInterface(t *testing.T) {
	h := newHosts(t)
	s := open(t, h.a, datagrams[0])
	ok(t, s.SetOption(core.SolIP, core.IPAddMembership, mreqn("224.1.1.1", "127.0.0.1", 0)))
	ok(t, s.SetOption(core.SolIP, core.IPDropMembership, mreqn("224.1.1.1", "0.0.0.0", 0)))
}

func TestMembershipsAreBounded(t *testing.T) {
	h := newHosts(t)
	s := open(t, h.a, datagrams[0])
	for i := range 20 {
		a := wire.FromV4(0xe0010100 + uint32(i)).String()
		ok(t, s.SetOption(core.SolIP, core.IPAddMembership, mreqn(a, addrA, 0)))
	}
	want(t, "the 21st", s.SetOption(core.SolIP, core.IPAddMembership, mreqn("224.9.9.9", addrA, 0)), syscall.ENOBUFS)
}

func TestMulticastInterface(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		s := open(t, h.a, datagrams[0])
		b := make([]byte, 4)
		ours := at(addrA, 0).Addr.As4()
		for _, v := range [][]byte{ours[:], mreqn("224.1.1.1", addrA, 0)[:8], mreqn("224.1.1.1", addrA, 2)} {
			ok(t, s.SetOption(core.SolIP, core.IPMulticastIF, v))
			if n, err := s.Option(core.SolIP, core.IPMulticastIF, b); n != 4 || err != nil || [4]byte(b) != ours {
				t.Errorf("% x after % x, %v", b[:n], v, err)
			}
			ok(t, s.SetOption(core.SolIP, core.IPMulticastIF, make([]byte, 4)))
		}
		if _, err := s.Option(core.SolIP, core.IPMulticastIF, b); err != nil || [4]byte(b) != [4]byte{} {
			t.Errorf("% x after it was taken back, %v", b, err)
		}
		want(t, "short", s.SetOption(core.SolIP, core.IPMulticastIF, make([]byte, 3)), einval)
		want(t, "an address of nobody", s.SetOption(core.SolIP, core.IPMulticastIF, []byte{10, 9, 9, 9}), syscall.EADDRNOTAVAIL)
		want(t, "an unknown interface", s.SetOption(core.SolIP, core.IPMulticastIF, mreqn("0.0.0.0", "0.0.0.0", 99)), syscall.EADDRNOTAVAIL)
		want(t, "a stream", open(t, h.a, streams[0]).SetOption(core.SolIP, core.IPMulticastIF, b), einval)

		l := open(t, h.b, datagrams[0])
		ok(t, l.SetOption(core.SolIP, core.IPAddMembership, mreqn("224.1.1.1", addrB, 0)))
		ok(t, l.Bind(at("224.1.1.1", 7)))
		ok(t, s.SetOption(core.SolIP, core.IPMulticastIF, ours[:]))
		_, err := s.Send(&core.Message{Data: []byte("group"), Addr: at("224.1.1.1", 7), HasAddr: true})
		ok(t, err)
		m := core.Message{Data: make([]byte, 10)}
		if n, err := l.Receive(&m); err != nil || string(m.Data[:n]) != "group" || m.Addr.Addr != at(addrA, 0).Addr {
			t.Errorf("%q from %v, %v", m.Data[:n], m.Addr, err)
		}
		ok(t, s.SetOption(core.SolSocket, core.SoBindToDevice, []byte("lo")))
		want(t, "another device than the bound one", s.SetOption(core.SolIP, core.IPMulticastIF, ours[:]), einval)
	})
}

// SO_DONTROUTE and MSG_DONTROUTE reach neighbours and nobody behind a gateway; a
// route by the link is taken where one by a gateway is more specific.
func TestDontRouteReachesNeighboursAlone(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		prefix, err := wire.ParsePrefix("10.9.0.0/16")
		ok(t, err)
		ok(t, h.a.AddRoute(core.RouteEntry{Prefix: prefix, Gateway: at(addrB, 0).Addr}))
		far := at("10.9.0.1", 7)
		for _, k := range []kind{datagrams[0], streams[0]} {
			s := open(t, h.a, k)
			ok(t, s.SetInt(core.SolSocket, core.SoDontRoute, 1))
			want(t, k.String()+": behind a gateway", s.Connect(far), syscall.ENETUNREACH)
		}
		s, l := open(t, h.a, datagrams[0]), h.bound(t, datagrams[0], 7)
		_, err = s.Send(&core.Message{Data: []byte("x"), Addr: far, HasAddr: true})
		want(t, "by the gateway", err, nil)
		_, err = s.Send(&core.Message{Data: []byte("x"), Addr: far, HasAddr: true, Flags: core.MsgDontRoute})
		want(t, "MSG_DONTROUTE", err, syscall.ENETUNREACH)
		_, err = s.Send(&core.Message{Data: []byte("near"), Addr: at(addrB, 7), HasAddr: true, Flags: core.MsgDontRoute})
		ok(t, err)
		wantReceived(t, l, 9, 0, "near")
		six := open(t, h.a, datagrams[1])
		ok(t, six.SetInt(core.SolSocket, core.SoDontRoute, 1))
		ok(t, six.Connect(at(addrB6, 7)))
	})
}
