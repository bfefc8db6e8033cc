package core_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/libos-go/libos/core"
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
	use := func() {
		d := core.NewDomain(host.NewVirtual(1), core.DomainOptions{})
		in, err := core.New(core.Options{Name: "a", Domain: d, Wiring: &core.Wiring{Name: "none"}})
		if err != nil {
			t.Fatal(err)
		}
		d.Do(func() {
			for range 100 {
				in.NewPacket(core.Headroom, 1000).Free()
			}
		})
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatalf("closed again: %v", err)
		}
		if p := in.NewPacket(core.Headroom, 1000); p != nil {
			t.Fatal("there is memory after the end")
		}
	}
	for range 10 {
		use()
	}
	before := mapped(t)
	const n = 500
	for range n {
		use()
	}
	// Each held 256 KiB; what the Go runtime takes meanwhile is less than a fifth.
	if grew := mapped(t) - before; grew > n*256<<10/5 {
		t.Errorf("%d Domains that were closed hold %d bytes of addresses", n, grew)
	}
}
