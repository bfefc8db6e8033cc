// Package shim puts a device behind a wall that only bytes cross: every batch,
// property and completion is encoded, copied and decoded on the other side, as
// between two processes.
//
// Tests run devices through it to hold their contract to what can be remoted.
// codec.go is the format, shim.go the side of the stack, far.go the side of the
// device. Start reading at shim.go.
package shim
