package core

import (
	"syscall"
)

// Bind gives the socket a local address; port 0 chooses one.
func (s *Socket) Bind(a SockAddr) error {
	return s.call(ReadyIn|ReadyOut, func() error { return s.endpoint.Bind(a) })
}

// Connect connects the socket to a. On a stream it waits until the connection
// stands or failed; a non-blocking socket gives EINPROGRESS instead, and
// SO_ERROR when it is writable.
func (s *Socket) Connect(a SockAddr) error {
	defer s.leave()
	if err := s.enter(); err != nil {
		return err
	}
	if err := s.checkPeer(a); err != nil {
		return err
	}
	var pt patience
	err := s.endpoint.Connect(a)
	for err == errPending {
		if err = s.waitAlways(ReadyIn | ReadyOut); err == nil {
			err = s.endpoint.Connect(a)
		}
	}
	if err != syscall.EINPROGRESS {
		return err
	}
	for {
		if err := s.wait(ReadyOut|ReadyErr|ReadyHup, 0, &pt); err != nil {
			if err == syscall.EAGAIN {
				return syscall.EINPROGRESS
			}
			return err
		}
		r := s.endpoint.Ready()
		if err := s.takeError(); err != nil {
			return err
		}
		if r&(ReadyOut|ReadyHup|ReadyErr) != 0 {
			return nil
		}
	}
}

// Disconnect dissolves the association with the peer, as connect(2) with
// AF_UNSPEC does. EOPNOTSUPP where the protocol has no such thing.
func (s *Socket) Disconnect() error {
	return s.call(ReadyIn|ReadyOut, func() error {
		if e, ok := s.endpoint.(interface{ Disconnect() error }); ok {
			return e.Disconnect()
		}
		return syscall.EOPNOTSUPP
	})
}

// Listen makes the socket accept connections.
func (s *Socket) Listen(backlog int) error {
	return s.call(ReadyIn|ReadyOut, func() error { return s.endpoint.Listen(backlog) })
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
