package apps

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/sim"
)

// App is what a node does.
type App interface {
	// Check finds values out of range and what is missing.
	Check() error
	// Start has the app run on x.
	Start(x *sim.Node)
}

// over tells an error that comes with the end of the simulation.
func over(err error) bool {
	return errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.EBADF) || errors.Is(err, io.ErrClosedPipe)
}

// address joins the address of a node, or an address, and a port.
func address(t *sim.Task, host string, port int) string {
	return net.JoinHostPort(resolve(t, host), strconv.Itoa(port))
}

// resolve is the address of a node, if to names one, else to itself.
func resolve(t *sim.Task, to string) string {
	if x := t.Node().Network().Lookup(to); x != nil {
		return x.Address()
	}
	return to
}

// checkTarget judges the address and port of a client.
func checkTarget(to string, port int) error {
	if to == "" {
		return errors.New("to is missing: the node or address to talk to")
	}
	return checkPort(port)
}

func checkPort(port int) error {
	if port == 0 {
		return errors.New("port is missing: a number in 1..65535")
	}
	if port < 1 || port > 65535 {
		return fmt.Errorf("port %d is not in 1..65535", port)
	}
	return nil
}

func checkTimes(start Distribution, dur time.Duration) error {
	if start.a < 0 || dur < 0 {
		return errors.New("start and for are not negative")
	}
	return nil
}

// dial connects, again after half a second while the server is not there yet: the
// apps of a network start in no order. It gives up with the error after tries.
func dial(t *sim.Task, network, to string, tries int) (net.Conn, error) {
	for {
		c, err := t.Dial(network, to)
		if tries--; err == nil || tries <= 0 || !errors.Is(err, syscall.ECONNREFUSED) {
			return c, err
		}
		if err := t.Sleep(500 * time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// socketOf is the stack's socket of a connection.
func socketOf(c net.Conn) *core.Socket {
	if s, ok := c.(interface{ Socket() *core.Socket }); ok {
		return s.Socket()
	}
	return nil
}

// setCongestion chooses the congestion control of a TCP connection.
func setCongestion(c net.Conn, name string) error {
	if name == "" {
		return nil
	}
	s := socketOf(c)
	if s == nil {
		return errors.New("the connection has no congestion control")
	}
	const tcpCongestion = 13 // TCP_CONGESTION
	if err := s.SetOption(6, tcpCongestion, []byte(name)); err != nil {
		if errors.Is(err, syscall.ENOENT) {
			has, _ := s.Instance().Sysctl("net.ipv4.tcp_available_congestion_control")
			return fmt.Errorf("there is no congestion control %s (the node has: %s)", name, has)
		}
		return fmt.Errorf("congestion control %s: %w", name, err)
	}
	return nil
}

// writeZeros writes n zeros. Those of the stack's connections take no memory: a
// network of thousands of hosts would otherwise be full of them.
func writeZeros(c net.Conn, n int) (int, error) {
	if z, ok := c.(interface{ WriteZeros(n int) (int, error) }); ok {
		return z.WriteZeros(n)
	}
	return c.Write(make([]byte, n))
}

// discard reads up to n bytes and throws them away.
func discard(c net.Conn, n int) (int, error) {
	if d, ok := c.(interface{ Discard(n int) (int, error) }); ok {
		return d.Discard(n)
	}
	return c.Read(make([]byte, n))
}
