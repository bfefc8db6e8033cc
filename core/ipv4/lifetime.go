package ipv4

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/timer"
)

// lifetimes is the timer of addresses that are valid for a time only, made with the
// first of them (check_lifetime, net/ipv4/devinet.c).
type lifetimes struct {
	s     *stack
	timer timer.Timer
}

// watchLifetimes sets the timer for the next lifetime that ends.
func (s *stack) watchLifetimes() {
	next := core.Never
	for _, ifc := range s.in.Interfaces() {
		for _, a := range ifc.Addresses() {
			if !a.Prefix.Addr.Is4() {
				continue
			}
			if a.Valid != 0 {
				next = min(next, a.Valid)
			}
			if a.Preferred != 0 && a.Flags&core.AddressDeprecated == 0 {
				next = min(next, a.Preferred)
			}
		}
	}
	if s.lifetimes == nil {
		if next == core.Never {
			return
		}
		s.lifetimes = &lifetimes{s: s}
	}
	s.in.SetTimer(&s.lifetimes.timer, next, s.lifetimes)
}

// Expire implements timer.Expirer: addresses are deprecated and removed.
func (l *lifetimes) Expire(_ *timer.Timer, now core.Time) {
	over := func(t core.Time) bool { return t != 0 && t <= now }
	for _, ifc := range l.s.in.Interfaces() {
		list := ifc.Addresses()
		for i := len(list) - 1; i >= 0; i-- {
			switch a := list[i]; {
			case !a.Prefix.Addr.Is4():
			case over(a.Valid):
				_ = ifc.RemoveAddressLocked(a.Prefix.Addr)
			case over(a.Preferred) && a.Flags&core.AddressDeprecated == 0:
				a.Flags |= core.AddressDeprecated
			}
		}
	}
	l.s.watchLifetimes()
}
