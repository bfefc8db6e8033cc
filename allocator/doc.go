// Package allocator keeps the memory of a network stack: slab caches for pages of packet
// data (off-heap) and for typed objects (chunks of the Go heap), accounted per instance.
//
// It knows nothing of packets, sockets or protocols, and holds no package state: an Arena
// belongs to a process or a test, a Pool to a Domain, an Account to an instance. Start with
// Pool (pool.go), then Page (page.go) and Cache (object.go); debug.go finds misuse.
package allocator
