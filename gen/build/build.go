package build

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/libos-go/libos/gen/emit"
	"github.com/libos-go/libos/gen/kconfig"
)

// Module is the module that is configured and built.
const Module = "github.com/libos-go/libos"

// DefaultName is the build of the root .config.
const DefaultName = "default"

// ErrFailed is returned when all has been told on Stderr.
var ErrFailed = kconfig.ErrFailed

// Builder works on one source tree. It writes below build/ only (but for
// CheckIn), so builders of different names may run at the same time.
type Builder struct {
	Dir            string // root of the module; "" is the current directory
	Home           string // where .config and build/ are, and what With counts from; "" is Dir
	Out            string // folder of the builds' folders; "" is build in Home
	Kconfig        string // menu file relative to Dir; "" is Kconfig.toml
	Env            kconfig.Env
	With           []string // third parties' trees, beside those that .config records
	Stdout, Stderr io.Writer
	Quiet          bool
	Terminal       bool          // Stderr is a terminal: long steps show a progress bar
	Patience       time.Duration // what a step may take before that; 0 is two seconds
	Go             string        // the go command; "" is go
	// Manifest writes what is known of the program dir/name, the module of a
	// symbol, beside it: dir/name.json. needs are the symbols that the stack must
	// have. It is given by whoever builds configurations with modules, since the
	// generator knows nothing of what these speak.
	Manifest func(dir, name, symbol string, needs []string) error
}

// New is a builder that says everything on the two writers.
func New(dir string, env kconfig.Env, stdout, stderr io.Writer) (*Builder, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(abs, "go.mod"))
	if err != nil || !bytes.Contains(data, []byte("module "+Module+"\n")) {
		return nil, fmt.Errorf("%s is not the source tree of libos (no go.mod of module %s): change to it first", abs, Module)
	}
	return &Builder{Dir: abs, Env: env, Stdout: stdout, Stderr: stderr}, nil
}

func (b *Builder) say(format string, args ...any) {
	if !b.Quiet {
		fmt.Fprintf(b.Stdout, format, args...)
	}
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]*$`)

// Folder is the folder of a build.
func (b *Builder) Folder(name string) string {
	if b.Out != "" {
		return filepath.Join(b.Out, name)
	}
	return filepath.Join(b.home(), "build", name)
}

func (b *Builder) home() string {
	if b.Home != "" {
		return b.Home
	}
	return b.Dir
}

// abs undoes rel.
func (b *Builder) abs(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(b.Dir, path)
}

// Binary is the libos of a build.
func (b *Builder) Binary(name string) string {
	return filepath.Join(b.Folder(name), b.program("libos"))
}

// program is the name of a program's file.
func (b *Builder) program(name string) string {
	if b.goos() == "windows" {
		return name + ".exe"
	}
	return name
}

// ModuleDir is the folder of a build's modules.
func (b *Builder) ModuleDir(name string) string {
	return filepath.Join(b.Folder(name), emit.ModulesPath)
}

// modulePath is the program of a module.
func (b *Builder) modulePath(name, module string) string {
	return filepath.Join(b.ModuleDir(name), b.program(module))
}

func (b *Builder) goos() string {
	if v := b.Env.Value("GOOS"); v != "" {
		return v
	}
	return runtime.GOOS
}

func (b *Builder) gen(name string) string { return filepath.Join(b.Folder(name), ".gen") }

// ConfigPath is the configuration file of a build.
func (b *Builder) ConfigPath(name string) string {
	if p := b.Env.Value("KCONFIG_CONFIG"); filepath.IsAbs(p) {
		return p
	} else if p != "" {
		return filepath.Join(b.home(), p)
	}
	if name == DefaultName {
		return filepath.Join(b.home(), ".config")
	}
	return filepath.Join(b.Folder(name), ".config")
}

// goCommand is the go command in the source tree, without cgo.
func (b *Builder) goCommand(args ...string) *exec.Cmd {
	name := b.Go
	if name == "" {
		name = "go"
	}
	c := exec.Command(name, args...)
	c.Dir = b.Dir
	c.Env = b.goEnv()
	return c
}

func (b *Builder) goEnv() []string {
	return append(os.Environ(), "CGO_ENABLED=0", "PWD="+b.Dir)
}

// flags are those of every go command, so that all share one build cache.
func flags() []string { return []string{"-trimpath", "-buildvcs=false"} }

// output runs a command and returns what it prints; its complaints are the
// error.
func output(c *exec.Cmd) ([]byte, error) {
	var out, complaints bytes.Buffer
	c.Stdout, c.Stderr = &out, &complaints
	err := c.Run()
	if err == nil {
		return out.Bytes(), nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return nil, fmt.Errorf("the go command is not in PATH: install Go (https://go.dev/dl/)")
	}
	text := strings.TrimSpace(complaints.String())
	if text == "" {
		text = err.Error()
	}
	return nil, errors.New(text)
}

// writeIfChanged writes a file in one step, and only if its content is new.
func writeIfChanged(path string, data []byte) (written bool, err error) {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".tmp-*")
	if err != nil {
		return false, err
	}
	_, err = tmp.Write(data)
	err = errors.Join(err, tmp.Chmod(0o644), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err == nil, err
}
