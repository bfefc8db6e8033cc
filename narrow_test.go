package libos_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"

	"github.com/libos-go/libos"
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
