// Command module serves newest to libos from a process of its own.
package main

import (
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/plugin"

	"github.com/libos-go/libos/examples/modules/newest"
)

func main() {
	plugin.Main(plugin.Module{
		Name:        "newest",
		Version:     "1.0.0",
		Description: "Datagrams that are never older than the one before",
		License:     "Apache-2.0",
		Protocols:   []plugin.Protocol{{Protocol: newest.Protocol(), Sysctls: sysctl.Of[newest.Sysctls]()}},
	})
}
