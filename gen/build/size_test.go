package build

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"testing"
)

func TestPackageOfSymbol(t *testing.T) {
	for symbol, want := range map[string]string{
		"runtime.mheap_":               "runtime",
		"main.main":                    "main",
		"go:func.*":                    "",
		"type:*":                       "",
		"runtime/internal/atomic.Xadd": "runtime/internal/atomic",
		"github.com/libos-go/libos/core.(*Domain).Do":                                 "github.com/libos-go/libos/core",
		"github.com/libos-go/libos.Wiring":                                            "github.com/libos-go/libos",
		"type:.eq.github.com/libos-go/libos/core.RouteQuery":                          "github.com/libos-go/libos/core",
		"go:itab.*github.com/libos-go/libos/device/pipe.End,github.com/x/y.Device":    "github.com/libos-go/libos/device/pipe",
		"github.com/libos-go/libos/core.CacheOf[go.shape.struct { a/b.x int }]":       "github.com/libos-go/libos/core",
		"gopkg.in/yaml%2ev3.Unmarshal":                                                "gopkg.in/yaml.v3",
		"type:.eq.[2]github.com/libos-go/libos/core/wire.Addr":                        "github.com/libos-go/libos/core/wire",
		"golang.org/x/sys/unix.init.0":                                                "golang.org/x/sys/unix",
		"github.com/libos-go/libos/allocator.(*Cache[go.shape.struct { p.x }]).Alloc": "github.com/libos-go/libos/allocator",
	} {
		if got := packageOf(symbol); got != want {
			t.Errorf("%s belongs to %q, want %q", symbol, got, want)
		}
	}
}

// The binary of a configuration holds the packages of its symbols and nothing
// of those of the others, its own count agrees with go tool nm, and a tiny
// stack is small.
func TestBinariesHoldWhatWasChosen(t *testing.T) {
	t.Parallel()
	b := repository(t)
	c, err := b.configuration(nil)
	if err != nil {
		t.Fatal(err)
	}
	// Every symbol with a package is off in one of the variants: all in "none",
	// and each once more beside half of the others.
	var named []string
	for _, s := range c.symbols {
		if s.Package != "" {
			named = append(named, s.Name)
		}
	}
	if len(named) == 0 {
		t.Fatal("no symbol names a package")
	}
	var odd, even []string
	for i := len(named) - 1; i >= 0; i-- { // those that depend on others come off first
		s := named[i]
		if i%2 == 0 {
			even = append(even, s+"=n")
		} else {
			odd = append(odd, s+"=n")
		}
	}
	b.target(t, "all", "allyesconfig", "SLAB_DEBUG=n")
	b.target(t, "none", "allnoconfig")
	b.target(t, "tiny", "tinyconfig")
	b.target(t, "odd", "allyesconfig", even...)
	b.target(t, "even", "allyesconfig", odd...)
	off := map[string]int{}
	names := []string{"all", "none", "tiny", "odd", "even"}
	built, errs := make([]*Size, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { built[i], errs[i] = b.Size(true, name) })
		if i == 0 {
			wg.Wait() // it compiles what the others then find in the build cache
		}
	}
	wg.Wait()
	sizes := map[string]*Size{}
	looked, absent := 0, 0 // symbols of binaries, pairs of a symbol and a binary without it
	for i, name := range names {
		z := built[i]
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		sizes[name] = z
		looked += b.agreesWithNm(t, z)
		c, err := b.configuration([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		table, err := b.symbolsOf(b.Binary(name))
		if err != nil {
			t.Fatal(err)
		}
		on := map[string]bool{}
		for _, s := range c.symbols {
			on[s.Package] = on[s.Package] || s.On()
		}
		for _, s := range c.symbols {
			if s.Package == "" {
				continue
			}
			if on[s.Package] {
				used := s.Name != "PCAP" || name == "all" // it serves commands, none of which may be chosen
				if used && z.Packages[Module+"/"+s.Package] == 0 {
					t.Errorf("%s: CONFIG_%s is on, but nothing of %s is in the binary", name, s.Name, s.Package)
				}
				continue
			}
			off[s.Name]++
			absent++
			below := Module + "/" + s.Package + "/" // its own parts, unless another symbol names one
			for p := range on {
				if on[p] && strings.HasPrefix(p, s.Package+"/") {
					below = Module + "/" + s.Package + "."
				}
			}
			for _, x := range table {
				if strings.Contains(x.Name, Module+"/"+s.Package+".") || strings.Contains(x.Name, below) {
					t.Errorf("%s: CONFIG_%s is off, but the binary has %s", name, s.Name, x.Name)
				}
			}
		}
	}
	for _, s := range named {
		if off[s] < 2 {
			t.Errorf("CONFIG_%s was off in %d builds only", s, off[s])
		}
	}
	all, tiny := sizes["all"].Own, sizes["tiny"].Own
	if 100*tiny > 40*all {
		t.Errorf("tinyconfig has %d bytes in our own packages, more than 40 %% of allyesconfig's %d", tiny, all)
	}
	t.Logf("%d symbols of %d binaries compared with nm; %d options with a package, each absent in 2 to %d binaries (%d checks)", looked, len(names), len(named), len(names)-1, absent)
	t.Logf("own bytes: all %d, tiny %d (%.1f %%), none %d", all, tiny, 100*float64(tiny)/float64(all), sizes["none"].Own)
}

// What a symbol adds is what the binary of a configuration without it lacks.
func TestSizeAgreesWithBinariesBuiltWithout(t *testing.T) {
	t.Parallel()
	b := repository(t)
	b.target(t, "tiny", "tinyconfig")
	z, err := b.Size(false, "tiny")
	if err != nil {
		t.Fatal(err)
	}
	if len(z.Symbols) < 4 {
		t.Fatalf("tinyconfig has %d symbols with a package, want IPv4, UDP, loopback and pipe", len(z.Symbols))
	}
	for _, s := range z.Symbols {
		if s.Adds == nil {
			t.Errorf("%s was not measured", s.Symbol)
			continue
		}
		t.Logf("%-10s adds %d", s.Symbol, *s.Adds)
		if s.Symbol != "UDP" && s.Symbol != "LOOPBACK" { // two suffice, each is a build
			continue
		}
		path := filepath.Join(b.Folder("tiny"), ".config")
		config, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Replace(string(config), "CONFIG_"+s.Symbol+"=y\n", "# CONFIG_"+s.Symbol+" is not set\n", 1)
		// In a folder of its own under the same name, since the name is inside.
		other := *b
		other.Out = t.TempDir()
		if err := os.MkdirAll(other.Folder("tiny"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(other.ConfigPath("tiny"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		other.mustBuild(t, "tiny")
		table, err := other.symbolsOf(other.Binary("tiny"))
		if err != nil {
			t.Fatal(err)
		}
		total := z.Total
		for _, x := range table {
			if !x.Zero {
				total -= x.Size
			}
		}
		if total != *s.Adds {
			t.Errorf("%s adds %d bytes by libosbuild size, %d by the binaries", s.Symbol, *s.Adds, total)
		}
	}
	data, err := z.JSON()
	if err != nil || !json.Valid(data) || !strings.Contains(string(data), `"adds": `) {
		t.Errorf("as JSON (%v):\n%s", err, data)
	}
	for _, want := range []string{"adds", "protocols/udp", bytes10(*z.Symbols[0].Adds)} {
		if !strings.Contains(z.Text(), want) {
			t.Errorf("no %q in\n%s", want, z.Text())
		}
	}
}

// agreesWithNm compares with `go tool nm`, package by package, and the parts
// with the whole. nm counts memory that starts as zero, too. It returns how many
// symbols nm lists.
func (b *Builder) agreesWithNm(t *testing.T, z *Size) (symbols int) {
	t.Helper()
	table, err := b.nm(b.Binary(z.Name))
	if err != nil {
		t.Fatal(err)
	}
	own, err := b.symbolsOf(b.Binary(z.Name))
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	packages := map[string]int64{}
	count := func(s binarySymbol, sign int64) {
		total += sign * s.Size
		if p := packageOf(s.Name); p == "main" {
			packages[Module+"/cmd/libos"] += sign * s.Size
		} else if p != "" {
			packages[p] += sign * s.Size
		}
	}
	for _, s := range table {
		count(s, 1)
	}
	for _, s := range own {
		if s.Zero {
			count(s, -1)
		}
	}
	for p, n := range packages {
		if n == 0 { // all of it starts as zero
			delete(packages, p)
		}
	}
	if total != z.Total {
		t.Errorf("%s: %d bytes of symbols, by nm %d", z.Name, z.Total, total)
	}
	var paths []string
	for p := range packages {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	for _, p := range paths {
		if packages[p] != z.Packages[p] {
			t.Errorf("%s: %s has %d bytes, by nm %d", z.Name, p, z.Packages[p], packages[p])
		}
	}
	if len(paths) != len(z.Packages) {
		t.Errorf("%s: %d packages, by nm %d", z.Name, len(z.Packages), len(paths))
	}
	if z.Own+z.Other+z.Tables != z.Total {
		t.Errorf("%s: own %d, other %d, tables %d are not %d", z.Name, z.Own, z.Other, z.Tables, z.Total)
	}
	ours, other := z.Always.Own+z.Shared.Own, z.Always.Other+z.Shared.Other
	for _, s := range z.Symbols {
		ours, other = ours+s.Own, other+s.Other
	}
	if ours != z.Own || other != z.Other {
		t.Errorf("%s: the lines add up to %d and %d, not to %d and %d", z.Name, ours, other, z.Own, z.Other)
	}
	return len(table)
}
