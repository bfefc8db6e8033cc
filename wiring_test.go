package libos_test

import (
	"io"
	"strings"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/config"
)

// Whatever the configuration (`go test -overlay` tests that of a build), its
// wiring has the protocols that were chosen, and they carry bytes over each of
// its networks.
func TestTheWiringCarriesBytes(t *testing.T) {
	w := libos.Wiring()
	networks, protocols := map[string]bool{}, map[string]bool{}
	for _, n := range w.Networks {
		networks[n.Network.Name] = true
	}
	for _, p := range w.Protocols {
		protocols[p.Protocol.Name] = true
	}
	wired := func(name string, in map[string]bool, want bool) {
		if in[name] != want {
			t.Errorf("%s: wired %v, chosen %v", name, in[name], want)
		}
	}
	wired("ipv4", networks, config.IPV4)
	wired("ipv6", networks, config.IPV6)
	wired("tcp", protocols, config.TCP)
	wired("udp", protocols, config.UDP)
	wired("udplite", protocols, config.UDPLITE)
	if (w.Loopback != nil) != config.LOOPBACK {
		t.Errorf("loopback: wired %v, chosen %v", w.Loopback != nil, config.LOOPBACK)
	}
	for _, n := range []struct {
		name      string
		version   string
		addresses [2]string
		server    string
	}{
		{"ipv4", "4", [2]string{"10.0.0.1/24", "10.0.0.2/24"}, "10.0.0.2:7"},
		{"ipv6", "6", [2]string{"fd00::1/64", "fd00::2/64"}, "[fd00::2]:7"},
	} {
		if !networks[n.name] {
			continue
		}
		if protocols["tcp"] {
			t.Run("tcp"+n.version, func(t *testing.T) {
				a, b := twoHosts(t, n.addresses)
				carryStream(t, a, b, "tcp"+n.version, n.server)
			})
		}
		for _, name := range []string{"udp", "udplite"} {
			if protocols[name] {
				t.Run(name+n.version, func(t *testing.T) {
					a, b := twoHosts(t, n.addresses)
					carryDatagram(t, a, b, name+n.version, n.server)
				})
			}
		}
	}
}

func carryStream(t *testing.T, a, b *core.Instance, network, server string) {
	t.Helper()
	want := strings.Repeat("bytes in a row. ", 4096)
	l, err := b.Listen(network, server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			_, err = io.WriteString(c, want)
			c.Close()
		}
		sent <- err
	}()
	c, err := a.Dial(network, server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := io.ReadAll(c)
	if err != nil || string(got) != want {
		t.Errorf("%d of %d bytes came, or others (%v)", len(got), len(want), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

func carryDatagram(t *testing.T, a, b *core.Instance, network, server string) {
	t.Helper()
	s, err := b.ListenPacket(network, server)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c, err := a.Dial(network, server)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "ping"); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 64)
	n, from, err := s.ReadFrom(buf)
	if err != nil || string(buf[:n]) != "ping" {
		t.Fatalf("came %q, %v", buf[:n], err)
	}
	if _, err := s.WriteTo([]byte("pong"), from); err != nil {
		t.Fatal(err)
	}
	if n, err = c.Read(buf); err != nil || string(buf[:n]) != "pong" {
		t.Errorf("came back %q, %v", buf[:n], err)
	}
}
