package core_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
)

func TestADialerBindsAndSetsOptionsFirst(t *testing.T) {
	for _, x := range []struct {
		network, to string
		local       net.Addr
	}{
		{"tcp", addrB + ":80", &net.TCPAddr{IP: net.ParseIP(addrA), Port: 4000}},
		{"tcp6", "[" + addrB6 + "]:80", &net.TCPAddr{Port: 4000}},
		{"udp", addrB + ":80", &net.UDPAddr{Port: 4000}},
	} {
		h := newHosts(t)
		h.Do(func() {
			if x.network != "udp" {
				l, err := h.b.Listen(x.network, x.to)
				ok(t, err)
				defer l.Close()
			}
			d := core.Dialer{Instance: h.a, LocalAddr: x.local, KeepAlive: 90 * time.Second}
			d.Control = func(network, address string, s *core.Socket) error {
				if network != x.network || address != x.to || s.LocalAddr().Port != 0 {
					t.Errorf("control of %s %s on %v", network, address, s.LocalAddr())
				}
				return s.SetInt(core.SolIP, core.IPTTL, 9)
			}
			c, err := d.Dial(x.network, x.to)
			ok(t, err)
			defer c.Close()
			if a := netip.MustParseAddrPort(c.LocalAddr().String()); a.Port() != 4000 || c.RemoteAddr().String() != x.to {
				t.Errorf("%s from %v to %v", x.network, a, c.RemoteAddr())
			}
			s := c.(interface{ Socket() *core.Socket }).Socket()
			if v, err := s.Int(core.SolIP, core.IPTTL); v != 9 || err != nil {
				t.Errorf("%s: TTL %d, %v", x.network, v, err)
			}
			if x.network == "udp" {
				return
			}
			if on, _ := s.Int(core.SolSocket, core.SoKeepalive); on != 1 {
				t.Errorf("%s: keepalive %d", x.network, on)
			}
			if idle, _ := s.Int(core.SolTCP, 4); idle != 90 {
				t.Errorf("%s: TCP_KEEPIDLE %d", x.network, idle)
			}
		})
	}
}

func TestADialerGivesUpInVirtualTime(t *testing.T) {
	h := newHosts(t)
	h.Do(func() {
		d := core.Dialer{Instance: h.a, Timeout: time.Second}
		start := h.Host.Now()
		_, err := d.Dial("tcp", "10.0.0.77:9")
		e := opError(t, err, "dial", os.ErrDeadlineExceeded)
		if !e.Timeout() || h.Host.Now().Sub(start) != time.Second {
			t.Errorf("%v after %v", err, h.Host.Now().Sub(start))
		}
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err = d.DialContext(ctx, "tcp", addrB+":9")
		opError(t, err, "dial", context.Canceled)
	})
	h.Domain.Do(func() {
		if n := len(h.a.Sockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
	})
}

func TestErrorsOfADialer(t *testing.T) {
	h := newHosts(t)
	no := errors.New("no")
	h.Do(func() {
		for name, d := range map[string]core.Dialer{
			"another kind":   {LocalAddr: &net.UDPAddr{}},
			"another family": {LocalAddr: &net.TCPAddr{IP: net.ParseIP(addrA6)}},
			"a unix address": {LocalAddr: &net.UnixAddr{}},
		} {
			d.Instance = h.a
			_, err := d.Dial("tcp", addrB+":9")
			var e *net.AddrError
			if !errors.As(err, &e) {
				t.Errorf("%s: %v, want an AddrError", name, err)
			}
		}
		d := core.Dialer{Instance: h.a, LocalAddr: &net.TCPAddr{IP: net.ParseIP("10.9.9.9")}}
		_, err := d.Dial("tcp", addrB+":9")
		opError(t, err, "dial", syscall.EADDRNOTAVAIL)
		d = core.Dialer{Instance: h.a, Control: func(string, string, *core.Socket) error { return no }}
		_, err = d.Dial("tcp", addrB+":9")
		opError(t, err, "dial", no)
	})
}
