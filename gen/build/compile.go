package build

import (
	"fmt"
	"path/filepath"
	"sort"
	"time"
)

// Build brings the binary of a build up to date and tells whether there was
// anything to do. With several names the binary is built from the union of
// their configurations, in build/A+B.
func (b *Builder) Build(names ...string) (bool, error) {
	c, err := b.configuration(names)
	if err != nil {
		return false, err
	}
	return b.build(c)
}

func (b *Builder) build(c *configuration) (bool, error) {
	start := time.Now()
	name := c.name
	s := b.readState(name)
	generated, err := b.generate(c, s)
	if err != nil {
		return false, err
	}
	binary := b.Binary(name)
	now := b.stampAll(s.BuildDirs, s.Extra, s.Files)
	if !generated && same(now, s.Files, s.BuildDirs, s.Extra) {
		if st, ok := take(binary, s.Binary); ok && st.Hash == s.Binary.Hash {
			b.say("%s is up to date\n", b.rel(binary))
			return false, nil
		}
	}
	if err := b.compile(name, s); err != nil {
		return false, err
	}
	if err := b.writeState(name, s); err != nil {
		return false, err
	}
	b.say("  BUILD   %s (%.1f MB, %.1f s)\n", b.rel(binary), float64(s.Binary.Size)/1e6, time.Since(start).Seconds())
	return true, nil
}

func (b *Builder) compile(name string, s *state) error {
	deps, err := b.list(b.overlay(name), "ImportPath,Dir,EmbedFiles,Module,Stale", "./cmd/libos")
	if err != nil {
		return err
	}
	s.BuildDirs, s.Extra = nil, []string{"go.mod", "go.sum"}
	for i := range deps {
		d := &deps[i]
		if !d.own() {
			continue
		}
		rel := b.rel(d.Dir)
		s.BuildDirs = append(s.BuildDirs, rel)
		for _, e := range d.EmbedFiles {
			s.Extra = append(s.Extra, filepath.Join(rel, e))
		}
	}
	sort.Strings(s.BuildDirs)
	// stamped before the compiler reads them: a change meanwhile is seen later
	s.Files = b.stampAll(append(append([]string(nil), s.ScanDirs...), s.BuildDirs...), s.Extra, s.Files)
	var stale []string
	for i := range deps {
		if deps[i].Stale {
			stale = append(stale, deps[i].ImportPath)
		}
	}
	binary := b.Binary(name)
	args := append([]string{"build", "-v", "-overlay", b.overlay(name), "-o", binary}, flags()...)
	if err := b.runGo("compiling "+b.rel(binary), stale, append(args, "./cmd/libos")); err != nil {
		return fmt.Errorf("compiling %s:\n%w", b.rel(binary), err)
	}
	st, ok := take(binary, stamp{})
	if !ok {
		return fmt.Errorf("%s: the compiler wrote nothing", binary)
	}
	s.Binary = st
	return nil
}
