package tcp_test

import (
	"encoding/binary"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

// opens lets peers at the ports from on open connections as far as the instance
// answers, and tells how many got a SYN-ACK.
func (p *peer) opens(from, n int) (answered int) {
	for i := range n {
		q := p.at(from + i)
		q.in(syn)
		if s, _, ok := q.read(); ok {
			if s.flags.String() != "S." {
				p.T.Errorf("a SYN was answered by %s", s.flags)
			}
			answered++
			q.in(plain)
		}
	}
	return answered
}

// include/net/sock.h: the accept queue holds one more than the backlog.
func TestTheAcceptQueueHoldsTheBacklogAndOne(t *testing.T) {
	for _, x := range []struct {
		backlog   int
		somaxconn string
		room      int
	}{{0, "4096", 1}, {1, "4096", 2}, {5, "4096", 6}, {100, "3", 4}, {-1, "3", 4}} {
		p := newPeer(t, addrA, addrB)
		if err := p.host.SetSysctl("net.core.somaxconn", x.somaxconn); err != nil {
			t.Fatal(err)
		}
		l := p.listen(x.backlog)
		if n := p.opens(50000, 10); n != x.room {
			t.Errorf("backlog %d, somaxconn %s: %d connections, expected %d", x.backlog, x.somaxconn, n, x.room)
		}
		p.counts("TcpExt.ListenOverflows", 10-x.room)
		p.counts("TcpExt.ListenDrops", 10-x.room)
		l.accept()
		if n := p.opens(51000, 2); n != 1 {
			t.Errorf("%d connections took the place of one", n)
		}
	}
}

func TestListenAgainChangesTheBacklog(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(0)
	p.want(l.Listen(2), nil)
	if n := p.opens(50000, 5); n != 3 {
		t.Errorf("%d connections, expected 3", n)
	}
}

// fill fills the accept queue of a listener with backlog 0 while a request is
// open whose last step is then too much.
func fill(p *peer) (l *sock, late *peer) {
	l = p.listen(0)
	q := p.at(50000)
	p.in(syn)
	p.out(synack)
	p.setting("tcp_syncookies", "0")
	p.want(l.Listen(1), nil)
	q.in(syn)
	q.out(synack)
	p.want(l.Listen(0), nil)
	p.in(plain)
	return l, q
}

func TestAHandshakeThatFindsTheAcceptQueueFullGoesOnLater(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l, q := fill(p)
	q.in(plain)
	q.silent()
	p.counts("TcpExt.ListenOverflows", 1)
	p.counts("TcpExt.ListenDrops", 1)
	l.accept()
	q.sends(time.Second)
	q.out(synack, seq(0), ack(1))
	q.in(plain)
	l.accept().state("ESTABLISHED")
}

func TestAbortOnOverflowResetsWhatFindsTheAcceptQueueFull(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_abort_on_overflow", "1")
	l, q := fill(p)
	q.in(plain)
	q.out(rst, seq(1))
	p.counts("TcpExt.ListenOverflows", 1)
	p.counts("TcpExt.EmbryonicRsts", 1)
	l.accept()
	l.is(0)
}

func TestRequestsAreBounded(t *testing.T) {
	for _, x := range []struct {
		backlog int
		most    string
		room    int
	}{{2, "128", 3}, {100, "8", 7}} {
		p := newPeer(t, addrA, addrB)
		p.setting("tcp_syncookies", "0")
		p.setting("tcp_max_syn_backlog", x.most)
		p.listen(x.backlog)
		n := 0
		for i := range 20 {
			q := p.at(50000 + i)
			q.in(syn)
			n += q.drop()
		}
		if n != x.room {
			t.Errorf("backlog %d, tcp_max_syn_backlog %s: %d requests, expected %d", x.backlog, x.most, n, x.room)
		}
		p.counts("TcpExt.ListenDrops", 20-x.room)
		p.wait(2 * time.Minute) // the requests run out
		p.drop()
		if n := p.opens(51000, 1); n != 1 {
			t.Error("there is no room for a new request")
		}
	}
}

// RFC 4987 §3.6.
func TestACookieStandsForARequest(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		p.setting("tcp_syncookies", "2")
		l := p.listen(1)
		p.in(syn, mss(1300))
		p.out(synack, seq(0), ack(1), mss(1500-len40(p)), without("wscale", "sackOK", "timestamps"))
		p.counts("TcpExt.SyncookiesSent", 1)
		p.counts("TcpExt.TCPReqQFullDoCookies", 1)
		p.quiet(10 * time.Second) // it is not sent again
		p.in(plain)
		p.counts("TcpExt.SyncookiesRecv", 1)
		p.counts("TcpExt.SyncookiesFailed", 0)
		p.counts("Tcp.PassiveOpens", 1)
		c := l.accept()
		c.state("ESTABLISHED")
		if n, _ := c.Int(core.SolTCP, tcpMaxSeg); n != 1300 {
			t.Errorf("MSS %d, expected 1300", n)
		}
		p.in(plain, data("hello"))
		p.out(plain, ack(6))
		c.reads("hello")
		c.writes("world")
		p.out(plain, seq(1), data("world"))
	})
}

func TestTheAckOfACookieMayBringData(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_syncookies", "2")
	l := p.listen(1)
	p.in(syn)
	p.out(synack)
	p.in(plain, data("hello"))
	p.out(plain, ack(6))
	l.accept().reads("hello")
}

func TestACookieKeepsOptionsInTheTimestamp(t *testing.T) {
	for _, x := range []struct{ scale, sack bool }{{true, true}, {true, false}, {false, true}, {false, false}} {
		p := newPeer(t, addrA, addrB)
		p.setting("tcp_syncookies", "2")
		l := p.listen(1)
		parts := []part{mss(1460), ts(1000, 0)}
		if x.scale {
			parts = append(parts, wscale(5))
		}
		if x.sack {
			parts = append(parts, sackOK())
		}
		p.in(syn, parts...)
		p.out(synack, ts(0, 1000))
		p.in(plain, ts(1001, 0))
		c := l.accept()
		var b [8]byte
		if _, err := c.Option(core.SolTCP, tcpInfo, b[:]); err != nil {
			t.Fatal(err)
		}
		expected, peers := byte(1), byte(0) // TCPI_OPT_TIMESTAMPS, …_SACK, …_WSCALE
		if x.sack {
			expected |= 2
		}
		if x.scale {
			expected |= 4
			peers = 5
		}
		if b[5] != expected || b[6]&15 != peers {
			t.Errorf("%+v: options %#x, scale %d", x, b[5], b[6]&15)
		}
	}
}

func TestAnAckThatIsNoCookieIsReset(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_syncookies", "2")
	p.listen(1)
	p.in(plain, seq(1), ack(1)) // no cookie was sent, so none is looked for
	p.out(rst, seq(1))
	p.counts("TcpExt.SyncookiesFailed", 0)
	p.in(syn, seq(0))
	p.out(synack)
	for _, n := range []int{0, 100, 1 << 20} {
		p.in(plain, ack(n))
		p.out(rst, seq(n))
	}
	p.in(plain, seq(2))
	p.out(rst, seq(1))
	q := p.at(p.from + 1)
	q.iss, q.irs = p.iss, p.irs // somebody else with it
	q.in(plain, seq(1), ack(1))
	q.out(rst, seq(1))
	p.counts("TcpExt.SyncookiesFailed", 5)
	p.counts("Tcp.PassiveOpens", 0)
}

func TestACookieIsGoodForTwoMinutes(t *testing.T) {
	for _, x := range []struct {
		after time.Duration
		good  bool
	}{{59 * time.Second, true}, {121 * time.Second, false}} {
		p := newPeer(t, addrA, addrB)
		p.setting("tcp_syncookies", "2")
		l := p.listen(1)
		p.in(syn)
		p.out(synack)
		p.wait(x.after)
		p.at(50000).in(syn) // cookies are still in use
		p.drop()
		p.in(plain)
		if !x.good {
			p.out(rst, seq(1))
			p.counts("TcpExt.SyncookiesFailed", 1)
			continue
		}
		l.accept()
	}
}

func TestACookieThatFindsTheAcceptQueueFullIsDropped(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("tcp_syncookies", "2")
	l := p.listen(0)
	q := p.at(50000)
	q.in(syn)
	q.out(synack)
	p.accepting(l)
	q.in(plain)
	q.quiet(time.Minute)
	p.counts("TcpExt.ListenOverflows", 1)
	l.accept()
	q.in(plain)
	l.accept().state("ESTABLISHED")
}

// accepting is a handshake whose connection stays in the queue.
func (p *peer) accepting(*sock) {
	p.T.Helper()
	p.in(syn)
	p.out(synack)
	p.in(plain)
}

// tcp_syncookies=1: a flood does not shut out others, and keeps no memory.
func TestAFloodOfSynsIsAnsweredByCookiesWithoutMemory(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(10)
	used := func() (n int64) {
		p.Domain.Do(func() { n = p.host.Account().Bytes() })
		return n
	}
	flood := func(from int) {
		for i := range 5000 {
			p.at(from + i).in(syn)
		}
		if n := p.drop(); n != 5000 {
			t.Errorf("%d of 5000 SYNs were answered", n)
		}
	}
	flood(1000)
	before := used()
	flood(10000)
	if after := used(); after > before {
		t.Errorf("memory grew from %d to %d bytes", before, after)
	}
	p.counts("TcpExt.SyncookiesSent", 10000-11)
	q := p.at(60000)
	q.in(syn)
	q.out(synack)
	q.in(plain)
	l.accept().state("ESTABLISHED")
}

func TestClosingAListenerResetsItsConnections(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(5)
		p.accepting(l)
		q := p.at(50000)
		q.in(syn)
		q.out(synack)
		l.closes()
		q.out(rstack, seq(1))
		p.out(rstack, seq(1))
		p.in(syn, seq(0))
		p.out(rstack, ack(1))
		p.quiet(time.Minute)
	})
}

func TestShuttingAListenerEndsListening(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(5)
	l.shuts(core.ShutWrite)
	l.state("LISTEN")
	l.shuts(core.ShutRead)
	_, _, err := l.Accept()
	p.want(err, syscall.EINVAL)
	p.in(syn)
	p.out(rstack)
}

func TestAcceptWithNothingToAccept(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	_, _, err := p.socket().Accept()
	p.want(err, syscall.EINVAL)
	_, _, err = p.listen(1).Accept()
	p.want(err, syscall.EAGAIN)
	_, _, err = p.established().Accept()
	p.want(err, syscall.EINVAL)
}

func TestAListenerDoesNotSendOrReceive(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	l.failsToRead(syscall.ENOTCONN)
	l.failsToWrite(syscall.EPIPE)
	if n, _ := l.Int(core.SolSocket, core.SoAcceptConn); n != 1 {
		t.Error("SO_ACCEPTCONN is not set")
	}
}

// Poll said that there is a connection: accept has to return it, whatever
// happened to it since.
func TestAConnectionThatEndedIsStillAccepted(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(1)
		p.accepting(l)
		p.in(plain, data("bye"))
		p.out(plain, ack(4))
		p.in(rst)
		l.is(core.ReadyIn)
		c := l.accept()
		c.reads("bye")
		c.failsToRead(syscall.ECONNRESET)
		l.is(0)
	})
}

func TestConnectionsThatEndedDoNotOutliveTheListener(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	p.accepting(l)
	p.in(rst)
	l.closes()
}

func TestAcceptedSocketsInheritOptions(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.socket()
	options := []struct{ level, name, value int }{
		{core.SolSocket, core.SoKeepalive, 1}, {core.SolSocket, core.SoReuseAddr, 1}, {core.SolSocket, core.SoOOBInline, 1},
		{core.SolSocket, core.SoPriority, 3}, {core.SolIP, core.IPTOS, 0x10}, {core.SolIP, core.IPTTL, 33},
		{core.SolTCP, tcpNoDelay, 1}, {core.SolTCP, tcpKeepIdle, 11}, {core.SolTCP, tcpKeepIntvl, 12}, {core.SolTCP, tcpKeepCnt, 13},
		{core.SolTCP, tcpLinger2, 14}, {core.SolTCP, tcpUserTimeout, 15}, {core.SolTCP, tcpSynCnt, 16},
	}
	for _, o := range options {
		l.sets(o.level, o.name, o.value)
	}
	p.want(l.SetOption(core.SolTCP, tcpCongestion, []byte("reno")), nil)
	p.want(l.Bind(p.here(80)), nil)
	p.want(l.Listen(1), nil)
	c := p.accepted(l)
	for _, o := range options {
		if v, err := c.Int(o.level, o.name); v != o.value || err != nil {
			t.Errorf("option %d.%d is %d (%v), expected %d", o.level, o.name, v, err, o.value)
		}
	}
	var b [16]byte
	n, _ := c.Option(core.SolTCP, tcpCongestion, b[:])
	if string(b[:4]) != "reno" {
		t.Errorf("congestion control %q", b[:n])
	}
	c.sets(core.SolTCP, tcpKeepIdle, 99) // the listener keeps its own
	if v, _ := l.Int(core.SolTCP, tcpKeepIdle); v != 11 {
		t.Errorf("TCP_KEEPIDLE of the listener became %d", v)
	}
}

// tcp(7), TCP_DEFER_ACCEPT.
func TestDeferAcceptWaitsForData(t *testing.T) {
	eachFamily(t, func(t *testing.T, p *peer) {
		l := p.listen(1)
		l.sets(core.SolTCP, tcpDeferAccept, 5)
		if v, _ := l.Int(core.SolTCP, tcpDeferAccept); v != 7 { // as Linux rounds: 1+2+4
			t.Errorf("TCP_DEFER_ACCEPT is %d, expected 7", v)
		}
		p.in(syn)
		p.out(synack)
		p.in(plain)
		l.is(0)
		p.counts("TcpExt.TCPDeferAcceptDrop", 1)
		p.quiet(2 * time.Second) // the peer had the SYN-ACK: it is not sent again
		p.in(plain, data("hello"))
		p.out(plain, ack(6))
		c := l.accept()
		c.reads("hello")
	})
}

func TestDeferAcceptEndsByAnotherSynAck(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	l.sets(core.SolTCP, tcpDeferAccept, 5)
	p.in(syn)
	p.out(synack)
	p.in(plain)
	p.quiet(7*time.Second - time.Millisecond)
	p.wait(time.Millisecond)
	p.out(synack, seq(0), ack(1)) // a last chance for the peer
	l.is(0)
	p.in(plain)
	l.accept().state("ESTABLISHED")
}

// struct tcp_info (include/uapi/linux/tcp.h).
func TestTCPInfoTellsOfTheConnection(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.established(wscale(9), sackOK(), ts(100, 0), mss(1000))
	var b [300]byte
	n, err := c.Option(core.SolTCP, tcpInfo, b[:])
	if err != nil || n < 104 {
		t.Fatalf("%d bytes: %v", n, err)
	}
	u32 := func(at int) int { return int(binary.NativeEndian.Uint32(b[at:])) }
	if b[0] != 1 || b[5] != 7 || b[6]&15 != 9 {
		t.Errorf("state %d, options %#x, scales %#x", b[0], b[5], b[6])
	}
	for _, x := range []struct {
		name  string
		at    int
		value int
	}{{"snd_mss", 16, 988}, {"unacked", 24, 0}, {"pmtu", 60, 1500}, {"snd_cwnd", 80, 10}, {"total_retrans", 100, 0}} {
		if v := u32(x.at); v != x.value {
			t.Errorf("%s is %d, expected %d", x.name, v, x.value)
		}
	}
	c.writes("x")
	p.out(plain, data("x"))
	if _, err := c.Option(core.SolTCP, tcpInfo, b[:]); err != nil || u32(24) != 1 {
		t.Errorf("unacked is %d with a segment outstanding", u32(24))
	}
	p.in(plain, ack(2), ts(101, 0), data("hello, you"))
	p.out(plain)
	c.reads("hello, you")
	p.in(plain, ack(2), ts(101, 0), data("more"), win(2))
	p.wait(time.Second)
	p.drop()
	if n, err = c.Option(core.SolTCP, tcpInfo, b[:]); n != 248 || err != nil {
		t.Fatalf("%d bytes: %v", n, err)
	}
	u64 := func(at int) int { return int(binary.NativeEndian.Uint64(b[at:])) }
	if u64(120) != 2 || u64(128) != 14 { // with the SYN
		t.Errorf("%d bytes are acknowledged and %d received, expected 2 and 14", u64(120), u64(128))
	}
	for _, x := range []struct {
		name  string
		at    int
		value int
	}{{"advmss", 84, 1448}, {"segs_in", 140, 3}, {"snd_wnd", 228, 2 << 9}} {
		if v := u32(x.at); v != x.value {
			t.Errorf("%s is %d, expected %d", x.name, v, x.value)
		}
	}
	var short [4]byte
	if n, err := c.Option(core.SolTCP, tcpInfo, short[:]); n != 4 || err != nil {
		t.Errorf("a short buffer got %d bytes: %v", n, err)
	}
}
