package libos_test

import (
	"fmt"
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// twoHosts are joined by a pipe in real time.
func twoHosts(t *testing.T, addresses [2]string) (a, b *core.Instance) {
	t.Helper()
	r := coretest.New(t, host.NewRealTime())
	w := libos.Wiring()
	a, b = r.Instance("a", w), r.Instance("b", w)
	da, db := pipe.New(pipe.Config{})
	r.Attach(a, da, "eth0", addresses[0])
	r.Attach(b, db, "eth0", addresses[1])
	return a, b
}

// TestConnectionsAreNetConns runs the tests that every net.Conn has to pass.
func TestConnectionsAreNetConns(t *testing.T) {
	for _, x := range []struct {
		name      string
		addresses [2]string
		listen    string
	}{
		{"tcp4", [2]string{"10.0.0.1/24", "10.0.0.2/24"}, "10.0.0.2:80"},
		{"tcp6", [2]string{"fd00::1/64", "fd00::2/64"}, "[fd00::2]:80"},
	} {
		t.Run(x.name, func(t *testing.T) {
			nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
				a, b := twoHosts(t, x.addresses)
				l, err := b.Listen(x.name, x.listen)
				if err != nil {
					return nil, nil, nil, err
				}
				accepted := make(chan error, 1)
				go func() {
					var err error
					c2, err = l.Accept()
					accepted <- err
				}()
				if c1, err = a.Dial(x.name, x.listen); err != nil {
					return nil, nil, nil, err
				}
				if err := <-accepted; err != nil {
					return nil, nil, nil, fmt.Errorf("accepting: %w", err)
				}
				return c1, c2, func() {
					c1.Close()
					c2.Close()
					l.Close()
				}, nil
			})
		})
	}
}
