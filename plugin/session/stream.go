package session

import (
	"context"
	"encoding/binary"
	"os"
	"sync"
	"time"

	"github.com/libos-go/libos/core/remote"
	"github.com/libos-go/libos/plugin/control"
)

// Stream is the Link of a stream of batches, for systems without shared memory.
// A goroutine sends what has gathered since the last batch, another receives.
type Stream struct {
	// Version of the contract, as it was agreed on; 0: the newest. To be set before
	// a Session or Serve has the link.
	Version int

	send func(*control.Batch) error
	recv func() (*control.Batch, error)

	mu      sync.Mutex
	out     control.Batch // gathering
	pending int           // bytes of a batch that is being sent
	in      []byte        // messages that came, with their lengths
	answers []byte
	current []byte // the batch that Next takes from
	taken   []byte // likewise, of WaitAnswer
	err     error

	work   chan struct{} // something to send
	room   chan struct{} // something was sent
	came   chan struct{} // messages came
	answer chan struct{} // answers came
	done   chan struct{}
	end    sync.Once
	cancel context.CancelFunc
}

// maxPending bounds what waits to be sent, maxStream what waits to be taken.
const (
	maxPending = 1 << 20
	maxStream  = 1 << 24
)

// NewStream makes a Link of the two halves of a stream. It ends with ctx.
func NewStream(ctx context.Context, send func(*control.Batch) error, recv func() (*control.Batch, error)) *Stream {
	ctx, cancel := context.WithCancel(ctx)
	token := func() chan struct{} { return make(chan struct{}, 1) }
	l := &Stream{send: send, recv: recv, work: token(), room: token(), came: token(), answer: token(), done: make(chan struct{}), cancel: cancel}
	go l.sender(ctx)
	go l.receiver()
	return l
}

// Contract is the version of the contract that both ends speak.
func (l *Stream) Contract() int { return agreed(l.Version) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (l *Stream) finish(err error) {
	l.end.Do(func() {
		l.mu.Lock()
		l.err = err
		l.mu.Unlock()
		close(l.done)
		l.cancel()
	})
}

func (l *Stream) sender(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			l.finish(ctx.Err())
			return
		case <-l.work:
		}
		l.mu.Lock()
		b := control.Batch{Messages: l.out.Messages, Answers: l.out.Answers}
		l.out.Messages, l.out.Answers = nil, nil
		l.pending = len(b.Messages) + len(b.Answers)
		l.mu.Unlock()
		poke(l.room)
		if err := l.send(&b); err != nil {
			l.finish(err)
			return
		}
		l.mu.Lock()
		l.pending = 0
		l.mu.Unlock()
		poke(l.room)
	}
}

func (l *Stream) receiver() {
	for {
		b, err := l.recv()
		if err != nil {
			l.finish(err)
			return
		}
		l.mu.Lock()
		l.in = append(l.in, b.GetMessages()...)
		l.answers = append(l.answers, b.GetAnswers()...)
		over := len(l.in) > maxStream || len(l.answers) > maxStream
		l.mu.Unlock()
		if over {
			l.finish(ErrLost)
			return
		}
		if len(b.GetMessages()) > 0 {
			poke(l.came)
		}
		if len(b.GetAnswers()) > 0 {
			poke(l.answer)
		}
	}
}

func appendMessage(b, msg []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(msg))), msg...)
}

// cut takes the first message off b.
func cut(b []byte) (msg, rest []byte, err error) {
	if len(b) < 4 {
		return nil, nil, remote.ErrMessage
	}
	n := binary.LittleEndian.Uint32(b)
	if uint64(n) > uint64(len(b)-4) {
		return nil, nil, remote.ErrMessage
	}
	return b[4 : 4+n], b[4+n:], nil
}

// Send implements Link.
func (l *Stream) Send(msg []byte) bool {
	l.mu.Lock()
	ok := len(l.out.Messages)+len(l.out.Answers) < maxPending
	if ok {
		l.out.Messages = appendMessage(l.out.Messages, msg)
	}
	l.mu.Unlock()
	if ok {
		poke(l.work)
	}
	return ok
}

// Borrow implements Link.
func (l *Stream) Borrow() []byte { return nil }

// Room implements Link.
func (l *Stream) Room(deadline time.Time) error {
	return l.wait(l.room, deadline, func() bool { return len(l.out.Messages)+len(l.out.Answers) < maxPending })
}

// Answer implements Link.
func (l *Stream) Answer(msg []byte, deadline time.Time) error {
	err := l.wait(l.room, deadline, func() bool {
		if l.err != nil || len(l.out.Messages)+len(l.out.Answers) >= maxPending {
			return false
		}
		l.out.Answers = appendMessage(l.out.Answers, msg)
		return true
	})
	if err == nil {
		poke(l.work)
	}
	return err
}

// wait waits until ready, asked with the lock held, tells so.
func (l *Stream) wait(token chan struct{}, deadline time.Time, ready func() bool) error {
	var timeout <-chan time.Time
	for {
		l.mu.Lock()
		ok, err := ready(), l.err
		l.mu.Unlock()
		switch {
		case ok:
			return nil
		case err != nil:
			return err
		case !deadline.IsZero() && timeout == nil:
			t := time.NewTimer(time.Until(deadline))
			defer t.Stop()
			timeout = t.C
		}
		select {
		case <-token:
		case <-l.done:
		case <-timeout:
			return os.ErrDeadlineExceeded
		}
	}
}

// Next implements Link.
func (l *Stream) Next() (msg []byte, err error) {
	if len(l.current) == 0 {
		l.mu.Lock()
		l.current, l.in = l.in, nil
		l.mu.Unlock()
		if len(l.current) == 0 {
			return nil, nil
		}
	}
	msg, rest, err := cut(l.current)
	l.mu.Lock()
	l.current = rest
	l.mu.Unlock()
	return msg, err
}

// Ready implements Link.
func (l *Stream) Ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.in) > 0 || len(l.current) > 0
}

// Doze implements Link.
func (l *Stream) Doze(deadline time.Time) error {
	return l.wait(l.came, deadline, func() bool { return len(l.in) > 0 || len(l.current) > 0 })
}

// WaitAnswer implements Link.
func (l *Stream) WaitAnswer(deadline time.Time) ([]byte, error) {
	if len(l.taken) == 0 {
		if err := l.wait(l.answer, deadline, func() bool { return len(l.answers) > 0 }); err != nil {
			return nil, err
		}
		l.mu.Lock()
		l.taken, l.answers = l.answers, nil
		l.mu.Unlock()
	}
	msg, rest, err := cut(l.taken)
	l.taken = rest
	return msg, err
}

// Done implements Link.
func (l *Stream) Done() <-chan struct{} { return l.done }

// Close implements Link.
func (l *Stream) Close() error {
	l.finish(os.ErrClosed)
	return nil
}
