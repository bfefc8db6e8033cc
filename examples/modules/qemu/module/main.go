// Command module serves the kind of device qemu to libos from a process of its own.
package main

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/plugin"

	"github.com/libos-go/libos/examples/modules/qemu"
)

func main() {
	plugin.Main(plugin.Module{
		Name:        "qemu",
		Version:     "1.0.0",
		Description: "A link to a QEMU guest (-netdev stream)",
		License:     "Apache-2.0",
		Devices:     []core.DeviceKind{qemu.Kind()},
	})
}
