package posix

import (
	"syscall"

	"github.com/libos-go/libos/core"
)

// Flags of splice(2) and tee(2).
const (
	SPLICE_F_MOVE     = 1
	SPLICE_F_NONBLOCK = 2
	SPLICE_F_MORE     = 4
	SPLICE_F_GIFT     = 8
	spliceFlags       = 15
)

// sendfileChunk is how much of a file is in memory on its way.
const sendfileChunk = 64 << 10

// end is the pipe's end that d is; nil if it is none.
func (d *description) end() *pipeEnd {
	e, _ := d.object.(*pipeEnd)
	return e
}

// Splice is splice(2): one of the descriptors at least is a pipe. Between pipes the
// pages change hands; bytes of sockets and files are copied once.
func (p *Process) Splice(fdIn int, offIn *int64, fdOut int, offOut *int64, n, flags int) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Splice(fdIn, offIn, fdOut, offOut, n, flags))
}

// Splice begins Process.Splice.
func (o *Op) Splice(fdIn int, offIn *int64, fdOut int, offOut *int64, n, flags int) bool {
	o.reset()
	in, out, err := o.between(fdIn, fdOut, n, flags)
	if err != nil {
		return o.fail(err)
	}
	from, to := in.end(), out.end()
	switch {
	case n == 0:
		o.done = true
		return true
	case from == nil && to == nil:
		return o.fail(syscall.EINVAL)
	case from != nil && offIn != nil, to != nil && offOut != nil:
		return o.fail(syscall.ESPIPE)
	case from != nil && to != nil && from.pipe == to.pipe:
		return o.fail(syscall.EINVAL)
	case from == nil && !spliceable(in, offIn), to == nil && !spliceable(out, offOut):
		return o.fail(syscall.EINVAL)
	case to == nil && out.flags.Load()&O_APPEND != 0:
		return o.fail(syscall.EINVAL)
	}
	o.offIn, o.offOut = offIn, offOut
	switch {
	case from != nil && to != nil:
		return o.begin((*Op).spliceMove)
	case from != nil:
		return o.begin((*Op).spliceOut)
	}
	return o.begin((*Op).spliceIn)
}

// between checks what splice(2) and tee(2) have in common.
func (o *Op) between(fdIn, fdOut, n, flags int) (in, out *description, err error) {
	if flags&^spliceFlags != 0 || n < 0 {
		return nil, nil, syscall.EINVAL
	}
	if in, err = o.p.get(fdIn); err != nil {
		return nil, nil, err
	}
	if out, err = o.p.get(fdOut); err != nil {
		return nil, nil, err
	}
	if !in.readable() || !out.writable() {
		return nil, nil, syscall.EBADF
	}
	o.length, o.flags = n, flags
	o.wants(fdIn, in, core.ReadyIn)
	o.wants(fdOut, out, core.ReadyOut)
	return in, out, nil
}

// spliceable tells whether d is a file, or a socket without an offset.
func spliceable(d *description, offset *int64) bool {
	switch d.object.(type) {
	case *file:
		return true
	case *socket:
		return offset == nil
	}
	return false
}

// blockOn is block for what waits for d, which may not where flags or d say so.
func (o *Op) blockOn(d *description, socket bool) error {
	o.nonblock = !socket && o.flags&SPLICE_F_NONBLOCK != 0 || d.nonblock()
	return o.block(0)
}

// spliceMove moves pages from pipe to pipe.
func (o *Op) spliceMove() (err error) {
	from, to := o.want[0].end(), o.want[1].end()
	var wait *description
	o.p.domain.Do(func() {
		switch {
		case from.closed || to.closed:
			err = syscall.EBADF
		case to.readers == 0:
			err = syscall.EPIPE
		case from.taken() || len(from.slots) == 0 && from.writers > 0:
			wait = o.want[0].description
		case to.taken() || len(from.slots) > 0 && len(to.slots) >= to.most:
			wait = o.want[1].description
		default:
			o.n = from.moveTo(to.pipe, o.length)
		}
	})
	if wait != nil {
		return o.blockOn(wait, false)
	}
	return err
}

// moveTo moves up to n bytes into another pipe with room.
func (x *pipe) moveTo(to *pipe, n int) (moved int) {
	for moved < n && len(x.slots) > 0 && len(to.slots) < to.most {
		s := x.slots[0]
		if left := n - moved; left < len(s) {
			to.slots = append(to.slots, s[:left:left])
			x.slots[0] = s[left:]
			moved = n
			break
		}
		to.slots = append(to.slots, s)
		x.dropSlot()
		moved += len(s)
	}
	if moved > 0 {
		x.queue.wake(core.ReadyOut)
		to.queue.wake(core.ReadyIn)
	}
	return moved
}

// Tee is tee(2): the second pipe shares what waits in the first.
func (p *Process) Tee(fdIn, fdOut, n, flags int) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Tee(fdIn, fdOut, n, flags))
}

// Tee begins Process.Tee.
func (o *Op) Tee(fdIn, fdOut, n, flags int) bool {
	o.reset()
	in, out, err := o.between(fdIn, fdOut, n, flags)
	if err != nil {
		return o.fail(err)
	}
	from, to := in.end(), out.end()
	if from == nil || to == nil || from.pipe == to.pipe {
		return o.fail(syscall.EINVAL)
	}
	if n == 0 {
		o.done = true
		return true
	}
	return o.begin((*Op).tee)
}

func (o *Op) tee() (err error) {
	from, to := o.want[0].end(), o.want[1].end()
	var wait *description
	o.p.domain.Do(func() {
		switch {
		case from.closed || to.closed:
			err = syscall.EBADF
		case to.readers == 0:
			err = syscall.EPIPE
		case len(from.slots) == 0 && from.writers > 0:
			wait = o.want[0].description
		case to.taken() || len(from.slots) > 0 && len(to.slots) >= to.most:
			wait = o.want[1].description
		default:
			for _, s := range from.slots {
				k := min(len(s), o.length-o.n)
				if k == 0 || len(to.slots) >= to.most {
					break
				}
				to.slots = append(to.slots, s[:k:k]) // nothing is appended to what is shared
				o.n += k
			}
			if o.n > 0 {
				to.queue.wake(core.ReadyIn)
			}
		}
	})
	if wait != nil {
		return o.blockOn(wait, false)
	}
	return err
}

// spliceOut moves bytes from a pipe to a socket or a file, until the pipe is empty.
func (o *Op) spliceOut() error {
	x := o.want[0].end()
	for {
		var iov [][]byte
		var err error
		ended := false
		o.p.domain.Do(func() {
			switch {
			case x.closed:
				err = syscall.EBADF
			case x.taken():
				err = syscall.EAGAIN
			case len(x.slots) == 0 && x.writers > 0:
				err = syscall.EAGAIN
			case len(x.slots) == 0:
				ended = true
			default:
				iov, x.busy = x.front(o.length-o.n), true
			}
		})
		switch {
		case ended:
			return nil
		case err == syscall.EAGAIN:
			if o.n > 0 {
				return nil
			}
			return o.blockOn(o.want[0].description, false)
		case err != nil:
			return err
		}
		n, err := o.put(o.want[1].description, iov, o.flags&SPLICE_F_MORE != 0)
		o.p.domain.Do(func() {
			x.drop(n)
			x.release(readyIf(n > 0, core.ReadyOut))
		})
		o.n += n
		switch {
		case err == syscall.EAGAIN:
			if err = o.blockOn(o.want[1].description, true); err == syscall.EAGAIN && o.n > 0 {
				return nil
			}
			return err
		case err != nil && o.n == 0:
			return err
		case err != nil, o.n >= o.length:
			return nil
		}
	}
}

// put writes some of iov to a socket or a file.
func (o *Op) put(d *description, iov [][]byte, more bool) (int, error) {
	switch x := d.object.(type) {
	case *socket:
		m := &o.message
		m.Data, m.Vector = pieces(iov)
		m.Flags = MSG_DONTWAIT
		if more {
			m.Flags |= MSG_MORE
		}
		n, err := x.s.Send(m)
		return max(n, 0), err
	case *file:
		if o.offOut != nil {
			n, err := x.writeAt(iov, *o.offOut)
			*o.offOut += int64(n)
			return n, err
		}
		return x.writeOn(iov, d.flags.Load()&O_APPEND != 0)
	case writer:
		return x.write(iov)
	}
	return 0, syscall.EINVAL
}

// spliceIn moves bytes from a socket or a file into a pipe, as many as there are and
// fit.
func (o *Op) spliceIn() error {
	x := o.want[1].end()
	var err error
	room := 0
	o.p.domain.Do(func() {
		switch {
		case x.closed:
			err = syscall.EBADF
		case x.readers == 0:
			err = syscall.EPIPE
		case x.taken() || len(x.slots) >= x.most:
			err = syscall.EAGAIN
		default:
			room, x.busy = x.most-len(x.slots), true
		}
	})
	switch {
	case err == syscall.EAGAIN:
		return o.blockOn(o.want[1].description, false)
	case err != nil:
		return err
	}
	var pages [][]byte
	for left := o.length; left > 0 && len(pages) < room; left -= pipeSlot {
		pages = append(pages, make([]byte, min(left, pipeSlot), pipeSlot))
	}
	n, err := o.get(o.want[0].description, pages)
	o.p.domain.Do(func() {
		for left := n; left > 0; {
			s := pages[0][:min(left, len(pages[0]))]
			x.slots = append(x.slots, s)
			pages, left = pages[1:], left-len(s)
		}
		x.release(readyIf(n > 0, core.ReadyIn))
	})
	if err == syscall.EAGAIN {
		return o.blockOn(o.want[0].description, true)
	}
	o.n = n
	return err
}

// get reads what there is of a socket or a file.
func (o *Op) get(d *description, iov [][]byte) (int, error) {
	switch x := d.object.(type) {
	case *socket:
		m := &o.message
		m.Data, m.Vector = pieces(iov)
		m.Flags = MSG_DONTWAIT
		n, err := x.s.Receive(m)
		return max(n, 0), err
	case *file:
		if o.offIn != nil {
			n, err := x.readAt(iov, *o.offIn)
			*o.offIn += int64(n)
			return n, err
		}
		return x.read(iov)
	}
	return 0, syscall.EINVAL
}

// Sendfile is sendfile(2): in is a file, out what can be written. With off it reads
// from there on and moves that instead of the position.
func (p *Process) Sendfile(out, in int, off *int64, n int) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Sendfile(out, in, off, n))
}

// Sendfile begins Process.Sendfile.
func (o *Op) Sendfile(out, in int, off *int64, n int) bool {
	o.reset()
	di, err := o.p.get(in)
	if err != nil {
		return o.fail(err)
	}
	do, err := o.p.get(out)
	if err != nil {
		return o.fail(err)
	}
	f, ok := di.object.(*file)
	_, can := do.object.(writer)
	_, socket := do.object.(*socket)
	switch {
	case !di.readable() || !do.writable():
		return o.fail(syscall.EBADF)
	case !ok && off != nil && di.end() != nil:
		return o.fail(syscall.ESPIPE)
	case !ok || !can && !socket || n < 0 || off != nil && *off < 0 || do.flags.Load()&O_APPEND != 0:
		return o.fail(syscall.EINVAL)
	}
	o.offIn, o.length, o.nonblock = off, n, do.nonblock()
	if off == nil { // of the position, what was written counts
		f.mu.Lock()
		o.start = f.position
		f.mu.Unlock()
	} else {
		o.start = *off
	}
	o.wants(out, do, core.ReadyOut)
	o.source = f
	return o.begin((*Op).sendfile)
}

func (o *Op) sendfile() (err error) {
	f := o.source
	defer func() {
		if err == errBlocked {
			return
		}
		if at := o.start + int64(o.n); o.offIn != nil {
			*o.offIn = at
		} else {
			f.mu.Lock()
			f.position = at
			f.mu.Unlock()
		}
	}()
	if o.buffer == nil {
		o.buffer = make([]byte, min(o.length, sendfileChunk))
	}
	for o.n < o.length {
		if o.chunk == nil {
			b := o.buffer[:min(len(o.buffer), o.length-o.n)]
			n, err := f.readAt([][]byte{b}, o.start+int64(o.n))
			if err != nil || n == 0 {
				if o.n > 0 {
					return nil
				}
				return err
			}
			o.chunk = b[:n]
		}
		o.single[0] = o.chunk
		n, err := o.put(o.want[0].description, o.single[:], o.n+len(o.chunk) < o.length)
		if o.chunk = o.chunk[n:]; len(o.chunk) == 0 {
			o.chunk = nil
		}
		o.n += n
		switch {
		case err == syscall.EAGAIN:
			if err = o.block(0); err == syscall.EAGAIN && o.n > 0 {
				return nil
			}
			return err
		case err != nil && o.n > 0:
			return nil
		case err != nil:
			return err
		case n == 0:
			return nil
		}
	}
	return nil
}

func readyIf(yes bool, r core.Ready) core.Ready {
	if yes {
		return r
	}
	return 0
}
