package build

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar that shows once its step has taken longer than the builder's
// patience, and only on a terminal.
type progress struct {
	b     *Builder
	what  string
	steps int // -1 where that is not known
	start time.Time
	bar   *progressbar.ProgressBar
}

func (b *Builder) progress(what string, steps int) *progress {
	return &progress{b: b, what: what, steps: steps, start: time.Now()}
}

func (b *Builder) patience() time.Duration {
	if b.Patience != 0 {
		return b.Patience
	}
	return 2 * time.Second
}

// set shows that so many steps are done. A bar that cannot be drawn is no
// failure.
func (p *progress) set(done int) {
	if p.bar == nil && p.b.Terminal && time.Since(p.start) >= p.b.patience() {
		options := []progressbar.Option{progressbar.OptionSetWriter(p.b.Stderr), progressbar.OptionSetDescription(p.what), progressbar.OptionClearOnFinish()}
		if p.steps > 0 {
			options = append(options, progressbar.OptionShowCount())
		}
		p.bar = progressbar.NewOptions(p.steps, options...)
	}
	if p.bar != nil {
		_ = p.bar.Set(done)
		_ = p.bar.RenderBlank()
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}

// runGo runs a go command with -v, which prints the import path of each
// package that it compiles: stale ones, as far as they are known, and then
// links. What it prints else is the error if it fails.
func (b *Builder) runGo(conf *configuration, what string, stale []string, args []string) error {
	c := conf.command(b, args...)
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	expected := map[string]bool{}
	for _, p := range stale {
		expected[p] = true
	}
	lines := make(chan string)
	read := make(chan error, 1)
	go func() {
		in := bufio.NewScanner(r)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			lines <- in.Text()
		}
		r.CloseWithError(in.Err())
		read <- in.Err()
		close(lines)
	}()
	ended := make(chan error, 1)
	go func() {
		err := c.Run()
		w.Close()
		ended <- errors.Join(err, <-read)
	}()
	bar := b.progress(what, len(stale)+1)
	defer bar.end()
	late := time.NewTimer(b.patience())
	defer late.Stop()
	var complaints strings.Builder
	for done := 0; ; {
		select {
		case <-late.C:
		case line, more := <-lines:
			if !more {
				if err := <-ended; err != nil {
					if text := strings.TrimSpace(complaints.String()); text != "" {
						return errors.New(text)
					}
					return err
				}
				return nil
			}
			if !expected[line] {
				complaints.WriteString(line + "\n")
				continue
			}
			done++
		}
		bar.set(done)
	}
}

// during runs a step that cannot tell how far it is.
func (b *Builder) during(what string, step func() error) error {
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		bar := b.progress(what, -1)
		defer bar.end()
		next := time.NewTicker(min(b.patience(), 200*time.Millisecond))
		defer next.Stop()
		for done := 0; ; done++ {
			select {
			case <-stop:
				return
			case <-next.C:
				bar.set(done)
			}
		}
	}()
	err := step()
	close(stop)
	<-stopped
	return err
}
