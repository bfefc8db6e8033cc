// Package demo is `libos demo`: two hosts and a router in this process, real
// files over HTTP through them, sums compared; with --tun the same stack against
// the kernel in a network namespace of its own. Start at demo.go; three.go is the
// lab in memory, modules.go that with UDP as a module, tun_linux.go the one with the kernel, netlink_linux.go the
// kernel's side of it.
package demo
