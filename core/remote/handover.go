package remote

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/libos-go/libos/core"
)

// maxState bounds what a handler saves, and with it the memory that either end
// takes for it; it crosses in parts of stateful bytes.
const (
	maxState  = 1 << 26
	stateful  = 1 << 17
	maxReason = 1 << 10
)

// errNoSaver is the answer of a handler that is no core.Saver.
var errNoSaver = errors.New("the protocol cannot take over connections (it has no core.Saver)")

// Save is what the handler would have another process of it go on with; ok is false
// if it is no core.Saver. The far end must speak version 2 of the contract.
func (n *Near) Save() (state []byte, ok bool, err error) {
	for {
		r := n.call(binary.LittleEndian.AppendUint32(n.begin(KindSave), uint32(len(state))))
		ok = r.Bool()
		total := r.Count(maxState)
		part := r.Block(stateful)
		if err := r.End(); err != nil || len(part) != min(stateful, total-len(state)) { // in as few messages as it takes: each may take its time
			return nil, false, fmt.Errorf("what it saves cannot be read: %w", ErrMessage)
		}
		if state = append(state, part...); len(state) == total {
			return state, ok, nil
		}
	}
}

// Restore has the handler, which was greeted and knows nothing else, go on with what
// Save told.
func (n *Near) Restore(state []byte) error {
	for {
		part := state[:min(len(state), stateful)]
		state = state[len(part):]
		r := n.call(appendBlock(appendBool(n.begin(KindRestore), len(state) == 0), part))
		why := r.Text(maxReason)
		switch err := r.End(); {
		case err != nil:
			return fmt.Errorf("no answer to what was saved: %w", err)
		case why != "":
			return errors.New(why)
		case len(state) == 0:
			return nil
		}
	}
}

// Ask posts an operation that nobody waits for: its end is told to Heard.
func (n *Near) Ask(op *core.Op) { n.post(appendOp(n.begin(KindControl), op)) }

// save answers KindSave. What a handler saved is kept while it crosses.
func (f *Far) save(r *Reader) error {
	at := r.Count(maxState)
	if err := r.End(); err != nil {
		return err
	}
	saver, ok := f.handler.(core.Saver)
	if at == 0 {
		f.state = nil
		if ok {
			f.state = append(f.appendTimers(nil), saver.Save()...)
		}
		if len(f.state) > maxState {
			return fmt.Errorf("remote: the handler saved %d bytes, more than %d", len(f.state), maxState)
		}
	}
	if at > len(f.state) {
		return ErrMessage
	}
	b := appendBool(Begin(f.answer, KindAnswer, f.now), ok)
	end := min(at+stateful, len(f.state))
	f.answer = appendBlock(appendCount(b, len(f.state)), f.state[at:end])
	if end == len(f.state) {
		f.state = nil
	}
	return nil
}

// restore answers KindRestore, of which the last message has the handler take it.
func (f *Far) restore(r *Reader) error {
	last, part := r.Bool(), r.Block(stateful)
	if err := r.End(); err != nil {
		return err
	}
	if f.state = append(f.state, part...); len(f.state) > maxState {
		return ErrMessage
	}
	why := ""
	if last {
		if err := f.take(f.state); err != nil {
			why = cmp.Or(err.Error(), "it does not say why")
		}
		f.state = nil
	}
	f.answer = appendString(Begin(f.answer, KindAnswer, f.now), why[:min(len(why), maxReason)])
	return nil
}

func (f *Far) take(state []byte) error {
	saver, ok := f.handler.(core.Saver)
	if !ok {
		return errNoSaver
	}
	r := NewReader(state)
	timers := make(map[uint64]core.Time)
	for range r.Count(maxTimers) {
		token := r.Uint64()
		timers[token] = core.Time(r.Uint64())
		if r.Err() != nil {
			return r.Err()
		}
	}
	if len(timers) > 0 {
		f.timers = timers
	}
	return saver.Restore(r.b)
}

// appendTimers encodes the timers that are set, in the order of their tokens.
func (f *Far) appendTimers(b []byte) []byte {
	tokens := make([]uint64, 0, len(f.timers))
	for token := range f.timers {
		tokens = append(tokens, token)
	}
	slices.Sort(tokens)
	b = appendCount(b, len(tokens))
	for _, token := range tokens {
		b = binary.LittleEndian.AppendUint64(b, token)
		b = binary.LittleEndian.AppendUint64(b, uint64(f.timers[token]))
	}
	return b
}
