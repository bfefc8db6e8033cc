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
	return len(b), nil
}

func (p *Progress) make(w io.Writer) *progressbar.ProgressBar {
	return progressbar.NewOptions64(p.total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(p.what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionSetPredictTime(p.total > 0),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
	)
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
