// Package shim puts a device behind a wall that only bytes cross: every batch,
// property and completion is encoded, copied and decoded on the other side, as
// between two processes.
//
// Tests run devices through it to hold their contract to what can be remoted. The
// format and both ends are those of core/remote; lane.go is the way between them.
// Start reading at shim.go.
package shim
