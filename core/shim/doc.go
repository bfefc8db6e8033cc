// Package shim puts a separable protocol behind a wall that only bytes cross:
// every call between core.Env and core.Handler is encoded, copied and decoded on
// the other side, as between two processes, and packets are made anew there.
//
// Tests run protocols through it to hold their contract to what can be remoted:
// a shared pointer, a borrowed value that was kept, a packet that was used after
// it was given away come to light here. The bytes are core/remote's; here they
// are carried within one process, and what was carried is overwritten once it
// was read. Start reading at shim.go.
package shim
