package posix

import (
	"syscall"

	"github.com/libos-go/libos/core"
)

// Sizes of a pipe: it has slots, each for the bytes of one page (fs/pipe.c).
const (
	pipeSlot  = 4096 // also PIPE_BUF, what one write puts in whole
	pipeSlots = 16
	pipeMost  = 1 << 20 // fs.pipe-max-size
)

// pipe is what both ends of a pipe(7) share, under the Domain's lock.
type pipe struct {
	domain           *core.Domain
	queue            queue
	slots            [][]byte // the bytes that wait in each; cap is what its page has
	most             int      // slots
	readers, writers int
	busy             bool // a splice works on the slots outside of an entry
	contended        bool // another call found it busy
}

// pipeEnd is one end as an object.
type pipeEnd struct {
	*pipe
	writes bool
	closed bool
}

// Pipe2 is pipe2(2). flags are O_NONBLOCK and O_CLOEXEC.
func (p *Process) Pipe2(flags int) (r, w int, err error) {
	if flags&^(O_NONBLOCK|O_CLOEXEC) != 0 {
		return -1, -1, syscall.EINVAL
	}
	x := &pipe{domain: p.domain, most: pipeSlots, readers: 1, writers: 1}
	if r, err = p.open(&pipeEnd{pipe: x}, O_RDONLY|flags&O_NONBLOCK, flags&O_CLOEXEC != 0); err != nil {
		return -1, -1, err
	}
	if w, err = p.open(&pipeEnd{pipe: x, writes: true}, O_WRONLY|flags&O_NONBLOCK, flags&O_CLOEXEC != 0); err != nil {
		_ = p.Close(r)
		return -1, -1, err
	}
	return r, w, nil
}

// ready is pipe_poll.
func (e *pipeEnd) ready() (r core.Ready) {
	if e.closed {
		return core.ReadyErr | core.ReadyHup
	}
	if e.writes {
		if len(e.slots) < e.most {
			r |= core.ReadyOut
		}
		if e.readers == 0 {
			r |= core.ReadyErr
		}
		return r
	}
	if len(e.slots) > 0 {
		r |= core.ReadyIn
	}
	if e.writers == 0 {
		r |= core.ReadyHup
	}
	return r
}

func (e *pipeEnd) watch(w *watch) { e.queue.watch(w) }

func (e *pipeEnd) unwatch(w *watch) { e.queue.unwatch(w) }

func (e *pipeEnd) close() error {
	e.domain.Do(func() {
		e.closed = true
		if e.writes {
			e.writers--
		} else {
			e.readers--
		}
		if e.readers == 0 {
			e.slots = nil
		}
		e.queue.wake(core.ReadyIn | core.ReadyOut | core.ReadyErr | core.ReadyHup)
	})
	return nil
}

// read is pipe_read.
func (e *pipeEnd) read(iov [][]byte) (n int, err error) {
	e.domain.Do(func() {
		switch {
		case e.closed:
			err = syscall.EBADF
		case total(iov) == 0:
		case e.taken() || len(e.slots) == 0 && e.writers > 0:
			err = syscall.EAGAIN
		default:
			full := len(e.slots) == e.most
			for _, b := range iov {
				n += e.takeOut(b)
			}
			if full && len(e.slots) < e.most {
				e.queue.wake(core.ReadyOut)
			}
		}
	})
	return n, err
}

// takeOut moves bytes into b.
func (x *pipe) takeOut(b []byte) (n int) {
	for n < len(b) && len(x.slots) > 0 {
		s := x.slots[0]
		c := copy(b[n:], s)
		n += c
		if c < len(s) {
			x.slots[0] = s[c:]
			continue
		}
		x.dropSlot()
	}
	return n
}

func (x *pipe) dropSlot() {
	x.slots[0] = nil
	if x.slots = x.slots[1:]; len(x.slots) == 0 {
		x.slots = nil
	}
}

// taken tells whether a splice works on the slots; its end wakes who asked.
func (x *pipe) taken() bool {
	x.contended = x.contended || x.busy
	return x.busy
}

// release ends a splice's work, which moved what it did not only look for.
func (x *pipe) release(moved core.Ready) {
	x.busy = false
	if x.contended {
		x.contended = false
		moved |= core.ReadyIn | core.ReadyOut
	}
	if moved != 0 {
		x.queue.wake(moved)
	}
}

// front is what the first n bytes lie in.
func (x *pipe) front(n int) (iov [][]byte) {
	for _, s := range x.slots {
		if n <= 0 {
			break
		}
		k := min(n, len(s))
		iov = append(iov, s[:k:k])
		n -= k
	}
	return iov
}

// drop takes the first n bytes off.
func (x *pipe) drop(n int) {
	for n > 0 && len(x.slots) > 0 {
		if s := x.slots[0]; n < len(s) {
			x.slots[0] = s[n:]
			return
		}
		n -= len(x.slots[0])
		x.dropSlot()
	}
}

// write is pipe_write: a write of up to PIPE_BUF bytes goes in whole or not at all.
func (e *pipeEnd) write(iov [][]byte) (n int, err error) {
	e.domain.Do(func() {
		want := total(iov)
		switch {
		case e.closed:
			err = syscall.EBADF
			return
		case want == 0:
			return
		case e.readers == 0:
			err = syscall.EPIPE
			return
		}
		if room := e.room(want); e.taken() || room == 0 || want <= pipeSlot && room < want {
			err = syscall.EAGAIN
			return
		}
		n = e.putIn(iov)
		e.queue.wake(core.ReadyIn)
		if n < want {
			err = syscall.EAGAIN
		}
	})
	return n, err
}

// room is how many of want bytes fit: what goes into a page that is begun must fit
// there whole.
func (x *pipe) room(want int) int {
	room := (x.most - len(x.slots)) * pipeSlot
	if rest := want % pipeSlot; len(x.slots) > 0 && rest > 0 {
		if last := x.slots[len(x.slots)-1]; cap(last)-len(last) >= rest {
			room += rest
		}
	}
	return room
}

// putIn copies bytes of iov as long as there is room.
func (x *pipe) putIn(iov [][]byte) (n int) {
	want := total(iov)
	if rest := want % pipeSlot; len(x.slots) > 0 && rest > 0 {
		last := &x.slots[len(x.slots)-1]
		if k := len(*last); cap(*last)-k >= rest {
			*last = (*last)[:k+rest]
			iov = fillFrom(iov, (*last)[k:])
			n += rest
		}
	}
	for n < want && len(x.slots) < x.most {
		k := min(want-n, pipeSlot)
		s := make([]byte, k, pipeSlot)
		iov = fillFrom(iov, s)
		x.slots = append(x.slots, s)
		n += k
	}
	return n
}

// fillFrom fills b from the front of iov and returns the rest of that.
func fillFrom(iov [][]byte, b []byte) [][]byte {
	for len(b) > 0 && len(iov) > 0 {
		k := copy(b, iov[0])
		b = b[k:]
		if k == len(iov[0]) {
			iov = iov[1:]
			continue
		}
		iov = append([][]byte{iov[0][k:]}, iov[1:]...)
	}
	return iov
}

// ioctl is FIONREAD: the bytes that wait.
func (e *pipeEnd) ioctl(request uint) (n int, err error) {
	if request != FIONREAD {
		return 0, syscall.ENOTTY
	}
	e.domain.Do(func() { n = total(e.slots) })
	return n, nil
}

// size is F_GETPIPE_SZ, or F_SETPIPE_SZ, which rounds up to a power of two pages:
// EBUSY if what waits would not fit, EPERM beyond a megabyte.
func (e *pipeEnd) size(set bool, want int) (n int, err error) {
	e.domain.Do(func() {
		if set {
			slots := 1
			for slots*pipeSlot < want && slots*pipeSlot <= pipeMost {
				slots *= 2
			}
			switch {
			case want < 0:
				err = syscall.EINVAL
			case slots*pipeSlot > pipeMost:
				err = syscall.EPERM
			case slots < len(e.slots):
				err = syscall.EBUSY
			default:
				e.most = slots
				e.queue.wake(core.ReadyOut)
			}
		}
		n = e.most * pipeSlot
	})
	if err != nil {
		return -1, err
	}
	return n, nil
}
