package build

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/libos-go/libos/core/version"
)

// libraryPattern is the main package of the C library.
const libraryPattern = "./capi/library"

// headers are copied beside the library, for who compiles against it.
func headers() []string { return []string{"libos.h", "packetdrill.h"} }

// preloads are small libraries of C alone, by their source.
func preloads() map[string]string {
	return map[string]string{"liblibos-preload.so": filepath.Join("capi", "preload", "getsockopt.c")}
}

// LibraryName is the file of the C library.
func LibraryName() string { return "liblibos-" + version.Number + ".so" }

// Library makes the C library of a build from the same generated code as its
// libos: build/NAME/liblibos-VERSION.so, its name without the version as a link,
// the header files, and the libraries that are preloaded. It needs a C compiler.
func (b *Builder) Library(names ...string) error {
	c, err := b.configuration(names)
	if err != nil {
		return err
	}
	if goos := b.goos(); goos != "linux" {
		return fmt.Errorf("the C library is for Linux, whose system calls it has, not for %s: build it there", goos)
	}
	cc, err := b.compiler()
	if err != nil {
		return err
	}
	s := b.readState(c.name)
	done, err := b.generate(c, s)
	if err != nil {
		return err
	}
	if done {
		if err := b.writeState(c.name, s); err != nil {
			return err
		}
	}
	start := time.Now()
	out := filepath.Join(b.Folder(c.name), LibraryName())
	before, had := take(out, stamp{})
	args := append([]string{"build", "-overlay", b.overlay(c.name), "-buildmode=c-shared",
		"-ldflags=-extldflags=-Wl,-soname," + LibraryName(), "-o", out}, c.flags()...)
	cmd := c.command(b, append(args, libraryPattern)...)
	cmd.Env = append(cmd.Env, "CGO_ENABLED=1")
	if _, err := output(cmd); err != nil {
		return fmt.Errorf("compiling %s:\n%w", b.shown(out), err)
	}
	// The header that cgo writes is not for users.
	if err := os.Remove(strings.TrimSuffix(out, ".so") + ".h"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := b.besideLibrary(c.name, cc); err != nil {
		return err
	}
	now, ok := take(out, stamp{})
	if !ok {
		return fmt.Errorf("%s: the compiler wrote nothing", out)
	}
	if had && before.Hash == now.Hash {
		b.say("%s is up to date\n", b.shown(out))
		return nil
	}
	b.say("  LIBRARY %s (%.1f MB, %.1f s)\n", b.shown(out), float64(now.Size)/1e6, time.Since(start).Seconds())
	return nil
}

// compiler is the C compiler that the go command would use.
func (b *Builder) compiler() ([]string, error) {
	out, err := output(b.goCommand("env", "CC"))
	if err != nil {
		return nil, err
	}
	cc := strings.Fields(string(out))
	if len(cc) == 0 {
		cc = []string{"gcc"}
	}
	if _, err := exec.LookPath(cc[0]); err != nil {
		return nil, fmt.Errorf("the C library needs a C compiler, and %s is not in PATH: install it (apt install gcc), or set CC to another one", cc[0])
	}
	return cc, nil
}

// besideLibrary writes what lies beside the library.
func (b *Builder) besideLibrary(name string, cc []string) error {
	dir := b.Folder(name)
	link := filepath.Join(dir, "liblibos.so")
	if to, err := os.Readlink(link); err != nil || to != LibraryName() {
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(LibraryName(), link); err != nil {
			return err
		}
	}
	for _, h := range headers() {
		data, err := os.ReadFile(filepath.Join(b.Dir, "capi", "library", h))
		if err != nil {
			return err
		}
		if _, err := writeIfChanged(filepath.Join(dir, h), data); err != nil {
			return err
		}
	}
	for lib, source := range preloads() {
		args := append(cc[1:len(cc):len(cc)], "-O2", "-Wall", "-shared", "-fPIC", "-o", filepath.Join(dir, lib), source, "-ldl")
		c := exec.Command(cc[0], args...)
		c.Dir = b.Dir
		if _, err := output(c); err != nil {
			return fmt.Errorf("compiling %s:\n%w", source, err)
		}
	}
	return nil
}
