package modules

import (
	"fmt"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/plugin/session"
)

// controller is a transport that takes congestion controls while it runs: TCP.
type controller interface {
	AddCongestionControl(a congestion.Algorithm) error
	RemoveCongestionControl(name string) error
	CongestionControlIdle(name string) error // what RemoveCongestionControl would say
	// Preset is what connections begin with unless told otherwise: what decides
	// while a module does not.
	PresetCongestionControl() (a congestion.Algorithm, ok bool)
}

// addControl gives an instance's TCP a congestion control of a module. Its preset
// one decides where the module does not. EPROTONOSUPPORT if it has no TCP, or one
// without any congestion control.
func addControl(in *core.Instance, s *session.Session, name string) error {
	return controlled(in, func(c controller) error {
		fallback, ok := c.PresetCongestionControl()
		if !ok {
			return fmt.Errorf("TCP has no congestion control of its own, to decide where the module does not: build TCP_CONG_CUBIC or TCP_CONG_RENO in (y): %w",
				syscall.EPROTONOSUPPORT)
		}
		return c.AddCongestionControl(s.Algorithm(name, fallback))
	})
}

// removeControl takes it away. EBUSY while connections use it.
func removeControl(in *core.Instance, name string) error {
	return controlled(in, func(c controller) error { return c.RemoveCongestionControl(name) })
}

// idleControl is what removeControl would say.
func idleControl(in *core.Instance, name string) error {
	return controlled(in, func(c controller) error { return c.CongestionControlIdle(name) })
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
