package libos_test

import (
	"bytes"
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/config"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

// Instances of different configurations in one process: each has the sockets
// and the sysctls of its own .config.
func TestOneProcessHoldsInstancesOfDifferentFeatures(t *testing.T) {
	if !config.IPV4 || !config.TCP || !config.UDP {
		t.Skip("needs IPv4, TCP and UDP in the configuration")
	}
	r := coretest.New(t, host.NewVirtual(1))
	for _, c := range []struct {
		name, config string
		tcp, udp     error
		sack         error
	}{
		{"whole.config", "", nil, nil, nil},
		{"datagrams.config", "# CONFIG_TCP is not set\n", syscall.ESOCKTNOSUPPORT, nil, syscall.ENOENT},
		{"streams.config", "# CONFIG_UDP is not set\n", nil, syscall.EPROTONOSUPPORT, nil},
	} {
		w, err := libos.Narrow(c.name, c.config)
		if err != nil {
			t.Fatal(err)
		}
		in := r.Instance(c.name, w)
		for what, x := range map[string]struct {
			typ  int
			want error
		}{"TCP": {syscall.SOCK_STREAM, c.tcp}, "UDP": {syscall.SOCK_DGRAM, c.udp}} {
			s, err := in.Socket(syscall.AF_INET, x.typ, 0)
			if !errors.Is(err, x.want) {
				t.Errorf("%s: a socket of %s: %v, want %v", c.name, what, err, x.want)
			}
			if s != nil {
				_ = s.Close()
			}
		}
		if _, err := in.Sysctl("net.ipv4.tcp_sack"); !errors.Is(err, c.sack) {
			t.Errorf("%s: net.ipv4.tcp_sack: %v, want %v", c.name, err, c.sack)
		}
	}
}

// tcpCongestion is TCP_CONGESTION of linux/tcp.h.
const tcpCongestion = 13

// The generated switch of congestion controls leads each instance to those of its
// own .config: the rest of the binary's are not there.
func TestACongestionControlIsFoundByNameAmongThoseChosen(t *testing.T) {
	if !config.IPV4 || !config.TCP || !config.TCP_CONG_CUBIC || !config.TCP_CONG_RENO {
		t.Skip("needs IPv4 and TCP with CUBIC and NewReno in the configuration")
	}
	r := coretest.New(t, host.NewVirtual(1))
	for _, c := range []struct {
		name, config string
		cubic, reno  error
	}{
		{"both.config", "", nil, nil},
		{"cubic.config", "# CONFIG_TCP_CONG_RENO is not set\n", nil, syscall.ENOENT},
		{"reno.config", "# CONFIG_TCP_CONG_CUBIC is not set\nCONFIG_DEFAULT_TCP_CONG=\"reno\"\n", syscall.ENOENT, nil},
	} {
		w, err := libos.Narrow(c.name, c.config)
		if err != nil {
			t.Fatal(err)
		}
		in := r.Instance(c.name, w)
		s, err := in.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]error{"cubic": c.cubic, "reno": c.reno, "vegas": syscall.ENOENT} {
			if err := s.SetOption(core.SolTCP, tcpCongestion, []byte(name)); !errors.Is(err, want) {
				t.Errorf("%s: TCP_CONGESTION %s: %v, want %v", c.name, name, err, want)
			}
			buf := make([]byte, 16)
			if n, err := s.Option(core.SolTCP, tcpCongestion, buf); want == nil && (err != nil || string(bytes.TrimRight(buf[:n], "\x00")) != name) {
				t.Errorf("%s: the socket has %q (%v), want %s", c.name, buf[:n], err, name)
			}
			if err := in.SetSysctl("net.ipv4.tcp_congestion_control", name); !errors.Is(err, want) {
				t.Errorf("%s: net.ipv4.tcp_congestion_control = %s: %v, want %v", c.name, name, err, want)
			}
		}
		_ = s.Close()
	}
}

// What is folded into the code cannot differ.
func TestAStaticSymbolIsTheSameInAllInstances(t *testing.T) {
	_, err := libos.Narrow("b.config", "CONFIG_IPV4=y\nCONFIG_SLAB_KB=131\n")
	if err == nil {
		t.Fatal("an instance has slabs of its own size")
	}
	for _, want := range []string{"b.config:2: CONFIG_SLAB_KB=131", "static (allocator/Kconfig.toml:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}
