package core

import (
	"syscall"
)

// Bind gives the socket a local address; port 0 chooses one.
func (s *Socket) Bind(a SockAddr) error {
	return s.call(func() error { return s.endpoint.Bind(a) })
}

// Connect connects the socket to a. On a stream it waits until the connection
// stands or failed; a non-blocking socket gives EINPROGRESS instead, EALREADY
// while that lasts, and then the outcome once: by SO_ERROR or by the next
// Connect (net/ipv4/af_inet.c, __inet_stream_connect).
func (s *Socket) Connect(a SockAddr) error {
	defer s.leave()
	if err := s.enter(); err != nil {
		return err
	}
	if err := s.checkPeer(a); err != nil {
		return err
	}
	if s.connecting {
		return s.connectAgain()
	}
	err := s.attempt(func() error { return s.endpoint.Connect(a) })
	if err != syscall.EINPROGRESS {
		return err
	}
	s.connecting = true
	return s.connected(syscall.EINPROGRESS)
}

// connectAgain is Connect on a socket whose connect is under way or over.
func (s *Socket) connectAgain() error {
	if _, ok := s.endpoint.Peer(); !ok && s.endpoint.Ready()&ReadyHup == 0 {
		return s.connected(syscall.EALREADY)
	}
	return s.outcome()
}

// connected waits for the end of a connect; unfinished is the error of a call
// that may not wait so long.
func (s *Socket) connected(unfinished error) error {
	var pt patience
	for {
		if err := s.wait(ReadyOut|ReadyErr|ReadyHup, 0, &pt); err != nil {
			if err == syscall.EAGAIN {
				return unfinished
			}
			return err
		}
		if !s.connecting { // another call was told the outcome
			return nil
		}
		if s.err != 0 || s.endpoint.Ready()&(ReadyOut|ReadyHup|ReadyErr) != 0 {
			return s.outcome()
		}
	}
}

// outcome tells how a connect ended.
func (s *Socket) outcome() error {
	s.connecting = false
	err := s.takeError()
	if _, ok := s.endpoint.Peer(); !ok && err == nil {
		err = syscall.ECONNABORTED
	}
	if e, ok := s.endpoint.(interface{ ConnectFailed() }); ok && err != nil {
		e.ConnectFailed()
	}
	return err
}

// Disconnect dissolves the association with the peer, as connect(2) with
// AF_UNSPEC does. EOPNOTSUPP where the protocol has no such thing.
func (s *Socket) Disconnect() error {
	return s.call(func() error {
		if e, ok := s.endpoint.(interface{ Disconnect() error }); ok {
			s.connecting = false
			return e.Disconnect()
		}
		return syscall.EOPNOTSUPP
	})
}

// Listen makes the socket accept connections.
func (s *Socket) Listen(backlog int) error {
	return s.call(func() error { return s.endpoint.Listen(backlog) })
}

// Accept takes the oldest connection that waits.
func (s *Socket) Accept() (*Socket, SockAddr, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return nil, SockAddr{}, err
	}
	var pt patience
	for {
		if err := s.expired(ReadyIn); err != nil {
			return nil, SockAddr{}, err
		}
		c, err := s.endpoint.Accept()
		if err == nil {
			peer, _ := c.endpoint.Peer()
			return c, peer, nil
		}
		if err != syscall.EAGAIN {
			return nil, SockAddr{}, err
		}
		if err := s.wait(ReadyIn, 0, &pt); err != nil {
			return nil, SockAddr{}, err
		}
	}
}
