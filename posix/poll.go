package posix

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
)

// PollFD is struct pollfd.
type PollFD struct {
	FD      int32
	Events  int16
	Revents int16
}

// allSynonyms are the bits that mean the same as POLLIN and POLLOUT. Which of them
// an object shows beside these differs.
const allSynonyms = POLLRDNORM | POLLWRNORM | POLLWRBAND

// events are the bits of poll(2) for what an object is ready for. Inside an entry.
func events(o object) int16 {
	shown := int16(POLLRDNORM | POLLWRNORM)
	switch x := o.(type) {
	case *event, *clock:
		shown = 0
	case *socket:
		if x.typ != SOCK_STREAM {
			shown = allSynonyms
		}
	}
	return synonyms(o.ready(), shown)
}

// synonyms are the bits of poll(2) for a readiness.
func synonyms(r core.Ready, shown int16) int16 {
	e := int16(r)
	if r&core.ReadyIn != 0 {
		e |= shown & POLLRDNORM
	}
	if r&core.ReadyOut != 0 {
		e |= shown & (POLLWRNORM | POLLWRBAND)
	}
	return e
}

// readiness is what to wait for to see any of the bits of poll(2).
func readiness(e int16) core.Ready {
	r := core.Ready(e) & (core.ReadyIn | core.ReadyPri | core.ReadyOut | core.ReadyRdHup)
	if e&POLLRDNORM != 0 {
		r |= core.ReadyIn
	}
	if e&(POLLWRNORM|POLLWRBAND) != 0 {
		r |= core.ReadyOut
	}
	return r | core.ReadyErr | core.ReadyHup
}

// Poll is poll(2): it waits for at most timeout, below 0 for ever, and returns how
// many of fds have events.
func (p *Process) Poll(fds []PollFD, timeout time.Duration) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Poll(fds, timeout))
}

// Poll begins Process.Poll.
func (o *Op) Poll(fds []PollFD, timeout time.Duration) bool {
	o.reset()
	if len(fds) > maxDescriptors {
		return o.fail(syscall.EINVAL)
	}
	o.polled = fds
	for i := range fds {
		fds[i].Revents = 0
		if fds[i].FD < 0 {
			continue
		}
		d, err := o.p.get(int(fds[i].FD))
		if err != nil {
			fds[i].Revents = POLLNVAL
			o.length++
			continue
		}
		o.wants(i, d, readiness(fds[i].Events))
	}
	o.setTimeout(timeout)
	if o.length > 0 {
		o.nonblock = true
	}
	return o.begin((*Op).poll)
}

// setTimeout bounds the waits of a call that returns 0 at its end.
func (o *Op) setTimeout(timeout time.Duration) {
	if timeout == 0 {
		o.nonblock = true
	}
	o.timeout = max(timeout, 0)
}

// poll looks at all descriptors in one entry. An interest's fd is its place in
// polled.
func (o *Op) poll() error {
	n := o.length
	o.p.domain.Do(func() {
		for _, x := range o.want {
			f := &o.polled[x.fd]
			if x.closed.Load() {
				f.Revents = POLLNVAL
			} else {
				f.Revents = events(x.object) & (f.Events | POLLERR | POLLHUP)
			}
			if f.Revents != 0 {
				n++
			}
		}
	})
	o.n = n
	if n > 0 || o.block(o.timeout) != errBlocked {
		return nil
	}
	return errBlocked
}

// FDSet is an fd_set: bit n of it is descriptor n.
type FDSet []uint64

// Has tells whether fd is in the set.
func (s FDSet) Has(fd int) bool { return fd >= 0 && fd/64 < len(s) && s[fd/64]>>(fd%64)&1 != 0 }

// Set puts fd into the set, which is long enough.
func (s FDSet) Set(fd int) { s[fd/64] |= 1 << (fd % 64) }

// What select(2) takes for ready to read, to write, and exceptional (fs/select.c).
const (
	selectIn  = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR
	selectOut = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR
	selectEx  = POLLPRI
)

// Select is select(2) over the descriptors below n of three sets, each nil or
// changed to what is ready. It waits for at most timeout, below 0 for ever. EBADF if
// one of them is not open.
func (p *Process) Select(n int, r, w, e FDSet, timeout time.Duration) (int, error) {
	if n < 0 {
		return -1, syscall.EINVAL
	}
	n = min(n, 64*max(len(r), len(w), len(e)))
	var fds []PollFD
	for fd := range n {
		f := PollFD{FD: int32(fd)}
		if r.Has(fd) {
			f.Events |= selectIn
		}
		if w.Has(fd) {
			f.Events |= selectOut
		}
		if e.Has(fd) {
			f.Events |= selectEx
		}
		if f.Events == 0 {
			continue
		}
		if _, err := p.get(fd); err != nil {
			return -1, err
		}
		fds = append(fds, f)
	}
	for {
		found, err := p.Poll(fds, timeout)
		if err != nil {
			return -1, err
		}
		count := selected(fds, r, w, e)
		if count > 0 || found == 0 || timeout >= 0 {
			return count, nil
		}
	}
}

// selected changes the sets to what a poll found.
func selected(fds []PollFD, r, w, e FDSet) (n int) {
	in := [3]FDSet{r, w, e}
	for i := range fds {
		f := &fds[i]
		for j, mask := range [3]int16{selectIn, selectOut, selectEx} {
			if fd := int(f.FD); in[j].Has(fd) {
				if f.Revents&(mask|POLLNVAL) != 0 {
					n++
				} else {
					in[j][fd/64] &^= 1 << (fd % 64)
				}
			}
		}
	}
	return n
}
