package capture

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// pendingBytes bounds what waits for the writer of a background capture. Frames
// beyond it are left out of the file and counted.
const pendingBytes = 16 << 20

// Options are the choices made when a capture is created.
type Options struct {
	// Snaplen is how many bytes of each frame are kept, 0 for all.
	Snaplen int
	// Limit is the largest size of a file in bytes, 0 for none. A capture into
	// one file ends there; see Files.
	Limit int64
	// Count ends the capture after so many frames, 0 for none.
	Count uint64
	// Files is how many files of at most Limit bytes are kept: the newest under
	// the name given to Create, the older ones with .1, .2, … appended. 0 or 1
	// keeps one.
	Files int
	// Background has a goroutine of the capture write the file, so that no
	// Domain waits for a disk: for real time. Without it frames are written in
	// their entry, and equal runs in virtual time give equal bytes.
	Background bool
	// Comment is written to the section header.
	Comment string
}

// Stats of a capture.
type Stats struct {
	Frames  uint64 // written, or waiting to be
	Bytes   uint64 // of the frames, as they were on the link
	Dropped uint64 // left out: the writer was too slow, or the limit or count reached
}

// Capture is one pcapng file and the interfaces it is fed from. Its methods may
// be called from any goroutine outside of an entry. Interfaces of several
// Domains may share a file; the order of their frames in it is that of the
// entries.
type Capture struct {
	options Options
	mu      sync.Mutex
	taps    []*tap
	stats   Stats
	out     output
	err     error // the first one; nothing is written after it
	closed  bool

	pending batch // background: filled in entries
	spare   batch
	wake    chan struct{}
	ended   chan struct{}
}

// batch holds frames between an entry and the writer.
type batch struct {
	data   []byte
	frames []frame
}

type frame struct {
	tap    *tap
	at     time.Time
	length int // on the link
	end    int // of the bytes kept, in data
	out    bool
}

// tap is one interface of a capture.
type tap struct {
	capture *Capture
	index   int
	info    pcapgo.NgInterface
	epoch   time.Time // civil time of the host's instant 0
	remove  func()
}

// New makes a capture that writes to w, which Close leaves open.
func New(w io.Writer, o Options) *Capture {
	return start(&Capture{options: o, out: output{w: w}})
}

func start(c *Capture) *Capture {
	c.out.limit, c.out.comment = c.options.Limit, c.options.Comment
	if c.options.Background {
		c.wake, c.ended = make(chan struct{}, 1), make(chan struct{})
		go c.write()
	}
	return c
}

// Add captures the frames of ifc from now on, until the capture is closed or
// remove is called.
func (c *Capture) Add(ifc *core.Interface) (remove func()) {
	in := ifc.Instance()
	t := &tap{capture: c}
	t.info = pcapgo.NgInterface{Name: in.Name() + "/" + ifc.Name(), LinkType: layers.LinkTypeEthernet, SnapLength: uint32(max(0, c.options.Snaplen))}
	if ifc.Link() != core.LinkEthernet {
		t.info.LinkType = layers.LinkTypeRaw
	}
	d := in.Domain()
	h := d.Host()
	t.epoch = h.WallNow().Add(-time.Duration(h.Now())).Round(0)
	c.mu.Lock()
	t.index = len(c.taps)
	c.taps = append(c.taps, t)
	c.mu.Unlock()
	var untap func()
	d.Do(func() { untap = ifc.AddTap(t) })
	remove = sync.OnceFunc(func() { d.Do(untap) })
	c.mu.Lock()
	t.remove = remove
	c.mu.Unlock()
	return remove
}

// Tap implements core.Tap.
func (t *tap) Tap(ifc *core.Interface, p *core.Packet, out bool) {
	c := t.capture
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed || c.err != nil || c.full() || len(c.pending.data) > 0 && len(c.pending.data)+p.Len() > pendingBytes {
		c.stats.Dropped++
		return
	}
	b := &c.pending
	from := len(b.data)
	b.data = Append(b.data, p)
	if s := c.options.Snaplen; s > 0 && len(b.data)-from > s {
		b.data = b.data[:from+s]
	}
	b.frames = append(b.frames, frame{t, t.epoch.Add(time.Duration(ifc.Instance().Now())), p.Len(), len(b.data), out})
	c.stats.Frames++
	c.stats.Bytes += uint64(p.Len())
	if c.wake == nil {
		c.put(b)
		b.data, b.frames = b.data[:0], b.frames[:0]
		return
	}
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Append appends the bytes of p to b as they are on the link, with a complete
// checksum.
func Append(b []byte, p *core.Packet) []byte {
	from := len(b)
	b = append(b, p.Linear()...)
	for i := range p.Frags() {
		b = append(b, p.Frags()[i].Bytes()...)
	}
	if p.Checksum == core.ChecksumPartial {
		complete(b[from:], p)
	}
	return b
}

// full tells whether Count frames are there. c.mu is held.
func (c *Capture) full() bool { return c.options.Count > 0 && c.stats.Frames >= c.options.Count }

// complete finishes the transport checksum in b, a copy of p.
func complete(b []byte, p *core.Packet) {
	start := p.ChecksumOffset()
	at := start + int(p.ChecksumField)
	if start < 0 || at+2 > len(b) {
		return
	}
	sum := wire.Finish(wire.Sum(b[start:], 0))
	if sum == 0 && p.ChecksumField == 6 { // UDP, where zero means none (RFC 768)
		sum = 0xffff
	}
	b[at], b[at+1] = byte(sum>>8), byte(sum)
}

// put writes frames to the output. In background mode only the writer calls it,
// without c.mu; otherwise c.mu is held.
func (c *Capture) put(b *batch) {
	from := 0
	for i := range b.frames {
		f := &b.frames[i]
		data := b.data[from:f.end]
		from = f.end
		if err := c.out.frame(c, f, data); err != nil {
			c.fail(err, len(b.frames)-i)
			return
		}
	}
}

func (c *Capture) fail(err error, lost int) {
	if c.wake != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
	}
	c.stats.Frames -= uint64(lost)
	c.stats.Dropped += uint64(lost)
	if c.err == nil {
		c.err = err
	}
}

// write is the goroutine of a background capture.
func (c *Capture) write() {
	defer close(c.ended)
	for range c.wake {
		c.mu.Lock()
		b := c.pending
		c.pending = batch{c.spare.data[:0], c.spare.frames[:0]}
		c.spare = batch{}
		failed := c.err != nil
		c.mu.Unlock()
		if !failed {
			c.put(&b)
		}
		clear(b.frames)
		c.mu.Lock()
		c.spare = b
		c.mu.Unlock()
		if len(c.wake) == 0 { // idle: whoever watches the file sees all
			if err := c.out.flush(); err != nil {
				c.fail(err, 0)
			}
		}
	}
}

// Stats are the numbers so far.
func (c *Capture) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Flush writes out what a capture without Background has buffered. (One with it
// does so by itself.)
func (c *Capture) Flush() error {
	if c.wake != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	return c.out.flush()
}

// Close takes the taps away, writes out what waits and closes the file. It
// returns the first error met while writing; reaching the limit is none.
func (c *Capture) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	taps := c.taps
	c.mu.Unlock()
	for _, t := range taps {
		if t.remove != nil {
			t.remove()
		}
	}
	if c.wake != nil {
		select {
		case c.wake <- struct{}{}:
		default:
		}
		close(c.wake)
		<-c.ended
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.out.close(c)
	if c.err == errLimit {
		c.err = nil
	}
	if c.err == nil {
		c.err = err
	}
	if c.err != nil {
		return fmt.Errorf("capture: %w", c.err)
	}
	return nil
}

// info is the description of an interface and its frame for the file.
func (f *frame) info(kept int) gopacket.CaptureInfo {
	return gopacket.CaptureInfo{Timestamp: f.at, CaptureLength: kept, Length: f.length, InterfaceIndex: f.tap.index}
}
