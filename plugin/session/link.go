package session

import (
	"time"

	"github.com/libos-go/libos/plugin/control"
	"github.com/libos-go/libos/plugin/ring"
)

// Link is one end of a way between two processes: messages in order in each
// direction, and a second lane for answers. One goroutine at a time sends, one
// at a time receives; Ready, Doze and Done are for any.
type Link interface {
	// Send shows msg, which it copies, to the other end; false if there is no
	// room now.
	Send(msg []byte) bool
	// Borrow is where the next message to Send may be written, so that it need not
	// be copied; nil if there is no such place now. The next Send ends the loan.
	Borrow() []byte
	// Room waits until there is room for any message.
	Room(deadline time.Time) error
	// Next is the next message, nil if none waits. It is valid until the next
	// call.
	Next() ([]byte, error)
	// Ready tells whether a message waits.
	Ready() bool
	// Doze waits until one does, and takes nothing.
	Doze(deadline time.Time) error

	// Answer, and WaitAnswer for the other end, are the second lane. Answer
	// waits for room.
	Answer(msg []byte, deadline time.Time) error
	WaitAnswer(deadline time.Time) ([]byte, error)

	// Done is closed when the other end is gone, or after Close.
	Done() <-chan struct{}
	Close() error
}

// Rings is the Link of shared memory.
type Rings struct {
	*ring.Link
	Version int // of the contract, as it was agreed on; 0: the newest
}

// Contract is the version of the contract that both ends speak.
func (l Rings) Contract() int { return agreed(l.Version) }

func agreed(version int) int {
	if version == 0 {
		return control.Contract
	}
	return version
}

// Send implements Link.
func (l Rings) Send(msg []byte) bool { return l.Main.Out.Write(msg) }

// Borrow implements Link: room for any message, unless more than half of the ring
// is full.
func (l Rings) Borrow() []byte {
	if b := l.Main.Out.Reserve(l.Main.Out.MaxRecord()); b != nil {
		return b[:0]
	}
	return nil
}

// Room implements Link.
func (l Rings) Room(deadline time.Time) error { return l.Main.Out.WaitSpace(deadline) }

// Next implements Link.
func (l Rings) Next() ([]byte, error) { return l.Main.In.Next() }

// Ready implements Link.
func (l Rings) Ready() bool { return l.Main.In.Ready() }

// Doze implements Link.
func (l Rings) Doze(deadline time.Time) error { return l.Main.In.Doze(deadline) }

// Answer implements Link.
func (l Rings) Answer(msg []byte, deadline time.Time) error {
	for !l.Answers.Out.Write(msg) {
		if err := l.Answers.Out.WaitSpace(deadline); err != nil {
			return err
		}
	}
	return nil
}

// WaitAnswer implements Link.
func (l Rings) WaitAnswer(deadline time.Time) ([]byte, error) {
	for {
		if msg, err := l.Answers.In.Next(); msg != nil || err != nil {
			return msg, err
		}
		if err := l.Answers.In.Wait(deadline); err != nil {
			return nil, err
		}
	}
}
