package posix

import (
	"sync/atomic"
	"syscall"

	"github.com/libos-go/libos/core"
)

// object is what an open file description stands for. Its methods do not block:
// what could is an Op that tries them and waits by their watches.
type object interface {
	// ready is the readiness now, as poll(2) has it. Inside an entry.
	ready() core.Ready
	// watch has w.tell called whenever any of w.mask may have come. Inside an entry.
	watch(w *watch)
	// unwatch ends that. Inside an entry.
	unwatch(w *watch)
	// close follows the last descriptor's end. Outside of an entry. Calls that wait
	// are told, and find the object closed.
	close() error
}

// reader and writer are objects of bytes without addresses. Each tries once:
// EAGAIN if the call would wait. Outside of an entry.
type reader interface {
	read(iov [][]byte) (int, error)
}

type writer interface {
	write(iov [][]byte) (int, error)
}

// watch is one place in an object's wait queue.
type watch struct {
	next   *watch
	object object
	mask   core.Ready
	tell   func(core.Ready) // inside an entry
	owner  any              // the *epollItem, if it is one
	socket core.Watch       // where the object is a socket
}

func (w *watch) set(o object, mask core.Ready, tell func(core.Ready)) {
	w.object, w.mask, w.tell = o, mask, tell
	o.watch(w)
}

func (w *watch) stop() {
	if w.object != nil {
		w.object.unwatch(w)
		w.object, w.tell, w.next = nil, nil, nil
	}
}

// change replaces the mask.
func (w *watch) change(mask core.Ready) {
	w.mask = mask
	w.socket.Change(mask)
}

// queue is the wait queue of an object that is no socket.
type queue struct{ first *watch }

func (q *queue) watch(w *watch) { w.next, q.first = q.first, w }

func (q *queue) unwatch(w *watch) {
	for p := &q.first; *p != nil; p = &(*p).next {
		if *p == w {
			*p = w.next
			return
		}
	}
}

// wake tells those who wait for any of r, and of errors and hang-ups everybody.
func (q *queue) wake(r core.Ready) {
	for w := q.first; w != nil; {
		next := w.next
		if r&(w.mask|core.ReadyErr|core.ReadyHup) != 0 {
			w.tell(r)
		}
		w = next
	}
}

// description is an open file description: what dup(2) shares.
type description struct {
	object object
	flags  atomic.Int32 // O_ACCMODE, O_NONBLOCK, …
	users  int          // descriptors, under Process.mu
	closed atomic.Bool
	items  *epollItem // that watch it, linked by sibling; under the Domain's lock
}

func (d *description) nonblock() bool { return d.flags.Load()&O_NONBLOCK != 0 }

// setFlags changes the flags of mask to those of flags.
func (d *description) setFlags(mask, flags int) {
	for {
		old := d.flags.Load()
		if d.flags.CompareAndSwap(old, old&^int32(mask)|int32(flags&mask)) {
			return
		}
	}
}

func (d *description) readable() bool { return d.flags.Load()&O_ACCMODE != O_WRONLY }

func (d *description) writable() bool { return d.flags.Load()&O_ACCMODE != O_RDONLY }

// socketOf is the socket of d: ENOTSOCK if it is none.
func (d *description) socketOf() (*socket, error) {
	s, ok := d.object.(*socket)
	if !ok {
		return nil, syscall.ENOTSOCK
	}
	return s, nil
}
