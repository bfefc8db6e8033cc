package usernet_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/usernet"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/reno"
	"github.com/libos-go/libos/protocols/udp"
)

func wiring() *core.Wiring {
	return &core.Wiring{
		Name: "usernet-test",
		Networks: []core.NetworkEntry{
			{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
			{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
		},
		Protocols: []core.ProtocolEntry{
			{Protocol: ipv4.PingProtocol()}, {Protocol: ipv6.PingProtocol()},
			{Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()},
			{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()},
		},
	}
}

// guest is an instance whose only way out is the device.
func guest(t *testing.T, o usernet.Options) (*core.Instance, *usernet.Device) {
	t.Helper()
	d, err := usernet.New(o)
	if err != nil {
		t.Fatal(err)
	}
	r := coretest.New(t, host.NewRealTime())
	in := r.Adopt(core.New(core.Options{Name: "guest", Wiring: wiring(), Domain: r.Domain}))
	if _, err := in.Attach(d, "eth0", "10.0.2.15/24", "fec0::15/64"); err != nil {
		t.Fatal(err)
	}
	if err := in.AddRoutes("default via 10.0.2.2", "default via fec0::2"); err != nil {
		t.Fatal(err)
	}
	return in, d
}

// here is a port of the host's loopback as the guest calls it.
func here(t *testing.T, a net.Addr) string {
	t.Helper()
	p, err := netip.ParseAddrPort(a.String())
	if err != nil {
		t.Fatal(err)
	}
	if p.Addr().Is4() {
		return fmt.Sprintf("10.0.2.2:%d", p.Port())
	}
	return fmt.Sprintf("[fec0::2]:%d", p.Port())
}

// echo is a server of the host that gives back what it gets, on both families where
// the host has them.
func echo(t *testing.T, network, address string) net.Addr {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Skipf("the host does not listen at %s: %v", address, err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(c, c)
				_ = c.(*net.TCPConn).CloseWrite()
				_ = c.Close()
			}()
		}
	}()
	return l.Addr()
}

func TestTheGuestReachesAServerOfTheHost(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) }))
	defer s.Close()
	in, _ := guest(t, usernet.Options{})
	tr := &http.Transport{DialContext: in.DialContext}
	defer tr.CloseIdleConnections()
	c := &http.Client{Transport: tr, Timeout: time.Minute}
	res, err := c.Post("http://"+here(t, s.Listener.Addr()), "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if string(b) != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

// Bytes arrive whole in both directions at once, over both families, on many
// connections; each direction ends by itself.
func TestStreamsArriveWhole(t *testing.T) {
	for _, at := range [][2]string{{"tcp4", "127.0.0.1:0"}, {"tcp6", "[::1]:0"}} {
		t.Run(at[0], func(t *testing.T) {
			to := here(t, echo(t, at[0], at[1]))
			in, _ := guest(t, usernet.Options{})
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					if err := there(in, to, uint64(i)); err != nil {
						t.Errorf("connection %d: %v", i, err)
					}
				}()
			}
			wg.Wait()
		})
	}
}

// there sends a megabyte and compares what comes back.
func there(in *core.Instance, to string, seed uint64) error {
	c, err := in.Dial("tcp", to)
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	data := make([]byte, 1<<20)
	g := rand.New(rand.NewPCG(1, seed))
	for i := range data {
		data[i] = byte(g.Uint32())
	}
	failed := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		if err == nil {
			err = c.(*core.Conn).CloseWrite()
		}
		failed <- err
	}()
	got, err := io.ReadAll(c)
	if err := errors.Join(err, <-failed); err != nil {
		return err
	}
	if sha256.Sum256(got) != sha256.Sum256(data) {
		return fmt.Errorf("%d bytes came back, not the %d that were sent", len(got), len(data))
	}
	return nil
}

func TestARefusalIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := here(t, l.Addr())
	_ = l.Close() // nobody is there now
	in, _ := guest(t, usernet.Options{})
	if c, err := in.Dial("tcp", to); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, %v, want ECONNREFUSED", c, err)
	}
}

// A connection that the host's side resets is reset for the guest.
func TestAResetIsTold(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, _ = c.Read(make([]byte, 1))
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	}()
	in, _ := guest(t, usernet.Options{})
	c, err := in.Dial("tcp", here(t, l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("%v, want ECONNRESET", err)
	}
}

func TestDatagramsGoBothWays(t *testing.T) {
	for _, at := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(at, func(t *testing.T) {
			s, err := net.ListenPacket("udp", at)
			if err != nil {
				t.Skipf("the host has no %s: %v", at, err)
			}
			defer func() { _ = s.Close() }()
			go func() {
				b := make([]byte, 1<<16)
				for {
					n, from, err := s.ReadFrom(b)
					if err != nil {
						return
					}
					_, _ = s.WriteTo(append([]byte("re: "), b[:n]...), from)
				}
			}()
			in, _ := guest(t, usernet.Options{})
			c, err := in.Dial("udp", here(t, s.LocalAddr()))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Close() }()
			for _, n := range []int{0, 1, 1400, 60000} {
				data := bytes.Repeat([]byte("x"), n)
				if _, err := c.Write(data); err != nil {
					t.Fatal(err)
				}
				_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
				b := make([]byte, 1<<16)
				if k, err := c.Read(b); err != nil || string(b[:k]) != "re: "+string(data) {
					t.Errorf("%d bytes: %d came back, %v", n, k, err)
				}
			}
		})
	}
}

func TestAClosedPortOfDatagramsIsTold(t *testing.T) {
	s, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	to := here(t, s.LocalAddr())
	_ = s.Close()
	in, _ := guest(t, usernet.Options{})
	c, err := in.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v, want ECONNREFUSED", err)
	}
}

func TestAPortOfTheHostLeadsToTheGuest(t *testing.T) {
	in, d := guest(t, usernet.Options{Forwards: []usernet.Forward{{Listen: netip.MustParseAddrPort("127.0.0.1:0"), Guest: netip.MustParseAddrPort("10.0.2.15:80")}}})
	l, err := in.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = fmt.Fprintf(w, "to %s", r.RemoteAddr) })}
	go func() { _ = s.Serve(l) }()
	defer func() { _ = s.Close() }()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	res, err := (&http.Client{Transport: tr, Timeout: time.Minute}).Get("http://" + d.Forwarded()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if !strings.HasPrefix(string(b), "to 10.0.2.2:") || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestAGuestThatIsToReachTheHostOnlyReachesNothingElse(t *testing.T) {
	in, _ := guest(t, usernet.Options{HostOnly: true})
	to := here(t, echo(t, "tcp4", "127.0.0.1:0"))
	if err := there(in, to, 1); err != nil {
		t.Error(err)
	}
	if _, err := in.Dial("tcp", "192.0.2.1:80"); err == nil {
		t.Error("192.0.2.1 was reached")
	}
}

// What no socket carries is counted, not kept.
func TestWhatSocketsDoNotCarryIsDropped(t *testing.T) {
	in, d := guest(t, usernet.Options{})
	c, err := in.ListenPacket("udp4", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	before := d.Dropped()
	if _, err := c.WriteToAddrPort([]byte("x"), netip.MustParseAddrPort("224.0.0.251:5353")); err != nil {
		t.Fatal(err)
	}
	if d.Dropped() == before {
		t.Error("a multicast datagram was not counted as dropped")
	}
}
