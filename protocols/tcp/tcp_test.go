package tcp_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/ipv4"
	"github.com/libos-go/libos/core/ipv6"
	"github.com/libos-go/libos/core/qdisc/codel"
	"github.com/libos-go/libos/core/qdisc/fqcodel"
	"github.com/libos-go/libos/core/qdisc/pie"
	"github.com/libos-go/libos/core/qdisc/red"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/cubic"
	"github.com/libos-go/libos/protocols/tcp/reno"
)

func algorithms() []congestion.Algorithm {
	return []congestion.Algorithm{cubic.Algorithm(), reno.Algorithm()}
}

func wiring(cc ...congestion.Algorithm) *core.Wiring {
	if len(cc) == 0 {
		cc = algorithms()
	}
	return &core.Wiring{
		Name: "tcp-test",
		Networks: []core.NetworkEntry{
			{Network: ipv4.Protocol(), Sysctls: sysctl.Of[ipv4.Sysctls](), Devices: sysctl.Of[ipv4.DeviceSysctls]()},
			{Network: ipv6.Protocol(), Sysctls: sysctl.Of[ipv6.Sysctls](), Devices: sysctl.Of[ipv6.DeviceSysctls]()},
		},
		Protocols: []core.ProtocolEntry{{Protocol: tcp.Protocol(nil, cc...), Sysctls: sysctl.Of[tcp.Sysctls]()}},
		Sysctls:   []*sysctl.Table{sysctl.Of[core.PortSysctls]()},
		Qdiscs:    []core.QdiscKind{red.Kind(), codel.Kind(), fqcodel.Kind(), pie.Kind()},
	}
}

const (
	addrA, addrB   = "10.0.0.1", "10.0.0.2"
	addrA6, addrB6 = "fd00::1", "fd00::2"
)

// pair is two hosts joined by a pipe.
type pair struct {
	*coretest.Rig
	a, b *core.Instance
}

func newPair(t testing.TB, cfg pipe.Config, cc ...congestion.Algorithm) *pair {
	t.Helper()
	r := coretest.New(t, host.NewVirtual(1))
	p := &pair{Rig: r, a: r.Instance("a", wiring(cc...)), b: r.Instance("b", wiring(cc...))}
	da, db := pipe.New(cfg)
	r.Attach(p.a, da, "eth0", addrA+"/24", addrA6+"/64")
	r.Attach(p.b, db, "eth0", addrB+"/24", addrB6+"/64")
	r.Advance(5 * time.Second)
	return p
}

func (p *pair) check(err error) {
	if err != nil {
		p.T.Helper()
		p.T.Error(err)
	}
}

// transfer sends data from a client on a to a server on b, which echoes its
// hash, and checks that all arrived.
func (p *pair) transfer(address string, n int) {
	p.T.Helper()
	data := make([]byte, n)
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range data {
		data[i] = byte(rng.Uint32())
	}
	l, err := p.b.Listen("tcp", net.JoinHostPort(address, "80"))
	if err != nil {
		p.T.Fatal(err)
	}
	finished := 0
	p.Go("server", func() {
		c, err := l.Accept()
		if err != nil {
			p.check(err)
			return
		}
		h := sha256.New()
		got, err := io.Copy(h, c)
		p.check(err)
		if got != int64(n) {
			p.T.Errorf("%d bytes arrived of %d", got, n)
		}
		_, err = c.Write(h.Sum(nil))
		p.check(err)
		p.check(c.Close())
		p.check(l.Close())
		finished++
	})
	p.Go("client", func() {
		c, err := p.a.Dial("tcp", net.JoinHostPort(address, "80"))
		if err != nil {
			p.check(err)
			return
		}
		_, err = c.Write(data)
		p.check(err)
		p.check(c.(*core.Conn).CloseWrite())
		sum, err := io.ReadAll(c)
		p.check(err)
		if want := sha256.Sum256(data); !bytes.Equal(sum, want[:]) {
			p.T.Error("the bytes that arrived are not those that were sent")
		}
		p.check(c.Close())
		finished++
	})
	p.Advance(10 * time.Minute)
	if finished != 2 {
		p.T.Fatalf("%d of 2 tasks ended", finished)
	}
}

func TestATransferArrivesWhole(t *testing.T) {
	for _, address := range []string{addrB, addrB6} {
		for _, n := range []int{0, 1, 1000, 100_000, 3_000_000} {
			t.Run(fmt.Sprintf("%s/%d", address, n), func(t *testing.T) {
				newPair(t, pipe.Config{}).transfer(address, n)
			})
		}
	}
}

func TestATransferSurvivesLossAndReordering(t *testing.T) {
	for _, cc := range algorithms() {
		for seed := range uint64(4) {
			w := pipe.Wire{Rate: 20_000_000, Delay: 10 * time.Millisecond, Loss: 0.02, Reorder: 0.02}
			t.Run(fmt.Sprintf("%s/%d", cc.Name, seed), func(t *testing.T) {
				p := newPair(t, pipe.Config{Wire: w, Name: fmt.Sprint(seed)}, cc)
				p.transfer(addrB, 500_000)
				if p.Counter(p.a, "Tcp", "RetransSegs") == 0 {
					t.Error("nothing was sent again on a path with loss")
				}
			})
		}
	}
}
