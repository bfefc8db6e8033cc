// Package wiring is no covered tree: it may have state, but not write to that of others.
package wiring

import "github.com/libos-go/libos/core/tables"

var Chosen = []tables.Protocol{tables.UDP}

var Cache = map[string]int{}

func Spoil() {
	tables.ErrFull = nil          // want `ErrFull is written to`
	tables.Sizes[0] = 1           // want `Sizes is written to`
	tables.UDP.Numbers[0] = 1     // want `UDP is written to`
	p := &tables.Ports            // want `Ports has its address taken`
	p[0] = tables.Ports[1]
	Chosen = nil
	Cache["x"] = tables.Sizes[1]
}
