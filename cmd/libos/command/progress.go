package command

import (
	"io"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// patience is how long work goes on before a progress bar appears.
const patience = 2 * time.Second

// Progress draws how far something is, on a terminal only. It implements
// io.Writer, so that io.TeeReader and io.MultiWriter can feed it.
type Progress struct {
	w      io.Writer
	what   string
	total  int64
	begun  time.Time
	always bool
	live   bool

	mu   sync.Mutex
	done int64
	bar  *progressbar.ProgressBar
	unit string // of Steps; "" counts bytes
	per  int64  // of done, in a unit
}

// Steps is Progress for work that is no bytes: total and what Set is told are in
// fractions of a unit, per of them in one.
func (e *Env) Steps(what, unit string, total, per int64) *Progress {
	p := e.Progress(what, max(-1, total/per))
	p.unit, p.per = unit, per
	return p
}

// Set tells how far the work is.
func (p *Progress) Set(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done = done / max(1, p.per)
	p.draw()
}

// Progress begins to watch work of total bytes, negative if that is not known.
// The bar appears after two seconds.
func (e *Env) Progress(what string, total int64) *Progress {
	return &Progress{w: e.Stderr, what: what, total: total, begun: time.Now(), live: Terminal(e.Stderr) && !e.JSON()}
}

// Bar is Progress that appears at once, and as one finished line where w is no
// terminal.
func (e *Env) Bar(w io.Writer, what string, total int64) *Progress {
	return &Progress{w: w, what: what, total: total, begun: time.Now(), live: Terminal(w), always: true}
}

// Write counts bytes.
func (p *Progress) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += int64(len(b))
	p.draw()
	return len(b), nil
}

func (p *Progress) draw() {
	switch {
	case p.bar != nil:
	case p.live && (p.always || time.Since(p.begun) > patience):
		p.bar = p.make(p.w)
	case p.always:
		p.bar = p.make(io.Discard)
	}
	if p.bar != nil {
		_ = p.bar.Set64(p.done)
	}
}

func (p *Progress) make(w io.Writer) *progressbar.ProgressBar {
	options := []progressbar.Option{
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(p.what),
		progressbar.OptionShowBytes(p.unit == ""),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(50 * time.Millisecond),
		progressbar.OptionSetPredictTime(p.total > 0),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
	}
	if p.unit != "" {
		options = append(options, progressbar.OptionShowCount(), progressbar.OptionSetItsString(p.unit), progressbar.OptionShowIts())
	}
	return progressbar.NewOptions64(p.total, options...)
}

// Done ends the bar.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.bar == nil:
	case p.live:
		_ = p.bar.Exit()
		_, _ = io.WriteString(p.w, "\n")
	default:
		_ = p.bar.Exit()
		_, _ = io.WriteString(p.w, strings.TrimSpace(p.bar.String())+"\n")
	}
	p.bar, p.always, p.live = nil, false, false
}
