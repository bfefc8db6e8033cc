// Command module serves ledbat to libos from a process of its own.
package main

import (
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/plugin"

	"github.com/libos-go/libos/examples/modules/ledbat"
)

func main() {
	plugin.Main(plugin.Module{
		Name:        "ledbat",
		Version:     "1.0.0",
		Description: "LEDBAT (RFC 6817), which uses what others leave",
		License:     "Apache-2.0",
		Controls:    []congestion.Algorithm{ledbat.Algorithm()},
	})
}
