// Command module serves the kind of device filter to libos from a process of its
// own.
package main

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/plugin"

	"github.com/libos-go/libos/examples/modules/filter"
)

func main() {
	plugin.Main(plugin.Module{
		Name:        "filter",
		Version:     "1.0.0",
		Description: "A packet filter on another device",
		License:     "Apache-2.0",
		Devices:     []core.DeviceKind{filter.Kind()},
	})
}
