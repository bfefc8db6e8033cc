package core_test

import (
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// BenchmarkRoute is what finding a way costs: by the cache, by the table, and which
// addresses are local.
func BenchmarkRoute(b *testing.B) {
	r := coretest.New(b, host.NewVirtual(1), coretest.Release())
	in := r.Instance("a", libos.Wiring())
	r.Wire(in, "eth0", core.LinkEthernet, "10.0.0.1/24", "fd00::1/64")
	for _, p := range []string{"10.8.0.0/16", "10.9.0.0/16", "0.0.0.0/0"} {
		if err := in.AddRoute(core.RouteEntry{Prefix: wire.MustPrefix(p), Gateway: wire.MustAddr("10.0.0.2")}); err != nil {
			b.Fatal(err)
		}
	}
	for _, x := range []struct{ family, dst string }{{"4", "10.9.3.4"}, {"6", "fd00::2"}} {
		dst := wire.MustAddr(x.dst)
		run := func(name string, f func()) {
			b.Run(name+x.family, func(b *testing.B) {
				b.ReportAllocs()
				in.Domain().Do(func() {
					for range b.N {
						f()
					}
				})
			})
		}
		run("cached", func() {
			if _, err := in.Route(core.RouteQuery{Dst: dst, Src: dst}); err != nil {
				b.Fatal(err)
			}
		})
		run("match", func() {
			if _, ok := in.MatchLocked(core.RouteQuery{Dst: dst}); !ok {
				b.Fatal("no route")
			}
		})
		run("local", func() {
			if in.IsLocal(dst) {
				b.Fatal("local")
			}
		})
	}
}
