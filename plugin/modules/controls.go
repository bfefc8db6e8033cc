package modules

import (
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/protocols/tcp/congestion"
)

// controller is a transport that takes congestion controls while it runs: TCP.
type controller interface {
	AddCongestionControl(a congestion.Algorithm) error
	RemoveCongestionControl(name string) error
}

// addControl gives an instance's TCP a congestion control. EPROTONOSUPPORT if it
// has no TCP.
func addControl(in *core.Instance, a congestion.Algorithm) error {
	return controlled(in, func(c controller) error { return c.AddCongestionControl(a) })
}

// removeControl takes it away. EBUSY while connections use it.
func removeControl(in *core.Instance, name string) error {
	return controlled(in, func(c controller) error { return c.RemoveCongestionControl(name) })
}

func controlled(in *core.Instance, f func(controller) error) error {
	var err error = syscall.EPROTONOSUPPORT
	in.Domain().Do(func() {
		for _, t := range in.Transports() {
			if c, ok := t.(controller); ok {
				err = f(c)
			}
		}
	})
	return err
}
