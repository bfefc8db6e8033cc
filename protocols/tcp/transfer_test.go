package tcp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/device/pipe"
)

// Whole transfers over bad paths: whatever the path does, what arrives is what was
// sent, in both directions at once.

// path is a row of the matrix.
type path struct {
	name    string
	wire    pipe.Wire
	mtu     int
	v4only  bool // the MTU is too small for IPv6
	buffer  int  // SO_RCVBUF of both ends, 0 for the default
	sysctls map[string]string
	bytes   int // in each direction
	conns   int
}

func paths() []path {
	rate := func(w pipe.Wire) pipe.Wire {
		w.Rate, w.Delay = 10_000_000, 5*time.Millisecond
		return w
	}
	rows := []path{
		{name: "clean", wire: rate(pipe.Wire{}), bytes: 300_000},
		{name: "short queue", wire: rate(pipe.Wire{QueueLen: 5}), bytes: 300_000},
		{name: "reordering", wire: rate(pipe.Wire{Reorder: 0.2, ReorderDelay: 8 * time.Millisecond}), bytes: 100_000},
		{name: "jitter", wire: rate(pipe.Wire{Jitter: 10 * time.Millisecond}), bytes: 100_000},
		{name: "duplication", wire: rate(pipe.Wire{Duplicate: 0.3}), bytes: 100_000},
		{name: "corruption", wire: rate(pipe.Wire{Corrupt: 0.05}), bytes: 100_000},
		{name: "everything", wire: rate(pipe.Wire{Loss: 0.05, Duplicate: 0.05, Corrupt: 0.03, Reorder: 0.1, Jitter: 2 * time.Millisecond}), bytes: 60_000},
		{name: "tiny windows", wire: rate(pipe.Wire{Loss: 0.02}), buffer: 2304, bytes: 30_000},
		{name: "many connections", wire: rate(pipe.Wire{Loss: 0.02, Reorder: 0.02}), bytes: 10_000, conns: 20},
		{name: "without SACK", wire: rate(pipe.Wire{Loss: 0.05}), bytes: 60_000, sysctls: map[string]string{"tcp_sack": "0"}},
		{name: "without timestamps", wire: rate(pipe.Wire{Loss: 0.05}), bytes: 60_000, sysctls: map[string]string{"tcp_timestamps": "0"}},
		{name: "without options", wire: rate(pipe.Wire{Loss: 0.05}), bytes: 60_000, sysctls: map[string]string{"tcp_sack": "0", "tcp_timestamps": "0", "tcp_window_scaling": "0"}},
	}
	for _, loss := range []float64{0.01, 0.05, 0.1, 0.2} {
		rows = append(rows, path{name: fmt.Sprint("loss ", loss), wire: rate(pipe.Wire{Loss: loss}), bytes: 60_000})
	}
	for _, mtu := range []int{68, 100, 296, 576, 1280, 4000, 9000} {
		rows = append(rows, path{name: fmt.Sprint("MTU ", mtu), wire: rate(pipe.Wire{Loss: 0.02}), mtu: mtu, v4only: mtu < 1280, bytes: 50 * mtu})
	}
	return rows
}

// run carries the row's bytes over one random path.
func (x *path) run(t *testing.T, address string, seed uint64, cc ...congestion.Algorithm) {
	t.Helper()
	p := newPair(t, pipe.Config{Wire: x.wire, MTU: x.mtu, Name: fmt.Sprint(x.name, seed)}, cc...)
	for name, value := range x.sysctls {
		p.check(p.a.SetSysctl("net.ipv4."+name, value))
		p.check(p.b.SetSysctl("net.ipv4."+name, value))
	}
	l, err := p.b.Listen("tcp", net.JoinHostPort(address, "80"))
	if err != nil {
		t.Fatal(err)
	}
	finished := 0
	// both writes one stream and reads the other, at the same time.
	both := func(name string, c net.Conn, out, in uint64) {
		if x.buffer != 0 {
			p.check(c.(*core.Conn).SetReadBuffer(x.buffer / 2))
		}
		p.Go(name+" writes", func() {
			_, err := c.Write(noise(out, x.bytes))
			p.check(err)
			p.check(c.(*core.Conn).CloseWrite())
			finished++
		})
		p.Go(name+" reads", func() {
			got, err := io.ReadAll(c)
			p.check(err)
			if !bytes.Equal(got, noise(in, x.bytes)) {
				t.Errorf("%s: the %d bytes that arrived are not the %d that were sent", name, len(got), x.bytes)
			}
			finished++
		})
	}
	conns := max(x.conns, 1)
	var open []net.Conn
	p.Go("server", func() {
		for range conns {
			c, err := l.Accept()
			if err != nil {
				p.check(err)
				return
			}
			open = append(open, c)
			var id [1]byte
			p.Go("greeting", func() {
				if _, err := io.ReadFull(c, id[:]); err != nil {
					p.check(err)
					return
				}
				both("server", c, uint64(id[0])+1000, uint64(id[0]))
			})
		}
	})
	for i := range conns {
		p.Go("client", func() {
			c, err := p.a.Dial("tcp", net.JoinHostPort(address, "80"))
			for errors.Is(err, syscall.EHOSTUNREACH) { // where even ARP got lost
				c, err = p.a.Dial("tcp", net.JoinHostPort(address, "80"))
			}
			if err != nil {
				p.check(err)
				return
			}
			open = append(open, c)
			_, err = c.Write([]byte{byte(i)})
			p.check(err)
			both("client", c, uint64(i), uint64(i)+1000)
		})
	}
	for range 100 {
		if p.Advance(time.Minute); finished == 4*conns {
			break
		}
	}
	if finished != 4*conns {
		t.Errorf("%d of %d tasks ended", finished, 4*conns)
	}
	for _, c := range open {
		p.check(c.Close())
	}
	p.check(l.Close())
	p.Advance(5 * time.Minute)
	if x.wire.Corrupt > 0 && p.Counter(p.a, "Tcp", "InCsumErrors")+p.Counter(p.b, "Tcp", "InCsumErrors") == 0 {
		t.Error("no wrong checksum on a path that corrupts")
	}
	for _, in := range []*core.Instance{p.a, p.b} {
		if n := p.Counter(in, "TcpExt", "TCPAbortOnMemory") + p.Counter(in, "Tcp", "EstabResets"); n != 0 {
			t.Errorf("%s: %d connections were aborted", in.Name(), n)
		}
	}
}

// noise is a stream of its own for each id.
func noise(id uint64, n int) []byte {
	r := rand.New(rand.NewPCG(id, 77))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func (x *path) each(t *testing.T, seeds uint64, cc ...congestion.Algorithm) {
	t.Run(x.name, func(t *testing.T) {
		for seed := range seeds {
			for _, address := range []string{addrB, addrB6} {
				if x.v4only && address == addrB6 {
					continue
				}
				x.run(t, address, seed, cc...)
				if t.Failed() {
					t.Fatalf("to %s, seed %d", address, seed)
				}
			}
		}
	})
}

func TestTransfersEndRightOverBadPaths(t *testing.T) {
	for _, x := range paths() {
		x.each(t, 1)
	}
}

// The matrix with both algorithms: when LIBOS_SOAK is 1 with many seeds and long
// transfers, else with one seed.
func TestTransfersSoak(t *testing.T) {
	seeds, longer := uint64(1), 1
	if os.Getenv("LIBOS_SOAK") == "1" {
		seeds, longer = 25, 4
	}
	for _, cc := range algorithms() {
		t.Run(cc.Name, func(t *testing.T) {
			for _, x := range paths() {
				x.bytes *= longer
				x.each(t, seeds, cc)
			}
		})
	}
}
