package build

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/libos-go/libos/gen/kconfig"
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
	hash := b.readState(c.name).Binary.Hash
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

func (b *Builder) measureAll(c *configuration, z *Size) (measured, error) {
	m := measured{Adds: map[string]int64{}}
	sub := *b
	sub.Quiet, sub.Terminal = true, false
	sub.Out = filepath.Join(b.gen(c.name), "size")
	if err := os.RemoveAll(sub.Out); err != nil {
		return m, err
	}
	defer os.RemoveAll(sub.Out)
	bar := b.progress("measuring "+c.name, len(z.Symbols))
	defer bar.end()
	for i, s := range z.Symbols {
		less, err := b.without(c, s.Symbol)
		if err != nil {
			return m, err
		}
		if less != nil {
			if _, err := sub.build(less); err != nil {
				return m, err
			}
			y, err := sub.sizeOf(less)
			if err != nil {
				return m, err
			}
			m.Adds[s.Symbol] = z.Total - y.Total
		}
		bar.set(i + 1)
	}
	return m, nil
}

// without is the configuration with one symbol set to n; nil if that symbol
// cannot be n.
func (b *Builder) without(c *configuration, symbol string) (*configuration, error) {
	t, err := b.load()
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
	for i := range less.symbols {
		if s := &less.symbols[i]; s.Name == symbol && s.On() {
			return nil, nil
		}
	}
	return less, nil
}
