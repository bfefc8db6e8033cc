package tcp_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
)

// Which congestion control a connection has: the instance's, or its own.

// control is what TCP_CONGESTION shows.
func (s *sock) control() string {
	s.p.T.Helper()
	var b [16]byte
	n, err := s.Option(core.SolTCP, tcpCongestion, b[:])
	if n != len(b) || err != nil {
		s.p.T.Errorf("TCP_CONGESTION: %d bytes, %v", n, err)
	}
	name, _, _ := strings.Cut(string(b[:]), "\x00")
	return name
}

// shows checks a sysctl; the name without "net.ipv4.".
func (p *peer) shows(name, expected string) {
	p.T.Helper()
	if v, err := p.host.Sysctl("net.ipv4." + name); v != expected || err != nil {
		p.T.Errorf("%s is %q (%v), expected %q", name, v, err, expected)
	}
}

func (p *peer) refuses(name, value string, expected error) {
	p.T.Helper()
	if err := p.host.SetSysctl("net.ipv4."+name, value); !errors.Is(err, expected) {
		p.T.Errorf("%s = %q: %v, expected %v", name, value, err, expected)
	}
}

func TestTheFirstCongestionControlIsTheDefault(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.shows("tcp_congestion_control", "cubic")
	p.shows("tcp_available_congestion_control", "cubic reno")
	if got := p.socket().control(); got != "cubic" {
		t.Error(got)
	}
}

func TestTheSettingChoosesTheCongestionControlOfNewConnections(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	old := p.after(0)
	p.setting("tcp_congestion_control", "reno")
	p.shows("tcp_congestion_control", "reno")
	if got := p.socket().control(); got != "reno" {
		t.Errorf("a new socket has %s", got)
	}
	if got := old.control(); got != "cubic" {
		t.Errorf("the connection has %s now", got)
	}
}

func TestAnUnknownCongestionControlIsRefused(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.refuses("tcp_congestion_control", "vegas", syscall.ENOENT)
	p.refuses("tcp_allowed_congestion_control", "reno vegas", syscall.ENOENT)
	p.refuses("tcp_available_congestion_control", "reno", syscall.EACCES)
	p.shows("tcp_congestion_control", "cubic")
	p.want(p.socket().SetOption(core.SolTCP, tcpCongestion, []byte("vegas")), syscall.ENOENT)
}

func TestASocketChoosesItsOwnCongestionControl(t *testing.T) {
	for _, name := range []string{"reno", "reno\x00", "reno\x00garbage"} {
		p := newPeer(t, addrA, addrB)
		s := p.socket()
		p.want(s.SetOption(core.SolTCP, tcpCongestion, []byte(name)), nil)
		if got := s.control(); got != "reno" {
			t.Errorf("%q: %s", name, got)
		}
	}
}

// A listener's choice holds for its connections.
func TestAConnectionInheritsTheCongestionControl(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	l := p.listen(1)
	p.want(l.SetOption(core.SolTCP, tcpCongestion, []byte("reno")), nil)
	if got := p.accepted(l).control(); got != "reno" {
		t.Error(got)
	}
}

// A running connection keeps its window and goes on by the other's rules.
func TestARunningConnectionChangesItsCongestionControl(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	c := p.after(100*milli, sackOK())
	p.want(c.SetOption(core.SolTCP, tcpCongestion, []byte("reno")), nil)
	c.writes(text(20 * full))
	p.outs(1, 10)
	p.in(plain, ack(1), sack(1001, 10001)) // 10 segments, of which reno leaves 5 and cubic 7
	p.outs(1, 1)
	p.outs(10001, 4)
	p.silent()
}

func TestAProgramMayOnlyChooseWhatIsAllowed(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.shows("tcp_allowed_congestion_control", "cubic reno")
	p.setting("tcp_allowed_congestion_control", "cubic")
	p.shows("tcp_allowed_congestion_control", "cubic")
	s := p.socket()
	p.want(s.SetOption(core.SolTCP, tcpCongestion, []byte("reno")), syscall.EPERM)
	p.want(s.SetOption(core.SolTCP, tcpCongestion, []byte("cubic")), nil)
}
