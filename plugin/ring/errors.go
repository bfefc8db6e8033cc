package ring

import (
	"errors"
	"fmt"
)

var (
	// ErrUnsupported is the answer of Host, Module, SendFiles and ReceiveFiles
	// where there are no sealed memfds: on all systems but Linux.
	ErrUnsupported = errors.New("ring: shared rings need sealed memfds, which this system does not have (Linux does, from 5.1 on)")

	// ErrClosed is the end of a wait on a Link that its own side closed.
	ErrClosed = errors.New("ring: link closed")

	// ErrPeerGone is the end of a wait on a Link whose peer closed it or died.
	// A reader hears of it after the last record.
	ErrPeerGone = errors.New("ring: the peer is gone")
)

// A Fault says which rule the peer broke. The ring it names carries nothing any
// more: its methods go on returning the same Fault.
type Fault struct {
	Ring     string // "main in", "main out", "answers in", "answers out" or "doorbell"
	Rule     string // the rule that was broken
	Position uint64 // bytes of the ring that were in order before it
	Value    uint64 // what the peer wrote instead
}

func (f *Fault) Error() string {
	return fmt.Sprintf("ring: %s: %s: %d at position %d", f.Ring, f.Rule, f.Value, f.Position)
}

// The rules that a Fault can name.
const (
	ruleHeadAlignment = "head is no multiple of 8"
	ruleHeadDistance  = "head is behind the tail or more than a ring ahead of it"
	ruleTailAlignment = "tail is no multiple of 8"
	ruleTailDistance  = "tail went back or past the head"
	ruleLength        = "length is over the limit"
	ruleRecord        = "record ends behind the head"
	ruleDoorbell      = "more doorbells than there was reason for"
)
