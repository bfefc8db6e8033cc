package remote

import (
	"errors"
	"testing"

	"github.com/libos-go/libos/core/sysctl"
)

// answering is a far end that answers every question alike.
type answering struct {
	void
	content []byte
	asked   int
}

func (a *answering) Call([]byte) []byte {
	a.asked++
	return Finish(append(Begin(nil, KindAnswer, 0), a.content...))
}

// What is saved crosses in full parts: one byte at a time would let the other end hold
// the stack up for as many answers as it likes.
func TestWhatIsSavedCrossesInFullParts(t *testing.T) {
	v := void{instance(t)}
	v.in.Domain().Do(func() {
		far := &answering{void: v}
		var near Near
		near.Start(v, nil, far)
		far.asked, far.content = 0, appendBlock(appendCount(appendBool(nil, true), 1000), []byte{1})
		if state, _, err := near.Save(); !errors.Is(err, ErrMessage) || far.asked != 1 {
			t.Errorf("%d bytes after %d answers, %v", len(state), far.asked, err)
		}
	})
}

// refusing is a handler that restores nothing, and does not say why.
type refusing struct{ void }

func (refusing) Save() []byte         { return nil }
func (refusing) Restore([]byte) error { return errors.New("") }

func TestARestoreThatFailsWithoutAReasonFails(t *testing.T) {
	v := void{instance(t)}
	v.in.Domain().Do(func() {
		far := &Far{in: v.in, handler: refusing{v}, near: v, table: sysctl.Of[settings]()}
		answer := far.Handle(Finish(appendBlock(appendBool(Begin(nil, KindRestore, 0), true), []byte{0, 0, 0, 0})))
		var near Near
		near.Start(v, nil, &answering{void: v})
		near.far = &answering{void: v, content: answer[HeaderSize:]}
		if err := near.Restore([]byte{0, 0, 0, 0}); err == nil {
			t.Error("restored")
		}
	})
}

// What the other end says reaches people only as text.
func TestAReasonDoesNothingToATerminal(t *testing.T) {
	v := void{instance(t)}
	v.in.Domain().Do(func() {
		var near Near
		near.Start(v, nil, &answering{void: v})
		near.far = &answering{void: v, content: appendString(nil, "no\x1b[2J\nway")}
		if err := near.Restore(nil); err == nil || err.Error() != "no [2J way" {
			t.Errorf("%q", err)
		}
	})
}
