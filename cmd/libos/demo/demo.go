package demo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
)

// options are the flags.
type options struct {
	e            *command.Env
	tun          bool
	modules      bool
	moduleDir    string
	inside       bool // in the namespace already
	size         int64
	dir          string
	rate         string
	delay, loss  string
	captureLimit int64
}

// Command is `libos demo`.
func Command(e *command.Env) *cobra.Command {
	o := options{e: e}
	var size, limit string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Two hosts and a router in one process, a download through them",
		Long: `Start two hosts and a router as three stacks in this process, joined in memory, in
real time. Ping across, fetch files over HTTP through the router with Go's own
net/http, compare their SHA-256, and say what came of it. Nothing but this program
is needed, and no privilege. The exit status is 1 if anything did not match.

With --tun (Linux, root) one stack meets the kernel instead: over each TUN driver
in this binary, inside a network namespace that ends with the command, the
kernel's ping and curl reach libos httpd, and libos get fetches from a server on
the kernel's sockets.

With --modules UDP is a module instead, a process of its own, which is killed in
the middle: what its sockets are told, how soon it is back, and that datagrams flow
again. With PCAP_REPLAY=m a device is one, too. That takes a configuration with
MODULES=y and UDP=m (make run-modules).`,
		Example: `  libos demo
  libos demo --size 1G
  libos demo --size 16M --delay 1ms --loss 0.1%
  sudo libos demo --tun`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) (err error) {
			if size == "" {
				size = "64M"
				if o.tun {
					size = "16M"
				}
			}
			if o.size, err = command.ParseSize(size); err != nil {
				return fmt.Errorf("--size: %w", err)
			}
			if o.captureLimit, err = command.ParseSize(limit); err != nil {
				return fmt.Errorf("--capture-limit: %w", err)
			}
			if err := o.chooseDir(); err != nil {
				return err
			}
			switch {
			case o.tun:
				return o.withKernel(c.Context())
			case o.modules:
				return o.withModules(c.Context())
			}
			return o.three(c.Context())
		},
	}
	f := c.Flags()
	f.BoolVar(&o.tun, "tun", false, "meet the kernel over TUN in a network namespace (Linux, root)")
	f.BoolVar(&o.modules, "modules", false, "datagrams through a module that is killed in the middle")
	f.StringVar(&o.moduleDir, "module-dir", "", "`DIR` of the module (modules beside this program)")
	c.MarkFlagsMutuallyExclusive("tun", "modules")
	f.BoolVar(&o.inside, "inside", false, "the process is in that namespace already")
	_ = f.MarkHidden("inside")
	f.StringVar(&size, "size", "", "size of the big file: bytes, or a number with K, M or G (64M, with --tun 16M)")
	f.StringVar(&o.dir, "dir", "", "folder for the files, the capture and the host file (the program's own)")
	f.StringVar(&o.rate, "rate", "", "rate of both links, such as 100M; none by default")
	f.StringVar(&o.delay, "delay", "", "delay of both links, such as 5ms; none by default")
	f.StringVar(&o.loss, "loss", "", "loss on both links, such as 1%; none by default")
	f.StringVar(&limit, "capture-limit", "16M", "size of the capture; 0 for no limit")
	_ = c.MarkFlagDirname("dir")
	return c
}

// chooseDir makes the folder asked for, or takes that of the program, or one for
// temporary files where that cannot be written.
func (o *options) chooseDir() error {
	if o.dir != "" {
		return os.MkdirAll(o.dir, 0o755)
	}
	if self, err := os.Executable(); err == nil {
		o.dir = filepath.Dir(self)
		if f, err := os.CreateTemp(o.dir, ".demo*"); err == nil {
			_ = f.Close()
			return os.Remove(f.Name())
		}
	}
	var err error
	o.dir, err = os.MkdirTemp("", "libos-demo")
	return err
}

// shown is a path as the user would write it from here.
func shown(path string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return path
}

// source is a file to fetch.
type source struct {
	name string // in the URL
	path string
	size int64
	sum  string
}

// makeFile writes random bytes to a new file.
func makeFile(ctx context.Context, path, name string, size int64) (s source, err error) {
	var seed [32]byte
	_, _ = rand.Read(seed[:])
	f, err := os.Create(path)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	sum := sha256.New()
	dice := mathrand.NewChaCha8(seed)
	b := make([]byte, 1<<20)
	for left := size; left > 0; left -= int64(len(b)) {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		b = b[:min(int64(len(b)), left)]
		_, _ = dice.Read(b)
		_, _ = sum.Write(b)
		if _, err := f.Write(b); err != nil {
			return s, err
		}
	}
	return source{name, path, size, hex.EncodeToString(sum.Sum(nil))}, nil
}

// sumFile is the size and SHA-256 of a file.
func sumFile(path string) (int64, string, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return n, hex.EncodeToString(sum.Sum(nil)), err
}

// transfer is what came of a download.
type transfer struct {
	What       string  `json:"what"`
	URL        string  `json:"url"`
	Bytes      int64   `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	BitsPerSec float64 `json:"bits_per_second"`
	SHA256     string  `json:"sha256"`
	Expected   string  `json:"sha256_expected"`
	Equal      bool    `json:"equal"`
}

// check compares what arrived and prints it.
func (o *options) check(s source, t *transfer, took time.Duration) error {
	t.Seconds = took.Seconds()
	t.BitsPerSec = float64(t.Bytes) * 8 / max(t.Seconds, 1e-9)
	t.Expected = s.sum
	t.Equal = t.SHA256 == s.sum && t.Bytes == s.size
	verdict := "equal"
	if !t.Equal {
		verdict = "DIFFERENT from " + s.sum
	}
	if o.e.JSON() {
		if err := o.e.Print(t); err != nil {
			return err
		}
	} else {
		o.e.Printf("%-10s %s  %s bytes in %.2f s, %s\n", t.What, t.URL, command.Thousands(t.Bytes), t.Seconds, command.Bits(t.BitsPerSec))
		o.e.Printf("%-10s sha256 %s %s\n", "", t.SHA256, verdict)
	}
	if !t.Equal {
		return fmt.Errorf("%s: %d bytes with sha256 %s arrived, but %d with %s were served", t.URL, t.Bytes, t.SHA256, s.size, s.sum)
	}
	return nil
}

// say prints a line for people.
func (o *options) say(format string, args ...any) {
	if !o.e.JSON() {
		o.e.Printf(format+"\n", args...)
	}
}
