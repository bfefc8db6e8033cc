package core

import "syscall"

// AutoPort tells whether the program did not choose the local port.
func (e *SocketEntry) AutoPort() bool {
	if p, ok := e.Endpoint.(interface{ AutoPort() bool }); ok {
		return p.AutoPort()
	}
	return false
}

// AutoPort tells whether the protocol chose the local port.
func (e *datagramEndpoint) AutoPort() bool { return e.anyPort }

// Break ends the socket or connection of the entry as SOCK_DESTROY does
// (net/core/sock_diag.c): its program gets ECONNABORTED, the peer of a connection a
// reset. EOPNOTSUPP for a kind that has nothing to end. Inside the entry of the Domain
// in which it was listed.
func (e *SocketEntry) Break() error {
	if b, ok := e.Endpoint.(interface{ Break(syscall.Errno) }); ok {
		b.Break(syscall.ECONNABORTED)
		return nil
	}
	d, ok := e.Endpoint.(interface{ Disconnect() error })
	if !ok || e.Socket == nil || e.Family != afInet && e.Family != afInet6 {
		return syscall.EOPNOTSUPP
	}
	e.Socket.SetError(syscall.ECONNABORTED)
	if err := d.Disconnect(); err != nil && err != errPending && err != errBusy {
		return err
	}
	return nil
}
