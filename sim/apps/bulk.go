package apps

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/sim"
)

// Sink takes what others send to a port and throws it away, over TCP and UDP.
type Sink struct {
	Port int `sim:"port,TCP and UDP port to listen on"`
	// Buffer is SO_RCVBUF of TCP connections in bytes, 0 lets it grow by itself.
	Buffer int `sim:"buffer,receive buffer in bytes; 0 is tuned automatically"`
}

// Check implements App.
func (a Sink) Check() error {
	if a.Buffer < 0 {
		return fmt.Errorf("buffer %d is negative", a.Buffer)
	}
	return checkPort(a.Port)
}

// Start implements App.
func (a Sink) Start(x *sim.Node) {
	x.Go("sink", 0, func(t *sim.Task) {
		l, err := t.Listen("tcp", address(t, "", a.Port))
		t.Assert(err == nil, "%v", err)
		if a.Buffer > 0 { // connections have it from the listener
			t.Assert(setBuffer(l, a.Buffer) == nil, "buffer %d", a.Buffer)
		}
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Go("sink", func(t *sim.Task) {
				for {
					if _, err := discard(c, chunk); err != nil {
						_ = c.Close()
						return
					}
				}
			})
		}
	})
	x.Go("sink", 0, func(t *sim.Task) {
		c, err := t.ListenPacket("udp", address(t, "", a.Port))
		t.Assert(err == nil, "%v", err)
		t.Track("udp", c)
		var b [1]byte
		for {
			if _, _, err := c.ReadFromAddrPort(b[:]); err != nil {
				return
			}
		}
	})
}

func setBuffer(l net.Listener, n int) error {
	s, ok := l.(interface{ Socket() *core.Socket })
	if !ok {
		return errors.New("the listener has no socket")
	}
	return s.Socket().SetInt(core.SolSocket, core.SoRcvBuf, n)
}

// Bulk sends as fast as TCP lets it.
type Bulk struct {
	To    string        `sim:"to,node or address to send to"`
	Port  int           `sim:"port,TCP port"`
	At    Distribution  `sim:"start,when to connect, or from when to when at random"`
	For   time.Duration `sim:"for,how long to send; 0 without bytes is to the end"`
	Bytes int64         `sim:"bytes,how much to send; 0 is no limit"`
	// Warmup is how long after the start goodput begins to count.
	Warmup     time.Duration `sim:"warmup,time after the start that does not count for the goodput"`
	Congestion string        `sim:"congestion,congestion control; the node's own if it is missing"`
	Flows      int           `sim:"flows,connections at once; 1 if it is missing"`
}

// Check implements App.
func (a Bulk) Check() error {
	if a.Bytes < 0 || a.Flows < 0 || a.Warmup < 0 {
		return errors.New("bytes, flows and warmup are not negative")
	}
	if a.Flows > maxFlows {
		return fmt.Errorf("flows %d: it is at most %d, as many as there are ports", a.Flows, maxFlows)
	}
	if a.For > 0 && a.Warmup >= a.For {
		return fmt.Errorf("warmup %v leaves nothing of %v to count", a.Warmup, a.For)
	}
	if err := checkTimes(a.At, a.For); err != nil {
		return err
	}
	return checkTarget(a.To, a.Port)
}

// Start implements App.
func (a Bulk) Start(x *sim.Node) {
	for i := range max(1, a.Flows) {
		name := "bulk"
		if a.Flows > 1 {
			name = fmt.Sprintf("bulk%d", i+1)
		}
		x.Go(name, a.At.start(x, name), func(t *sim.Task) { a.run(t) })
	}
}

// maxFlows bounds the connections of one app.
const maxFlows = 65535

// chunk is how many bytes are written, or thrown away, at once.
const chunk = 16 << 10

func (a Bulk) run(t *sim.Task) {
	begin := t.Now()
	c, err := dial(t, "tcp", address(t, a.To, a.Port), 20)
	if err != nil {
		t.Assert(over(err), "%v", err)
		t.Record("goodput", 0, "bit/s")
		return
	}
	if err := setCongestion(c, a.Congestion); err != nil {
		t.Fatalf("%v", err)
	}
	t.Track(t.Name(), c)
	var counted uint64
	from := begin
	if a.Warmup > 0 {
		t.Go("warmup", func(w *sim.Task) {
			if w.SleepUntil(begin+a.Warmup) == nil {
				counted, from = acknowledged(c), w.Now()
			}
		})
	}
	if a.For > 0 {
		_ = c.SetWriteDeadline(t.WallTime(begin + a.For))
	}
	left := a.Bytes
	for a.Bytes == 0 || left > 0 {
		k := int64(chunk)
		if a.Bytes > 0 {
			k = min(k, left)
		}
		n, err := writeZeros(c, int(k))
		left -= int64(n)
		if err != nil {
			break // the deadline, the peer's reset, or the end of the simulation
		}
	}
	done := a.Bytes > 0 && left == 0
	if done { // to the last byte's acknowledgement
		if half, ok := c.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
			var b [1]byte
			_, err = c.Read(b[:])
			done = err == io.EOF
		}
	}
	if d := (t.Now() - from).Seconds(); d > 0 {
		t.Record("goodput", float64(acknowledged(c)-counted)*8/d, "bit/s")
	}
	if done {
		t.Record("completion", (t.Now() - begin).Seconds(), "s")
	}
	_ = c.Close()
}

// acknowledged is tcpi_bytes_acked of a connection (include/uapi/linux/tcp.h).
func acknowledged(c net.Conn) uint64 {
	s := socketOf(c)
	if s == nil {
		return 0
	}
	var b [256]byte
	if n, err := s.Option(6, 11, b[:]); err != nil || n < 128 {
		return 0
	}
	return binary.NativeEndian.Uint64(b[120:])
}
