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

// ringed is an endpoint that shares memory with its program (PACKET_RX_RING,
// PACKET_TX_RING).
type ringed interface {
	RingSizes() (receive, send int)
	MapRing(memory []byte) error
}

// RingSizes is how many bytes of memory the rings of a packet socket want, to receive into
// and to send from; 0 for one that it does not have.
func (p *Process) RingSizes(fd int) (receive, send int) {
	if _, s, err := p.socket(fd); err == nil {
		p.domain.Do(func() {
			if r, ok := s.s.Endpoint().(ringed); ok {
				receive, send = r.RingSizes()
			}
		})
	}
	return receive, send
}

// MapRing gives the rings of a packet socket their memory, which the program sees too: that
// to receive into and then that to send from, of zeros, or what they had before is copied
// there. The socket uses it until it is closed or the rings end, or are given other memory.
// EINVAL if they want none, or another size.
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
