// Package plugin makes a program a module of libos: a protocol, a device or a
// congestion control in a process of its own.
//
//	func main() {
//		plugin.Main(plugin.Module{
//			Name:      "udp",
//			Protocols: []plugin.Protocol{{Protocol: udp.Protocol(), Sysctls: sysctl.Of[udp.Sysctls]()}},
//		})
//	}
//
// The program is built, described (`PROGRAM --describe`) and loaded (`libos
// modprobe`). What it serves is the same source that can be linked in: package
// core has the contract (core.Handler, core.Env). Start reading at module.go;
// serve.go is what happens when the stack starts the program. How modules work
// is told in docs/modules.md, how to write one in docs/writing-a-module.md.
package plugin
