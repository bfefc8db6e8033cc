package sim

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/capture"
)

// Captures are files of what interfaces sent and received, one pcapng each.
type Captures struct {
	files []*captured
}

type captured struct {
	node, ifc string
	capture   *capture.Capture
	sum       hash.Hash
	file      *os.File // nil where only the sum is wanted
}

// Capture has every interface that choose accepts (nil: all) captured from the next
// event on, into dir/NODE-INTERFACE.pcapng; dir "" keeps sums alone. It builds the
// network. Close the captures before the network.
func (n *Network) Capture(dir string, o capture.Options, choose func(x *Node, ifc *core.Interface) bool) (*Captures, error) {
	if err := n.Build(); err != nil {
		return nil, err
	}
	o.Background = false // equal runs give equal bytes
	c := new(Captures)
	for _, x := range n.nodes {
		for _, p := range x.ports {
			if choose != nil && !choose(x, p.ifc) {
				continue
			}
			f := &captured{node: x.name, ifc: p.ifc.Name(), sum: sha256.New()}
			var w io.Writer = f.sum
			if dir != "" {
				var err error
				if f.file, err = os.Create(filepath.Join(dir, fileName(x.name+"-"+f.ifc)+".pcapng")); err != nil {
					return nil, errors.Join(err, c.Close())
				}
				w = io.MultiWriter(f.file, f.sum)
			}
			f.capture = capture.New(w, o)
			f.capture.Add(p.ifc)
			c.files = append(c.files, f)
		}
	}
	return c, nil
}

// fileName makes a name of a file of any text.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '\\' || r == ':' || r < ' ' {
			return '_'
		}
		return r
	}, s)
}

// Close ends the captures.
func (c *Captures) Close() error {
	var errs []error
	for _, f := range c.files {
		errs = append(errs, f.capture.Close())
		if f.file != nil {
			errs = append(errs, f.file.Close())
			f.file = nil
		}
	}
	return errors.Join(errs...)
}

// Sum is the SHA-256 of all captures after Close: of the lines "SUM  NODE-INTERFACE"
// that Sums gives.
func (c *Captures) Sum() string {
	h := sha256.New()
	for _, l := range c.Sums() {
		fmt.Fprintln(h, l)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Sums are the SHA-256 of each capture, as sha256sum prints them.
func (c *Captures) Sums() []string {
	out := make([]string, len(c.files))
	for i, f := range c.files {
		out[i] = fmt.Sprintf("%x  %s", f.sum.Sum(nil), fileName(f.node+"-"+f.ifc))
	}
	return out
}
