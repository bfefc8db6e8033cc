package tcp_test

import (
	"encoding/binary"
	"strings"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// The user's side of the segment tests: sockets that never block, whose calls
// say what they expect.

// sock is a non-blocking socket of the instance under test.
type sock struct {
	*core.Socket
	p *peer
}

func (p *peer) wrap(s *core.Socket) *sock {
	s.SetNonblock(true)
	return &sock{s, p}
}

// socket opens a socket of the peer's family.
func (p *peer) socket() *sock {
	p.T.Helper()
	family := core.AFInet
	if strings.Contains(p.local, ":") {
		family = core.AFInet6
	}
	s, err := p.host.Socket(family, core.SockStream, 0)
	if err != nil {
		p.T.Fatal(err)
	}
	return p.wrap(s)
}

// here and there are the addresses of the instance and of the peer.
func (p *peer) here(port int) core.SockAddr {
	return core.SockAddr{Addr: wire.MustAddr(p.local), Port: uint16(port)}
}
func (p *peer) there() core.SockAddr {
	return core.SockAddr{Addr: wire.MustAddr(p.remote), Port: uint16(p.from)}
}

// want compares, for example the error of a call.
func (p *peer) want(got, expected any) {
	p.T.Helper()
	if got != expected {
		p.T.Errorf("got %v, expected %v", got, expected)
	}
}

// connect opens a socket and connects it to the peer, whose SYN is then to be
// taken by out.
func (p *peer) connect() *sock {
	p.T.Helper()
	s := p.socket()
	s.connects()
	return s
}

// connects connects s to the peer.
func (s *sock) connects() {
	s.p.T.Helper()
	s.p.want(s.Connect(s.p.there()), syscall.EINPROGRESS)
	s.p.port = int(s.LocalAddr().Port)
	s.p.Advance(0)
}

// listen opens a listening socket at p.port.
func (p *peer) listen(backlog int) *sock {
	p.T.Helper()
	s := p.socket()
	p.want(s.Bind(p.here(p.port)), nil)
	p.want(s.Listen(backlog), nil)
	return s
}

// accept takes the connection that waits.
func (s *sock) accept() *sock {
	s.p.T.Helper()
	c, _, err := s.Accept()
	if err != nil {
		s.p.T.Fatalf("accept: %v", err)
	}
	return s.p.wrap(c)
}

// established is a connection that the instance opened. The parts are those of
// the peer's SYN-ACK.
func (p *peer) established(parts ...part) *sock {
	p.T.Helper()
	s := p.connect()
	p.out(syn, seq(0))
	p.in(synack, append([]part{mss(1460)}, parts...)...)
	p.out(plain, seq(1), ack(1))
	return s
}

// accepted is a connection that the peer opened to l. The parts are those of its
// SYN.
func (p *peer) accepted(l *sock, parts ...part) *sock {
	p.T.Helper()
	p.in(syn, append([]part{mss(1460)}, parts...)...)
	p.out(synack, seq(0), ack(1))
	p.in(plain)
	return l.accept()
}

// writes sends text, all of which has to be taken.
func (s *sock) writes(text string) {
	s.p.T.Helper()
	n, err := s.Send(&core.Message{Data: []byte(text)})
	if n != len(text) || err != nil {
		s.p.T.Errorf("wrote %d of %d bytes: %v", n, len(text), err)
	}
	s.p.Advance(0)
}

// failsToWrite checks the error of a write.
func (s *sock) failsToWrite(expected error) {
	s.p.T.Helper()
	_, err := s.Send(&core.Message{Data: []byte("x"), Flags: core.MsgNoSignal})
	s.p.want(err, expected)
}

// reads checks that text is what can be read.
func (s *sock) reads(text string) {
	s.p.T.Helper()
	b := make([]byte, len(text)+1)
	n, err := s.Receive(&core.Message{Data: b})
	if string(b[:n]) != text || err != nil {
		s.p.T.Errorf("read %q, expected %q: %v", b[:n], text, err)
	}
	s.p.Advance(0)
}

// failsToRead checks the error of a read; nil is the end of the stream.
func (s *sock) failsToRead(expected error) {
	s.p.T.Helper()
	n, err := s.Receive(&core.Message{Data: make([]byte, 1)})
	s.p.want(err, expected)
	if n != 0 {
		s.p.T.Errorf("read %d bytes", n)
	}
}

func (s *sock) shuts(how int) {
	s.p.T.Helper()
	s.p.want(s.Shutdown(how), nil)
	s.p.Advance(0)
}

func (s *sock) closes() {
	s.p.T.Helper()
	s.p.want(s.Close(), nil)
	s.p.Advance(0)
}

// pending takes the pending error and checks it (SO_ERROR).
func (s *sock) pending(expected syscall.Errno) {
	s.p.T.Helper()
	v, err := s.Int(core.SolSocket, core.SoError)
	if err != nil || syscall.Errno(v) != expected {
		s.p.T.Errorf("SO_ERROR is %v (%v), expected %v", syscall.Errno(v), err, expected)
	}
}

// sets sets an option of an int value.
func (s *sock) sets(level, name, value int) {
	s.p.T.Helper()
	s.p.want(s.SetInt(level, name, value), nil)
}

// lingers sets SO_LINGER.
func (s *sock) lingers(d time.Duration) {
	s.p.T.Helper()
	var b [8]byte
	binary.NativeEndian.PutUint32(b[:], 1)
	binary.NativeEndian.PutUint32(b[4:], uint32(d/time.Second))
	s.p.want(s.SetOption(core.SolSocket, core.SoLinger, b[:]), nil)
}

// is checks poll(2)'s events.
func (s *sock) is(expected core.Ready) {
	s.p.T.Helper()
	if r := s.Ready(); r != expected {
		s.p.T.Errorf("ready for %#x, expected %#x", r, expected)
	}
}

// tcp_info's numbers of states (include/net/tcp_states.h).
var states = []string{"", "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED", "CLOSE-WAIT",
	"LAST-ACK", "LISTEN", "CLOSING"}

// state checks the state that TCP_INFO shows.
func (s *sock) state(expected string) {
	s.p.T.Helper()
	var b [1]byte
	if _, err := s.Option(core.SolTCP, tcpInfo, b[:]); err != nil {
		s.p.T.Errorf("TCP_INFO: %v", err)
		return
	}
	if got := states[b[0]]; got != expected {
		s.p.T.Errorf("state %s, expected %s", got, expected)
	}
}

// Options of level IPPROTO_TCP (include/uapi/linux/tcp.h).
const (
	tcpNoDelay     = 1
	tcpMaxSeg      = 2
	tcpCork        = 3
	tcpKeepIdle    = 4
	tcpKeepIntvl   = 5
	tcpKeepCnt     = 6
	tcpSynCnt      = 7
	tcpLinger2     = 8
	tcpDeferAccept = 9
	tcpInfo        = 11
	tcpQuickAck    = 12
	tcpCongestion  = 13
	tcpUserTimeout = 18
)

// setting sets a sysctl of the instance; the name without "net.ipv4.".
func (p *peer) setting(name, value string) {
	p.T.Helper()
	if err := p.host.SetSysctl("net.ipv4."+name, value); err != nil {
		p.T.Fatal(err)
	}
}

// counts checks an SNMP counter: "Tcp.ActiveOpens", "TcpExt.TW".
func (p *peer) counts(name string, expected int) {
	p.T.Helper()
	group, counter, _ := strings.Cut(name, ".")
	if n := p.Counter(p.host, group, counter); n != uint64(expected) {
		p.T.Errorf("%s is %d, expected %d", name, n, expected)
	}
}
