package fifo

import (
	"errors"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc"
)

// Sysctls is the setting of an instance for queueing.
type Sysctls struct {
	Default string `sysctl:"net.core.default_qdisc" default:"noqueue" help:"Queueing discipline of interfaces made later, by its name. noqueue keeps the plain queue of the interface. Loopback and devices that take all they are given (a pipe that does not pace) have none in any case."`
}

// DefaultQdisc is what the core reads.
func (s *Sysctls) DefaultQdisc() string { return s.Default }

// Config is a queue that drops at its tail: pfifo, or bfifo with Bytes.
type Config struct {
	// Bytes makes Limit count bytes.
	Bytes bool
	// Limit in packets or bytes; 0 is the interface's queue length, times a full
	// frame for bytes.
	Limit int
}

// Kind implements core.QdiscConfig.
func (c Config) Kind() string {
	if c.Bytes {
		return "bfifo"
	}
	return "pfifo"
}

// Check implements core.QdiscConfig.
func (c Config) Check() error {
	if c.Limit < 0 {
		return errors.New("limit is negative; 0 takes the interface's queue length")
	}
	return nil
}

// Fields implements core.QdiscConfig.
func (c Config) Fields() []core.QdiscField {
	if c.Bytes {
		return []core.QdiscField{qdisc.Field("limit", c.Limit, "limit %s", qdisc.FormatSize(c.Limit))}
	}
	return []core.QdiscField{qdisc.Field("limit", c.Limit, "limit %dp", c.Limit)}
}

// Packets is the kind pfifo.
func Packets() core.QdiscKind {
	return core.QdiscKind{
		Name:  "pfifo",
		Parse: func(words []string, _ core.QdiscConfig) (core.QdiscConfig, error) { return parse("pfifo", words) },
		New:   open,
	}
}

// Bytes is the kind bfifo.
func Bytes() core.QdiscKind {
	return core.QdiscKind{
		Name:  "bfifo",
		Parse: func(words []string, _ core.QdiscConfig) (core.QdiscConfig, error) { return parse("bfifo", words) },
		New:   open,
	}
}

func parse(kind string, words []string) (core.QdiscConfig, error) {
	c := Config{Bytes: kind == "bfifo"}
	w := qdisc.NewWords(kind, words)
	for o := w.Option(); o != ""; o = w.Option() {
		switch {
		case o != "limit":
			w.Unknown("limit")
		case c.Bytes:
			c.Limit = w.Size()
		default:
			c.Limit = w.Int(0, 1<<30)
		}
	}
	return c, w.Err()
}

func open(c core.QdiscConfig, o core.QdiscOwner) (core.Qdisc, error) {
	f, ok := c.(Config)
	if !ok {
		return nil, errors.New("needs a fifo.Config")
	}
	return New(f, o), nil
}

// New makes the discipline, which others use as their child.
func New(c Config, o core.QdiscOwner) core.Qdisc {
	f := &fifo{owner: o, Counter: qdisc.Counter{Link: o.Link()}}
	f.set(c)
	return f
}

type fifo struct {
	qdisc.Counter
	queue  qdisc.Queue
	config Config
	owner  core.QdiscOwner
}

func (f *fifo) set(c Config) {
	if c.Limit == 0 {
		if c.Limit = f.owner.QueueLen(); c.Bytes {
			c.Limit *= f.owner.MTU() + f.Link.HeaderLen()
		}
	}
	f.config = c
}

// Enqueue implements core.Qdisc.
func (f *fifo) Enqueue(p *core.Packet) {
	n := f.Measure(p)
	if f.config.Bytes && f.queue.Bytes()+n > f.config.Limit || !f.config.Bytes && f.queue.Len() >= f.config.Limit {
		f.Drop(p)
		return
	}
	f.queue.Push(p)
}

// Dequeue implements core.Qdisc.
func (f *fifo) Dequeue() *core.Packet {
	p := f.queue.Pop()
	if p != nil {
		f.Sent(p)
	}
	return p
}

func (f *fifo) Len() int                   { return f.queue.Len() }
func (f *fifo) Backlog() int               { return f.queue.Bytes() }
func (f *fifo) Purge()                     { f.queue.Free() }
func (f *fifo) Config() core.QdiscConfig   { return f.config }
func (f *fifo) Details() []core.QdiscField { return nil }

// Change implements core.Qdisc: a lower limit drops nothing that waits.
func (f *fifo) Change(c core.QdiscConfig) error {
	x, ok := c.(Config)
	if !ok || x.Bytes != f.config.Bytes {
		return errors.New("needs a fifo.Config of the same kind")
	}
	f.set(x)
	return nil
}
