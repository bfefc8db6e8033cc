package core_test

import (
	"syscall"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

func TestSocketRefusesWhatIsNotThere(t *testing.T) {
	h := newHosts(t)
	for _, x := range []struct {
		name                  string
		family, typ, protocol int
		err                   error
	}{
		{"AF_UNIX", 1, core.SockStream, 0, syscall.EAFNOSUPPORT},
		{"AF_UNSPEC", 0, core.SockStream, 0, syscall.EAFNOSUPPORT},
		{"SOCK_SEQPACKET", core.AFInet, core.SockSeqPacket, 0, syscall.ESOCKTNOSUPPORT},
		{"UDP on a stream", core.AFInet, core.SockStream, 17, syscall.EPROTONOSUPPORT},
		{"TCP on datagrams", core.AFInet6, core.SockDgram, 6, syscall.EPROTONOSUPPORT},
		{"a protocol nobody has", core.AFInet, core.SockDgram, 200, syscall.EPROTONOSUPPORT},
	} {
		_, err := h.a.Socket(x.family, x.typ, x.protocol)
		want(t, x.name, err, x.err)
	}
	narrow := *libos.Wiring()
	narrow.Networks = narrow.Networks[:1]
	narrow.EtherType = nil
	in := h.Instance("v4", &narrow)
	_, err := in.Socket(core.AFInet6, core.SockStream, 0)
	want(t, "IPv6 without IPv6", err, syscall.EAFNOSUPPORT)
}

func TestBindErrors(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, b := k.addresses()
		s := open(t, h.a, k)
		want(t, "an address of another host", s.Bind(at(b, 7)), syscall.EADDRNOTAVAIL)
		ok(t, s.Bind(at(a, 7)))
		want(t, "a second bind", s.Bind(at(a, 8)), einval)
		want(t, "a taken port", open(t, h.a, k).Bind(at(a, 7)), syscall.EADDRINUSE)
		if got := s.LocalAddr(); got != at(a, 7) {
			t.Errorf("bound to %v", got)
		}
		other := open(t, h.a, k)
		if k.family == core.AFInet {
			want(t, "an address of IPv6", other.Bind(at(addrA6, 9)), syscall.EAFNOSUPPORT)
		} else {
			ok(t, other.SetInt(core.SolIPv6, core.IPv6V6Only, 1))
			want(t, "an address of IPv4 on IPv6 only", other.Bind(at(addrA, 9)), einval)
		}
		chosen := open(t, h.a, k)
		ok(t, chosen.Bind(at(a, 0)))
		if p := chosen.LocalAddr().Port; p < 32768 || p > 60999 {
			t.Errorf("chose port %d", p)
		}
		free := open(t, h.a, k)
		ok(t, free.SetInt(core.SolIP, core.IPFreeBind, 1))
		want(t, "an address of nobody with IP_FREEBIND", free.Bind(at(b, 9)), nil)
	})
}

func TestReusedPorts(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, _ := k.addresses()
		for i, opt := range []int{core.SoReuseAddr, core.SoReusePort} {
			port := uint16(100 + i)
			s, s2 := open(t, h.a, k), open(t, h.a, k)
			ok(t, s.SetInt(core.SolSocket, opt, 1))
			ok(t, s.Bind(at(a, port)))
			want(t, "a port whose second user does not share", s2.Bind(at(a, port)), syscall.EADDRINUSE)
			ok(t, s2.SetInt(core.SolSocket, opt, 1))
			want(t, "a port that both share", s2.Bind(at(a, port)), nil)
		}
	})
}

func TestAFreedPortCanBeBoundAgain(t *testing.T) {
	each(t, kinds, func(t *testing.T, h *hosts, k kind) {
		a, _ := k.addresses()
		s := open(t, h.a, k)
		ok(t, s.Bind(at(a, 7)))
		ok(t, s.Close())
		want(t, "bind", open(t, h.a, k).Bind(at(a, 7)), nil)
	})
}

func TestAMemoryLimitIsENOBUFS(t *testing.T) {
	r := coretest.New(t, host.NewVirtual(1))
	in := r.Adopt(core.New(core.Options{Name: "small", Wiring: libos.Wiring(), Domain: r.Domain, MemoryLimit: 256 << 10}))
	var sockets []*core.Socket
	for {
		s, err := in.Socket(core.AFInet, core.SockStream, 0)
		if err != nil {
			want(t, "a socket beyond the limit", err, syscall.ENOBUFS)
			break
		}
		if sockets = append(sockets, s); len(sockets) > 100000 {
			t.Fatal("no limit")
		}
	}
	for _, s := range sockets {
		ok(t, s.Close())
	}
	l, err := in.Socket(core.AFInet, core.SockDgram, 0)
	ok(t, err)
	ok(t, l.Bind(at("127.0.0.1", 7)))
	ok(t, l.SetInt(core.SolSocket, core.SoRcvBuf, 1<<20))
	for range 1000 {
		if _, err = l.Send(&core.Message{Data: make([]byte, 4000), Addr: at("127.0.0.1", 7), HasAddr: true}); err != nil {
			break
		}
	}
	want(t, "a datagram beyond the limit", err, syscall.ENOBUFS)
	if n := r.Counter(in, "Udp", "SndbufErrors"); n != 1 {
		t.Errorf("SndbufErrors %d, want 1", n)
	}
	wantReceived(t, l, 1, 0, "\x00")
	ok(t, in.Close())
}

func TestANumberOfAClosedSocketIsNotGivenAtOnce(t *testing.T) {
	h := newHosts(t)
	seen := map[core.SocketID]bool{}
	for range 1000 {
		s := open(t, h.a, datagrams[0])
		if seen[s.ID()] {
			t.Fatalf("number %#x came twice", s.ID())
		}
		seen[s.ID()] = true
		ok(t, s.Close())
	}
	h.Domain.Do(func() {
		if n := len(h.a.Sockets()); n != 0 {
			t.Errorf("%d sockets are left", n)
		}
	})
}
