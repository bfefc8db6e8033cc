package core_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/libos-go/libos/allocator"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

// mapped is the address space of this process in bytes.
func mapped(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages int
	if _, err := fmt.Sscan(string(b), &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// A Domain that is closed has given its slabs back to the system.
func TestAClosedDomainHoldsNoMemory(t *testing.T) {
	if !allocator.NewArena(allocator.ArenaOptions{}).Stats().OffHeap {
		t.Skip("slabs are on the Go heap: in a program with the race detector")
	}
	use := func() {
		t.Run("", func(t *testing.T) { // at its end the Domain is closed
			in := coretest.New(t, host.NewVirtual(1), coretest.Release()).Instance("a", &core.Wiring{Name: "none"})
			in.Domain().Do(func() {
				for range 100 {
					in.NewPacket(core.Headroom, 1000).Free()
				}
			})
		})
	}
	for range 10 {
		use()
	}
	before := mapped(t)
	const n = 2000
	for range n {
		use()
	}
	// Each held 256 KiB, 500 MiB together; the Go runtime takes steps of 64 MiB.
	if grew := mapped(t) - before; grew > n*256<<10/2 {
		t.Errorf("%d Domains that were closed hold %d bytes of addresses", n, grew)
	}
}
