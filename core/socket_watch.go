package core

import "syscall"

// Watch is a place in a socket's wait queue in memory of its owner, who keeps it
// where it is while it is set: what OnReady makes, without an allocation and an
// entry for each. Its methods are called inside an entry.
type Watch struct {
	node   waitNode
	socket *Socket
}

// Set has f called inside the Domain's entry whenever any of mask, an error or a
// hang-up may have come to s, until Stop. f must not block, nor stop other
// watches. A watch is set on one socket at a time.
func (w *Watch) Set(s *Socket, mask Ready, f func(Ready)) {
	w.Stop()
	w.socket = s
	w.node.mask, w.node.notify = mask, f
	w.node.next = s.waiters
	s.waiters = &w.node
}

// Change replaces the mask.
func (w *Watch) Change(mask Ready) { w.node.mask = mask }

// Stop ends the watch. It may be called for one that is not set.
func (w *Watch) Stop() {
	if w.socket != nil {
		w.socket.unwait(&w.node)
		w.socket, w.node.next, w.node.notify = nil, nil, nil
	}
}

// ReadyLocked is Ready inside an entry.
func (s *Socket) ReadyLocked() Ready { return s.readyLocked() }

// Wake has w woken when the running entry leaves.
func (d *Domain) Wake(w *Waiter) { d.wake(w) }

// KeepError makes err, which a call took but cannot report because it has moved
// bytes, the pending error again. EPIPE and EAGAIN, which the next call finds by
// itself, are none.
func (s *Socket) KeepError(err error) {
	s.instance.domain.Do(func() { s.keepError(err) })
}

// ConnectResult is how a connect that gave EINPROGRESS ended, told once; EALREADY
// while it goes on. It does not wait. To a call that comes after another was told
// it is nil or, when there is no connection, ECONNABORTED.
func (s *Socket) ConnectResult() error {
	defer s.leave()
	if err := s.enter(); err != nil {
		return err
	}
	if s.connecting {
		if _, ok := s.endpoint.Peer(); !ok && s.endpoint.Ready()&ReadyHup == 0 {
			return syscall.EALREADY
		}
	}
	return s.outcome()
}
