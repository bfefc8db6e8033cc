// Command module serves the kind of device player to libos from a process of its own.
package main

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/plugin"

	"github.com/libos-go/libos/examples/modules/player"
)

func main() {
	plugin.Main(plugin.Module{
		Name:        "player",
		Version:     "1.0.0",
		Description: "A device that plays a pcap file",
		License:     "Apache-2.0",
		Devices:     []core.DeviceKind{player.Kind()},
	})
}
