package get

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/libos-go/libos/cmd/libos/command"
)

// Result is what was fetched.
type Result struct {
	URL        string  `json:"url"`
	Status     int     `json:"status"`
	File       string  `json:"file,omitempty"`
	Bytes      int64   `json:"bytes"`
	Seconds    float64 `json:"seconds"`
	BitsPerSec float64 `json:"bits_per_second"`
	SHA256     string  `json:"sha256"`
}

// Command is `libos get`.
func Command(e *command.Env) *cobra.Command {
	var limit time.Duration
	c := &cobra.Command{
		Use:   "get URL [FILE]",
		Short: "Fetch a file over HTTP",
		Long: `Fetch a file over HTTP from an instance, with Go's own HTTP client on top of the
stack's sockets. It goes to FILE, "-" for standard output, or else to a file of
the URL's name in this folder. Hosts are IP addresses; IPv6 in brackets.`,
		Example: `  libos get http://10.1.0.1/big.bin
  libos get --instance left 'http://[fd02::2]:8080/' -
  libos get -f host.toml -o json http://10.1.0.1/big.bin copy.bin`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(c *cobra.Command, args []string) (err error) {
			u, err := url.Parse(args[0])
			if err != nil || u.Scheme != "http" || u.Host == "" {
				return fmt.Errorf("%s: write the address as http://ADDRESS[:PORT]/PATH", args[0])
			}
			file := path.Base(u.Path)
			if len(args) == 2 {
				file = args[1]
			} else if file == "/" || file == "." {
				file = "index.html"
			}
			if file == "-" && e.JSON() {
				return errors.New("-o json and the file itself cannot both go to standard output: name a FILE")
			}
			ctx := c.Context()
			if limit > 0 {
				var cancel context.CancelFunc
				ctx, cancel = context.WithTimeout(ctx, limit)
				defer cancel()
			}
			s, err := e.Open(ctx)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			client := Client(s)
			defer client.CloseIdleConnections()
			var r Result
			if file == "-" {
				r, err = fetch(ctx, e, client, args[0], e.Stdout)
			} else {
				r, err = save(ctx, e, client, args[0], file)
			}
			switch {
			case err != nil:
				return err
			case e.JSON():
				return e.Print(r)
			case file == "-":
				return nil
			}
			e.Printf("%s  %s bytes in %.2f s, %s\nsha256 %s\n", r.File, command.Thousands(r.Bytes), r.Seconds, command.Bits(r.BitsPerSec), r.SHA256)
			return nil
		},
	}
	c.Flags().DurationVarP(&limit, "timeout", "T", 0, "time for the whole transfer; 0 for no limit")
	e.StackFlags(c)
	return c
}

// Client is an HTTP client on the sockets of a stack. It asks for no
// compression: files arrive as they are.
func Client(s command.Stack) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: s.DialContext, DisableCompression: true, ReadBufferSize: 64 << 10}}
}

// save fetches into a file, which appears when it is complete.
func save(ctx context.Context, e *command.Env, client *http.Client, from, file string) (r Result, err error) {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*")
	if err != nil {
		return r, err
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err == nil {
			err = os.Rename(f.Name(), file)
		}
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := f.Chmod(0o644); err != nil {
		return r, err
	}
	r, err = fetch(ctx, e, client, from, f)
	r.File = file
	return r, err
}

func fetch(ctx context.Context, e *command.Env, client *http.Client, from string, to io.Writer) (Result, error) {
	r := Result{URL: from}
	begun := time.Now()
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return r, err
	}
	a, err := client.Do(q)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // it repeats the address
		}
		return r, fmt.Errorf("%s: %w", from, err)
	}
	defer a.Body.Close()
	r.Status = a.StatusCode
	if a.StatusCode != http.StatusOK {
		return r, fmt.Errorf("%s: the server answered %s", from, a.Status)
	}
	sum := sha256.New()
	bar := e.Progress(path.Base(from), a.ContentLength)
	r.Bytes, err = io.CopyBuffer(io.MultiWriter(to, sum, bar), struct{ io.Reader }{a.Body}, make([]byte, 256<<10))
	bar.Done()
	if err != nil {
		return r, fmt.Errorf("%s: after %s bytes: %w", from, command.Thousands(r.Bytes), err)
	}
	r.Seconds = time.Since(begun).Seconds()
	r.BitsPerSec = float64(r.Bytes) * 8 / max(r.Seconds, 1e-9)
	r.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return r, nil
}
