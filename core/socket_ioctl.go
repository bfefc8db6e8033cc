package core

import "syscall"

// Requests of ioctl(2) on a socket, with Linux's numbers.
const (
	SIOCINQ     = 0x541b // FIONREAD: bytes to read; of datagrams those of the next
	SIOCOUTQ    = 0x5411 // bytes that the peer did not acknowledge; of datagrams those that wait to be sent
	SIOCOUTQNSD = 0x894b // bytes that were not sent
	SIOCATMARK  = 0x8905 // 1 if the next byte to read is the urgent one
)

// Ioctl is the requests of ioctl(2) that read an int. ENOTTY for one that the
// protocol does not know, EINVAL on a listening socket.
func (s *Socket) Ioctl(request int) (int, error) {
	n := 0
	err := s.call(func() error {
		e, ok := s.endpoint.(interface{ Ioctl(int) (int, error) })
		if !ok {
			return syscall.ENOTTY
		}
		var err error
		n, err = e.Ioctl(request)
		return err
	})
	return n, err
}
