package posix

import "github.com/libos-go/libos/core"

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
