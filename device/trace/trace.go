package trace

import (
	"io"
	"sync"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Trace prints the frames of any number of interfaces. Its methods may be called
// from any goroutine outside of an entry.
type Trace struct {
	mu   sync.Mutex
	w    io.Writer
	line []byte
	data []byte
}

// New makes a trace that writes one line with each call to w. Errors of w are
// ignored.
func New(w io.Writer) *Trace { return &Trace{w: w} }

// Add prints the frames of ifc from now on, until remove is called.
func (t *Trace) Add(ifc *core.Interface) (remove func()) {
	d := ifc.Instance().Domain()
	var untap func()
	x := &tap{trace: t, name: ifc.Instance().Name() + "/" + ifc.Name(), link: wire.LinkRaw}
	if ifc.Link() == core.LinkEthernet {
		x.link = wire.LinkEthernet
	}
	d.Do(func() { untap = ifc.AddTap(x) })
	return sync.OnceFunc(func() { d.Do(untap) })
}

type tap struct {
	trace *Trace
	name  string
	link  wire.LinkType
}

// Tap implements core.Tap.
func (x *tap) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	t := x.trace
	t.mu.Lock()
	defer t.mu.Unlock()
	if cap(t.data) < p.Len() {
		t.data = make([]byte, p.Len())
	}
	t.data = t.data[:p.Len()]
	p.CopyOut(0, t.data)
	b := append(t.line[:0], time.Duration(ifc.Instance().Now()).String()...)
	b = append(b, ' ')
	b = append(b, x.name...)
	if out {
		b = append(b, " > "...)
	} else {
		b = append(b, " < "...)
	}
	b = wire.AppendSummary(b, t.data, x.link)
	t.line = append(b, '\n')
	_, _ = t.w.Write(t.line)
}
