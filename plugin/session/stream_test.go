package session

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libos-go/libos/plugin/control"
)

// blocked is a stream whose other end takes nothing until let, and sends nothing.
func blocked(t *testing.T) (l *Stream, let func()) {
	ctx, cancel := context.WithCancel(context.Background())
	taken := make(chan struct{})
	l = NewStream(ctx, func(*control.Batch) error {
		select {
		case <-taken:
			return nil
		case <-ctx.Done():
			return io.EOF
		}
	}, func() (*control.Batch, error) {
		<-ctx.Done()
		return nil, io.EOF
	})
	t.Cleanup(func() { l.Close(); cancel() })
	return l, func() { taken <- struct{}{} }
}

// Answers that nobody takes are held up to a bound; then the answer waits, until
// its deadline at most.
func TestAnAnswerOnAStreamWaitsForRoomUntilItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, let := blocked(t)
		answer := make([]byte, 100<<10)
		start := time.Now()
		var err error
		n := 0
		for ; err == nil && n < 100; n++ {
			err = l.Answer(answer, start.Add(time.Second))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Second {
			t.Fatalf("after %d answers and %v: %v", n, time.Since(start), err)
		}
		if most := n * len(answer); most > 3*maxPending {
			t.Errorf("%d bytes were held", most)
		}
		time.AfterFunc(time.Second, let)
		start = time.Now()
		if err := l.Answer(answer, start.Add(time.Minute)); err != nil || time.Since(start) != time.Second {
			t.Errorf("with room after a second: %v, %v", time.Since(start), err)
		}
	})
}

func TestAnAnswerOnAStreamThatEndedFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := blocked(t)
		l.Close()
		if err := l.Answer([]byte("x"), time.Time{}); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%v", err)
		}
	})
}
