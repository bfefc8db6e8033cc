//go:build linux && (amd64 || arm64)

package guest

import (
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
)

// pumpSize is how many bytes a pump carries at once; no datagram is longer.
const pumpSize = 128 << 10

// idle is how many buffers of a kind a Guest keeps that no pump has.
const idle = 8

// pool are buffers of a Guest's pumps, which have one only while they have something to
// carry. The one that was given back last is lent first: its memory is in the
// processor's cache.
type pool[T any] struct {
	mu   sync.Mutex
	idle []*T
}

func (p *pool[T]) take() *T {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return new(T)
	}
	b := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return b
}

func (p *pool[T]) give(b *T) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) < idle {
		p.idle = append(p.idle, b)
	}
}

// volleySize is how many datagrams a volley holds.
const volleySize = 32

// volley is datagrams that are taken from our end, or given to it, by one call.
type volley struct {
	n       int
	message core.Message // that they are sent by
	headers [volleySize]mmsghdr
	pieces  [volleySize]unix.Iovec
	waits   [volleySize]waiting // of those that are given
	memory  [volleySize]struct {
		data [maxDatagram]byte
		_    [3 * 64]byte // so that not all begin in the same lines of a cache
	}
}

// mmsghdr is struct mmsghdr of recvmmsg(2) and sendmmsg(2).
type mmsghdr struct {
	unix.Msghdr
	length uint32
}

// piece sets the length of datagram i, which is where header i has it.
func (v *volley) piece(i, length int) {
	p := &v.pieces[i]
	p.Base = &v.memory[i].data[0]
	p.SetLen(length)
	v.headers[i] = mmsghdr{}
	v.headers[i].Iov = p
	v.headers[i].SetIovlen(1)
}

// receive takes what is there.
func (v *volley) receive(fd int) error {
	for i := range v.headers {
		v.piece(i, maxDatagram)
	}
	n, _, e := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.headers)), volleySize, unix.MSG_DONTWAIT, 0, 0)
	v.n = int(n)
	if e != 0 {
		v.n = 0
		return e
	}
	return nil
}

// send gives datagrams from the first one on, and tells how many; what kept the next one
// back is the error.
func (v *volley) send(fd, first int) (int, error) {
	n, _, e := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&v.headers[first])), uintptr(v.n-first), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if e != 0 {
		return 0, e
	}
	return int(n), nil
}

// cut tells whether datagram i is longer than any may be.
func (v *volley) cut(i int) bool { return v.headers[i].Flags&unix.MSG_TRUNC != 0 }

func (v *volley) datagram(i int) []byte { return v.memory[i].data[:v.headers[i].length] }
