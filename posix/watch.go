package posix

import (
	"syscall"

	"github.com/libos-go/libos/core"
)

// OnReady has f called whenever any of events (POLLIN, POLLOUT …), an error or a
// hang-up may have come to a socket, until stop is called: unlike poll it does not
// tell what is there already. f runs inside the Domain's entry and must not block,
// nor call anything of the stack. EBADF or ENOTSOCK for another descriptor.
func (p *Process) OnReady(fd int, events int16, f func()) (stop func(), err error) {
	_, s, err := p.socket(fd)
	if err != nil {
		return nil, err
	}
	return s.s.OnReady(readiness(events)&^(core.ReadyErr|core.ReadyHup), func(core.Ready) { f() }), nil
}

// ringed is an endpoint that shares memory with its program (PACKET_RX_RING).
type ringed interface {
	RingSize() int
	MapRing(memory []byte) error
}

// RingSize is how many bytes of memory the ring of a packet socket wants, 0 without one.
func (p *Process) RingSize(fd int) (n int) {
	if _, s, err := p.socket(fd); err == nil {
		p.domain.Do(func() {
			if r, ok := s.s.Endpoint().(ringed); ok {
				n = r.RingSize()
			}
		})
	}
	return n
}

// MapRing gives the ring of a packet socket its memory, RingSize bytes of zeros that the
// program sees too, which the socket uses until it is closed or its ring ends. EINVAL if
// the ring wants none, or another size.
func (p *Process) MapRing(fd int, memory []byte) error {
	_, s, err := p.socket(fd)
	if err != nil {
		return err
	}
	err = syscall.EINVAL
	p.domain.Do(func() {
		if r, ok := s.s.Endpoint().(ringed); ok {
			err = r.MapRing(memory)
		}
	})
	return err
}
