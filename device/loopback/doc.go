// Package loopback is the device lo: what an instance sends to itself comes
// back at once. It holds no addresses and no routes (core gives lo its own).
// The device is one file; start and end reading at loopback.go.
package loopback
