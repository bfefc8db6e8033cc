//go:build linux && (amd64 || arm64)

package guest

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// ahead is what of a socket's datagrams waits in the program's end, oldest first. Calls
// that the kernel carries out take from there without anybody being told; how many they
// have had shows in the memory that the rest takes (SIOCOUTQ of our end).
type ahead struct {
	waits []waiting
	cost  int // of all

	// Datagrams wait one at a time until so many in a row were taken by native calls;
	// from then on as many as the end has memory for, until a call is stopped.
	native int
	many   bool
}

// waiting is a datagram in the program's end.
type waiting struct {
	origin
	length int
	hash   uint64
	cost   int // bytes of memory
}

// manyAfter is how many native receives in a row have a socket's datagrams wait in
// numbers.
const manyAfter = 4

// roomy tells whether another datagram may be put to those that wait and n more, which
// cost so much.
func (a *ahead) roomy(memory, n, cost int) bool {
	return len(a.waits)+n == 0 || a.many && a.cost+cost < memory/2
}

// trim forgets what native calls have taken: the rest takes so much memory, or a byte
// more for each that is just being taken (sock_wfree, net/core/sock.c).
func (a *ahead) trim(left int) {
	n := 0
	for ; n < len(a.waits) && a.cost > left; n++ {
		a.cost -= a.waits[n].cost
		a.native++
	}
	a.drop(n)
	a.many = a.many || a.native >= manyAfter
}

// drop forgets the first n, whose cost is deducted already.
func (a *ahead) drop(n int) {
	if n > 0 {
		a.waits = slices.Delete(a.waits, 0, n)
	}
}

func (a *ahead) add(w waiting) {
	a.waits = append(a.waits, w)
	a.cost += w.cost
}

// remove takes the origin of a datagram that was taken from the program's end: the first
// one's, unless a call of the kernel's has had that one at the same moment.
func (a *ahead) remove(length int, hash uint64) origin {
	i := max(0, slices.IndexFunc(a.waits, func(w waiting) bool { return w.length == length && w.hash == hash }))
	o := a.waits[i].origin
	for _, w := range a.waits[:i+1] {
		a.cost -= w.cost
	}
	a.drop(i + 1)
	return o
}

// stopped notes that the program takes datagrams by calls that are stopped.
func (a *ahead) stopped() { a.native, a.many = 0, false }

// scale tells what datagrams cost in memory, by their length.
type scale struct {
	seed  maphash.Seed
	costs [maxDatagram + 1]atomic.Uint32
}

// cost is what the kernel counts for a datagram of AF_UNIX, found out with one.
func (c *scale) cost(length int) (int, error) {
	if n := c.costs[length].Load(); n != 0 {
		return int(n), nil
	}
	p, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	if _, err := unix.SendmsgN(p[0], make([]byte, length), nil, nil, unix.MSG_DONTWAIT); err != nil {
		return 0, err
	}
	n, err := unix.IoctlGetInt(p[0], unix.SIOCOUTQ)
	if err == nil {
		c.costs[length].Store(uint32(n))
	}
	return n, err
}

// waiting is what is to be known of a datagram that waits.
func (c *scale) waiting(b []byte, o origin) (waiting, error) {
	cost, err := c.cost(len(b))
	return waiting{o, len(b), maphash.Bytes(c.seed, b), cost}, err
}

// push puts a datagram into the program's end. The mutex is held.
func (s *socket) push(b []byte, o origin) (err error) {
	w, err := s.g.scale.waiting(b, o)
	if err == nil {
		err = s.pushNative(b)
	}
	if err == nil {
		s.ahead.add(w)
	}
	return err
}

// pushAll puts a volley into the program's end, but for what cannot be put there;
// unix.EPIPE when nothing can. The mutex is held.
func (s *socket) pushAll(v *volley) (err error) {
	for i := 0; i < v.n && err != unix.EPIPE; {
		var n int
		if gone := s.raw.Control(func(fd uintptr) { n, err = v.send(int(fd), i) }); gone != nil {
			return gone
		}
		for ; n > 0; n-- {
			s.ahead.add(v.waits[i])
			i++
		}
		if err != nil {
			i++
		}
	}
	clear(v.waits[:v.n])
	return err
}

// pushNative puts bytes into the program's end.
func (s *socket) pushNative(b []byte) (err error) {
	_ = s.raw.Control(func(fd uintptr) { _, err = unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) })
	return err
}

// room waits until another datagram may be put into the program's end.
func (s *socket) room() error {
	s.mu.Lock()
	ok := s.ahead.roomy(s.memory, 0, 0)
	s.mu.Unlock()
	if ok {
		return nil
	}
	full := false
	return s.raw.Write(func(fd uintptr) bool {
		s.mu.Lock() // what an errand puts there meanwhile is not taken
		defer s.mu.Unlock()
		n, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		s.ahead.trim(n)
		ok := s.ahead.roomy(s.memory, 0, 0)
		if full { // the kernel tells of room when three quarters are free (unix_writable)
			ok = len(s.ahead.waits) == 0 || s.ahead.many && n <= s.memory/4
		}
		full = true
		return err != nil || ok
	})
}

// mayCarryIn tells whether another datagram may be put into the program's end now.
func (s *socket) mayCarryIn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.receivers > 0 || s.state != open {
		return false
	}
	if !s.ahead.roomy(s.memory, 0, 0) {
		s.measure()
	}
	return s.ahead.roomy(s.memory, 0, 0)
}

// measure forgets what native calls have taken. The mutex is held.
func (s *socket) measure() {
	_ = s.raw.Control(func(fd uintptr) {
		if left, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); err == nil {
			s.ahead.trim(left)
		}
	})
}

// takeAhead takes the first datagram that waits in the program's end, or looks at it:
// unix.EAGAIN if none does. The mutex is held.
func (s *socket) takeAhead(end int, d *datagram, peek int) error {
	if len(s.ahead.waits) == 0 {
		return unix.EAGAIN
	}
	s.measure()
	if len(s.ahead.waits) == 0 {
		return unix.EAGAIN
	}
	n, err := s.nativeReceive(end, d.data[:cap(d.data)], peek)
	if err != nil { // a native call has just had it
		return unix.EAGAIN
	}
	d.data, d.flags = d.data[:n], 0
	if peek != 0 {
		d.origin = s.ahead.waits[0].origin
		return nil
	}
	d.origin = s.ahead.remove(n, maphash.Bytes(s.g.scale.seed, d.data))
	return nil
}

// putBack returns a datagram that nobody got before those that wait. The mutex is held.
func (s *socket) putBack(end int, d *datagram) {
	all := []datagram{*d}
	for {
		next := datagram{data: make([]byte, maxDatagram)}
		if s.takeAhead(end, &next, 0) != nil {
			break
		}
		all = append(all, next)
	}
	for _, d := range all {
		_ = s.push(d.data, d.origin)
	}
}

// remembered is o in memory of its own, which is last's where they have the same.
func (o *origin) remembered(last *origin) origin {
	c := origin{name: last.name}
	if !bytes.Equal(o.name, last.name) {
		c.name = slices.Clone(o.name)
	}
	if len(o.control) > 0 {
		c.control = slices.Clone(o.control)
	}
	return c
}
