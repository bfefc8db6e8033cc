package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/libos-go/libos/gen/emit"
	"github.com/libos-go/libos/gen/kconfig"
	"github.com/libos-go/libos/gen/scan"
)

// measured is kept in build/NAME/.gen/size.json: what symbols add to the binary
// of that hash.
type measured struct {
	Binary string
	Adds   map[string]int64
}

// measure fills in what each symbol adds, by building the configuration once
// more without it. As long as the binary stays the same that is done once.
func (b *Builder) measure(c *configuration, z *Size) error {
	path := filepath.Join(b.gen(c.name), "size.json")
	hash := b.readState(c.name).Libos.hash()
	known := measured{}
	if data, err := os.ReadFile(path); err != nil || json.Unmarshal(data, &known) != nil || known.Binary != hash {
		var err error
		if known, err = b.measureAll(c, z); err != nil {
			return err
		}
		known.Binary = hash
		data, err := json.Marshal(known)
		if err != nil {
			return err
		}
		if _, err := writeIfChanged(path, data); err != nil {
			return err
		}
	}
	for i := range z.Symbols {
		if n, ok := known.Adds[z.Symbols[i].Symbol]; ok {
			z.Symbols[i].Adds = &n
		}
	}
	return nil
}

// measureAll builds the configuration without each symbol, as many at a time as
// there are processors. The packages are scanned once: leaving a symbol out
// leaves out packages, and changes none.
func (b *Builder) measureAll(c *configuration, z *Size) (measured, error) {
	m := measured{Adds: map[string]int64{}}
	out := filepath.Join(b.gen(c.name), "size")
	if err := os.RemoveAll(out); err != nil {
		return m, err
	}
	defer os.RemoveAll(out)
	bar := b.progress("measuring "+c.name, len(z.Symbols))
	defer bar.end()
	bar.set(0)
	linked, every, err := b.scan(c, false)
	if err != nil {
		return m, err
	}
	bar.set(0)
	type job struct {
		symbol string
		less   *configuration
	}
	type result struct {
		symbol string
		total  int64
		err    error
	}
	var jobs []job
	for _, s := range z.Symbols {
		less, err := b.without(c, s.Symbol)
		if err != nil {
			return m, err
		}
		if less != nil {
			jobs = append(jobs, job{s.Symbol, less})
		}
	}
	results := make(chan result, len(jobs))
	free := make(chan struct{}, runtime.GOMAXPROCS(0))
	for _, j := range jobs {
		go func() {
			free <- struct{}{}
			defer func() { <-free }()
			sub := *b
			sub.Out = filepath.Join(out, j.symbol)
			total, err := sub.totalOf(j.less, linked, every)
			results <- result{j.symbol, total, err}
		}()
	}
	for n := range jobs {
		r := <-results
		if r.err != nil && err == nil {
			err = fmt.Errorf("without CONFIG_%s: %w", r.symbol, r.err)
		}
		m.Adds[r.symbol] = z.Total - r.total
		bar.set(len(z.Symbols) - len(jobs) + n + 1)
	}
	return m, err
}

// totalOf builds a configuration for its size alone, and tells the bytes of its
// symbols. linked and every are the packages that were scanned for one that has
// more. Debug information is left out: it is no symbol, and half of the linker's
// work.
func (b *Builder) totalOf(c *configuration, linked, every []*scan.Package) (int64, error) {
	linked, err := b.reached(c, linked)
	if err != nil {
		return 0, err
	}
	files, err := emit.Files(b.input(c, linked, every))
	if err != nil {
		return 0, err
	}
	err = b.writeOverlay(c.name, files, func(path string, data []byte) error {
		_, err := writeIfChanged(path, data)
		return err
	})
	if err != nil {
		return 0, err
	}
	binary := b.Binary(c.name)
	args := append([]string{"build", "-ldflags=-w", "-overlay", b.overlay(c.name), "-o", binary}, c.flags()...)
	if _, err := output(c.command(b, append(args, "./cmd/libos")...)); err != nil {
		return 0, err
	}
	table, err := b.symbolsOf(binary)
	if err != nil {
		return 0, err
	}
	var total int64
	for _, s := range table {
		if !s.Zero {
			total += s.Size
		}
	}
	return total, os.RemoveAll(b.Out)
}

// without is the configuration with one symbol set to n; nil if that symbol
// cannot be n.
func (b *Builder) without(c *configuration, symbol string) (*configuration, error) {
	t, err := b.load(c.asked)
	if err != nil {
		return nil, err
	}
	t.ParseConfig(c.name, []byte(c.text)) // what it has to say was said before
	if !t.Lookup(symbol).SetTristate(kconfig.No) {
		return nil, nil
	}
	less, err := b.solve(c.name, t)
	if err != nil {
		return nil, err
	}
	less.asked, less.modfile = c.asked, c.modfile
	for i := range less.symbols {
		if s := &less.symbols[i]; s.Name == symbol && s.On() {
			return nil, nil
		}
	}
	return less, nil
}

// reached keeps the packages that the configuration links in.
func (b *Builder) reached(c *configuration, all []*scan.Package) ([]*scan.Package, error) {
	chosen, err := b.chosen(c, false)
	if err != nil {
		return nil, err
	}
	var patterns []string
	for _, p := range append(base(), chosen...) {
		patterns = append(patterns, c.importPath(p))
	}
	deps, err := b.list(c, "", "ImportPath,Module", patterns...)
	if err != nil {
		return nil, err
	}
	reached := map[string]bool{}
	for i := range deps {
		reached[deps[i].ImportPath] = true
	}
	var out []*scan.Package
	for _, p := range all {
		if reached[p.Path] {
			out = append(out, p)
		}
	}
	return out, nil
}
