// Package slabinfo is `libos slabinfo`: the slab caches behind an instance, in
// the layout of /proc/slabinfo. Counting is allocator's. Start at slabinfo.go.
package slabinfo
