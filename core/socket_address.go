package core

import (
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// LocalAddr is the address the socket is bound to (getsockname), zero when the
// socket is closed.
func (s *Socket) LocalAddr() SockAddr {
	var a SockAddr
	s.instance.domain.Do(func() {
		if !s.closed {
			a = s.endpoint.Local()
		}
	})
	return a
}

// PeerAddr is the address the socket is connected to (getpeername), or ENOTCONN,
// or EBADF when the socket is closed.
func (s *Socket) PeerAddr() (SockAddr, error) {
	var a SockAddr
	err := error(syscall.EBADF)
	s.instance.domain.Do(func() {
		if s.closed {
			return
		}
		var ok bool
		if a, ok = s.endpoint.Peer(); ok {
			err = nil
		} else {
			err = syscall.ENOTCONN
		}
	})
	return a, err
}

// checkLocal tells whether the socket may bind to a: an own address, a group, a
// broadcast address or the unspecified one.
func (s *Socket) checkLocal(a SockAddr) error {
	_, err := s.localType(a)
	return err
}

// localType is checkLocal and tells what a is: RouteMulticast, RouteBroadcast,
// or RouteLocal for every other address.
func (s *Socket) localType(a SockAddr) (RouteType, error) {
	switch err := s.checkFamily(a.Addr); {
	case err == syscall.ENETUNREACH: // IPv4 on a socket for IPv6 only
		return 0, syscall.EINVAL
	case err != nil:
		return 0, err
	}
	switch {
	case a.Addr.IsUnspecified():
		return RouteLocal, nil
	case a.Addr.IsMulticast():
		return RouteMulticast, nil
	case a.Addr.IsBroadcast():
		return RouteBroadcast, nil
	}
	switch t := s.instance.addressType(a.Addr); {
	case t == RouteLocal || t == RouteBroadcast:
		return t, nil
	case s.options.FreeBind:
		return RouteLocal, nil
	}
	if n, ok := s.instance.Network(a.Addr).(interface{ NonlocalBind() bool }); ok && n.NonlocalBind() {
		return RouteLocal, nil
	}
	return 0, syscall.EADDRNOTAVAIL
}

// CheckLocal is checkLocal for transports.
func (s *Socket) CheckLocal(a SockAddr) error { return s.checkLocal(a) }

func (s *Socket) checkPeer(a SockAddr) error { return s.checkFamily(a.Addr) }

// checkFamily refuses IPv6 addresses on an AF_INET socket and IPv4 ones on an
// AF_INET6 socket that is for IPv6 only.
func (s *Socket) checkFamily(a wire.Addr) error {
	switch {
	case s.family == afInet && !a.Is4():
		return syscall.EAFNOSUPPORT
	case s.family == afInet6 && a.Is4() && s.options.V6Only:
		return syscall.ENETUNREACH
	}
	return nil
}

// outInterface is the interface that a datagram to a must use, 0 for any.
func (s *Socket) outInterface(a SockAddr) int {
	if s.options.Device != 0 {
		return int(s.options.Device)
	}
	if a.Scope != 0 && !a.Addr.Is4() && (a.Addr.IsLinkLocalUnicast() || a.Addr.IsMulticast()) {
		return int(a.Scope)
	}
	return 0
}

// OutInterface is outInterface for transports.
func (s *Socket) OutInterface(a SockAddr) int { return s.outInterface(a) }
