package tcp_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/loopback"
)

const addrA2 = "10.0.0.3"

// place is an address with the socket that binds to it.
type place struct {
	name   string
	addr   string
	family int
	v6only bool
}

var places = []place{
	{"0.0.0.0", "0.0.0.0", core.AFInet, false},
	{"one IPv4", addrA, core.AFInet, false},
	{"another IPv4", addrA2, core.AFInet, false},
	{":: for both", "::", core.AFInet6, false},
	{":: for IPv6", "::", core.AFInet6, true},
	{"one IPv6", addrA6, core.AFInet6, false},
	{"mapped IPv4", addrA, core.AFInet6, false},
}

// Which of two places with one port exclude each other, as Linux 6.18 answers:
// x is EADDRINUSE.
var excluded = []string{
	"xxxx..x",
	"xx.x..x",
	"x.xx...",
	"xxxxxxx",
	"...xxx.",
	"...xxx.",
	"xx.x..x",
}

func (p *peer) open(x place, reuseAddr, reusePort bool) *sock {
	p.T.Helper()
	s, err := p.host.Socket(x.family, core.SockStream, 0)
	if err != nil {
		p.T.Fatal(err)
	}
	c := p.wrap(s)
	if x.family == core.AFInet6 {
		c.sets(core.SolIPv6, core.IPv6V6Only, number(x.v6only))
	}
	c.sets(core.SolSocket, core.SoReuseAddr, number(reuseAddr))
	c.sets(core.SolSocket, core.SoReusePort, number(reusePort))
	return c
}

func number(on bool) int {
	if on {
		return 1
	}
	return 0
}

func (x place) at(port int) core.SockAddr {
	return core.SockAddr{Addr: wire.MustAddr(x.addr), Port: uint16(port)}
}

func TestTwoSocketsSharePortsByLinuxsRules(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.Attach(p.host, loopback.Device(), "lo", addrA2+"/32")
	for _, c := range []struct {
		name               string
		addr, port, listen bool
		shares             bool
	}{
		{"without options", false, false, false, false},
		{"without options, listening", false, false, true, false},
		{"SO_REUSEADDR", true, false, false, true},
		{"SO_REUSEADDR, listening", true, false, true, false},
		{"SO_REUSEPORT", false, true, false, true},
		{"SO_REUSEPORT, listening", false, true, true, true},
	} {
		for i, a := range places {
			for j, b := range places {
				t.Run(fmt.Sprint(c.name, "/", a.name, "/", b.name), func(t *testing.T) {
					first, second := p.open(a, c.addr, c.port), p.open(b, c.addr, c.port)
					p.want(first.Bind(a.at(80)), nil)
					if c.listen {
						p.want(first.Listen(1), nil)
					}
					var expected error
					if !c.shares && excluded[i][j] == 'x' {
						expected = syscall.EADDRINUSE
					}
					if err := second.Bind(b.at(80)); err != expected {
						t.Errorf("bind: %v, expected %v", err, expected)
					}
					first.closes()
					second.closes()
				})
			}
		}
	}
}

func TestBothSidesHaveToAgreeToSharing(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	x := places[1]
	first := p.open(x, true, true)
	p.want(first.Bind(x.at(80)), nil)
	for _, s := range []*sock{p.open(x, false, false)} {
		p.want(s.Bind(x.at(80)), syscall.EADDRINUSE)
	}
	p.want(p.open(x, true, false).Bind(x.at(80)), nil)
}

// Sockets that share by SO_REUSEADDR cannot both listen.
func TestOnlyOneOfTwoThatReuseListens(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	x := places[1]
	a, b := p.open(x, true, false), p.open(x, true, false)
	p.want(a.Bind(x.at(80)), nil)
	p.want(b.Bind(x.at(80)), nil)
	p.want(a.Listen(1), nil)
	p.want(b.Listen(1), syscall.EADDRINUSE)
}

func TestAServerCanStartAgainBesideItsConnections(t *testing.T) {
	for _, reuse := range []bool{true, false} {
		p := newPeer(t, addrA, addrB)
		x := places[1]
		l := p.open(x, reuse, false)
		p.want(l.Bind(x.at(80)), nil)
		p.want(l.Listen(1), nil)
		c := p.accepted(l)
		l.closes()
		var expected error
		if !reuse {
			expected = syscall.EADDRINUSE
		}
		again := p.open(x, reuse, false)
		p.want(again.Bind(x.at(80)), expected)
		if reuse {
			p.want(again.Listen(1), nil)
		}
		again.closes()
		c.closes()
		p.out(fin)
		p.in(fin)
		p.out(plain)
		p.want(p.open(x, reuse, false).Bind(x.at(80)), expected) // TIME-WAIT counts too
	}
}

func TestBindRefuses(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	try := func(x place, port int, expected error) {
		t.Helper()
		s := p.open(x, false, false)
		p.want(s.Bind(x.at(port)), expected)
		s.closes()
	}
	try(place{addr: "192.0.2.1", family: core.AFInet}, 80, syscall.EADDRNOTAVAIL)
	try(place{addr: "2001:db8::1", family: core.AFInet6}, 80, syscall.EADDRNOTAVAIL)
	try(place{addr: "ff02::1", family: core.AFInet6}, 80, syscall.EINVAL)
	try(place{addr: addrA6, family: core.AFInet}, 80, syscall.EAFNOSUPPORT)
	s := p.socket()
	p.want(s.Bind(p.here(80)), nil)
	p.want(s.Bind(p.here(81)), syscall.EINVAL)
	p.want(s.LocalAddr(), p.here(80))
	c := p.established()
	p.want(c.Bind(p.here(82)), syscall.EINVAL)
	p.want(c.Listen(1), syscall.EINVAL)
}

func TestAPortIsFreeAfterClose(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	for range 3 {
		s := p.socket()
		p.want(s.Bind(p.here(80)), nil)
		s.closes()
	}
	for range 3 {
		p.listen(1).closes()
	}
}

func TestListenWithoutBindChoosesAPort(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	p.want(s.Listen(1), nil)
	a := s.LocalAddr()
	if a.Port < 32768 || a.Port > 60999 {
		t.Errorf("port %d is not in ip_local_port_range", a.Port)
	}
	p.port = int(a.Port)
	p.accepted(s).state("ESTABLISHED")
}

func TestPortsRunOut(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("ip_local_port_range", "50000 50003")
	p.setting("ip_local_reserved_ports", "50001")
	ports := map[int]bool{}
	for range 3 {
		s := p.socket()
		p.want(s.Bind(p.here(0)), nil)
		ports[int(s.LocalAddr().Port)] = true
	}
	if len(ports) != 3 || ports[50001] {
		t.Errorf("ports %v", ports)
	}
	p.want(p.socket().Bind(p.here(0)), syscall.EADDRINUSE)
	p.want(p.socket().Connect(p.there()), syscall.EADDRNOTAVAIL)
}

// RFC 6056 §3.3.4: one port serves connections to different peers, and ports do
// not follow each other.
func TestActiveOpensShareAPortButNotAConnection(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	p.setting("ip_local_port_range", "50000 50000")
	p.established()
	q := p.at(40001)
	q.established()
	p.want(p.socket().Connect(p.there()), syscall.EADDRNOTAVAIL)
}

func TestPortsOfActiveOpensAreHardToGuess(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	first := map[int]bool{}
	for i := range 16 {
		q := p.at(40000 + i)
		q.connect()
		q.out(syn)
		first[q.port] = true
	}
	if len(first) < 12 {
		t.Errorf("16 peers met %d ports", len(first))
	}
}

func TestABoundSocketConnectsFromItsPort(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	s := p.socket()
	s.sets(core.SolSocket, core.SoReuseAddr, 1)
	p.want(s.Bind(p.here(1234)), nil)
	s.connects()
	if p.port != 1234 {
		t.Errorf("connected from port %d", p.port)
	}
	p.out(syn)
	again := p.socket()
	again.sets(core.SolSocket, core.SoReuseAddr, 1)
	p.want(again.Bind(p.here(1234)), nil)
	p.want(again.Connect(p.there()), syscall.EADDRNOTAVAIL)
}

func TestTheNearestListenerTakesTheConnection(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	open := func(x place) *sock {
		s := p.open(x, false, true)
		p.want(s.Bind(x.at(80)), nil)
		p.want(s.Listen(1), nil)
		return s
	}
	both, any4, one := open(places[3]), open(places[0]), open(places[1])
	p.accepted(one)
	both.is(0)
	one.closes()
	q := p.at(40001)
	q.accepted(any4)
	both.is(0)
	any4.closes()
	q = p.at(40002)
	c := q.accepted(both)
	a, _ := c.PeerAddr()
	p.want(a, q.there())
}

func TestAnIPv6OnlyListenerTakesNoIPv4(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	x := places[4]
	s := p.open(x, false, false)
	p.want(s.Bind(x.at(80)), nil)
	p.want(s.Listen(1), nil)
	p.in(syn)
	p.out(rstack)
}

// SO_REUSEPORT spreads connections over the listeners of one port.
func TestListenersThatShareAPortShareTheConnections(t *testing.T) {
	p := newPeer(t, addrA, addrB)
	x := places[1]
	var ls [3]*sock
	for i := range ls {
		ls[i] = p.open(x, false, true)
		p.want(ls[i].Bind(x.at(80)), nil)
		p.want(ls[i].Listen(100), nil)
	}
	for i := range 60 {
		q := p.at(50000 + i)
		q.in(syn)
		q.out(synack)
		q.in(plain)
	}
	for i, l := range ls {
		n := 0
		for l.Ready()&core.ReadyIn != 0 {
			l.accept()
			n++
		}
		if n < 10 || n > 30 {
			t.Errorf("listener %d got %d of 60 connections", i, n)
		}
	}
}
