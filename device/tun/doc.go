// Package tun joins an instance to the host's kernel through a TUN or TAP
// device on every system that has them, by songgao/water.
//
// A goroutine reads batches from the device into the stack, another writes
// what the stack queued. No offloads: device/tunvnet has them, on Linux. Start
// reading at tun.go; link.go is the part that knows nothing of TUN.
package tun
