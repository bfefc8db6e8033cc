package build

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// patience is how long a step may take before it shows its progress.
const patience = 2 * time.Second

// runGo runs a go command with -v, which prints the import path of each
// package that it compiles: stale ones, as far as they are known. What it
// prints else is the error if it fails.
func (b *Builder) runGo(what string, stale []string, args []string) error {
	c := b.goCommand(args...)
	r, w := io.Pipe()
	c.Stdout, c.Stderr = w, w
	expected := map[string]bool{}
	for _, p := range stale {
		expected[p] = true
	}
	start := time.Now()
	var bar *progressbar.ProgressBar
	var complaints strings.Builder
	read := make(chan error)
	go func() {
		done := 0
		in := bufio.NewScanner(r)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			line := in.Text()
			if !expected[line] {
				complaints.WriteString(line + "\n")
				continue
			}
			done++
			if bar == nil && b.Terminal && !b.Quiet && time.Since(start) > patience {
				bar = progressbar.NewOptions(len(stale), progressbar.OptionSetWriter(b.Stderr), progressbar.OptionSetDescription(what),
					progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
			}
			if bar != nil {
				_ = bar.Set(done) // a bar that cannot be drawn is no failure
			}
		}
		err := in.Err()
		r.CloseWithError(err)
		read <- err
	}()
	err := c.Run()
	w.Close()
	err = errors.Join(err, <-read)
	if bar != nil {
		_ = bar.Finish()
	}
	if err == nil {
		return nil
	}
	if text := strings.TrimSpace(complaints.String()); text != "" {
		return errors.New(text)
	}
	return err
}
