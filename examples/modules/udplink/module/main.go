// Command module serves the kind of device udplink to libos from a process of its
// own.
package main

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/plugin"

	"github.com/libos-go/libos/examples/modules/udplink"
)

func main() {
	plugin.Main(plugin.Module{
		Name:        "udplink",
		Version:     "1.0.0",
		Description: "An Ethernet link over datagrams",
		License:     "Apache-2.0",
		Devices:     []core.DeviceKind{udplink.Kind()},
	})
}
