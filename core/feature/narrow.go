package feature

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Owners names the symbol behind each entry of a wiring, in the order of the
// entries; "" for what is always there.
type Owners struct {
	Networks, Protocols, Devices, Qdiscs, Sysctls []string
	Loopback                                      string
}

// Choice is a value that a symbol brings in.
type Choice[T any] struct {
	Symbol string
	Make   func() T
}

// Chosen makes the values whose symbols are on, in the order of the list.
func Chosen[T any](s *Set, list ...Choice[T]) []T {
	var out []T
	for _, c := range list {
		if s.On(c.Symbol) {
			out = append(out, c.Make())
		}
	}
	return out
}

// Index is f, the place of a name among the values of the symbols, as the place
// among those that Chosen makes; -1 for a value whose symbol is off.
func Index(s *Set, f func(name string) int, symbols ...string) func(name string) int {
	places := make([]int, len(symbols))
	n := 0
	for i, symbol := range symbols {
		if places[i] = -1; s.On(symbol) {
			places[i] = n
			n++
		}
	}
	if n == len(symbols) {
		return f
	}
	return func(name string) int { return place(places, f(name)) }
}

// Narrow leaves out of w, which is the caller's own, what s does not choose.
// The dispatch tables stay those of the binary, with the indices of what is
// left.
func Narrow(w *core.Wiring, s *Set, o Owners) *core.Wiring {
	w.Name, w.Config = s.Name, s.Config
	var networks, protocols []int
	w.Networks, networks = keep(s, w.Networks, o.Networks)
	w.Protocols, protocols = keep(s, w.Protocols, o.Protocols)
	w.Devices, _ = keep(s, w.Devices, o.Devices)
	w.Qdiscs, _ = keep(s, w.Qdiscs, o.Qdiscs)
	w.Sysctls, _ = keep(s, w.Sysctls, o.Sysctls)
	if o.Loopback != "" && !s.On(o.Loopback) {
		w.Loopback = nil
	}
	if f := w.EtherType; f != nil {
		w.EtherType = func(t wire.EtherType) int { return place(networks, f(t)) }
	}
	if f := w.IPProtocol; f != nil {
		w.IPProtocol = func(n uint8) int { return place(protocols, f(n)) }
	}
	if f := w.SocketKind; f != nil {
		w.SocketKind = func(family, typ, protocol int) int { return place(protocols, f(family, typ, protocol)) }
	}
	return w
}

// place is where entry i of the full table is in the narrowed one, or -1.
func place(places []int, i int) int {
	if i < 0 {
		return -1
	}
	return places[i]
}

// keep is the entries whose owners are on, and for each entry its new place.
func keep[T any](s *Set, list []T, owners []string) ([]T, []int) {
	places := make([]int, len(list))
	var out []T
	for i := range list {
		if places[i] = -1; owners[i] == "" || s.On(owners[i]) {
			places[i] = len(out)
			out = append(out, list[i])
		}
	}
	return out, places
}
