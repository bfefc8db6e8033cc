package posix

import (
	"encoding/binary"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
)

// Getsockopt is getsockopt(2): val gets what fits, the length of which is returned.
func (p *Process) Getsockopt(fd, level, name int, val []byte) (int, error) {
	_, s, err := p.socket(fd)
	if err != nil {
		return -1, err
	}
	n, err := s.s.Option(level, name, val)
	if err != nil {
		return -1, err
	}
	return n, nil
}

// Setsockopt is setsockopt(2).
func (p *Process) Setsockopt(fd, level, name int, val []byte) error {
	_, s, err := p.socket(fd)
	if err != nil {
		return err
	}
	if err := s.s.SetOption(level, name, val); err != nil {
		return err
	}
	if level == core.SolSocket {
		s.follow(name)
	}
	return nil
}

// SO_RCVTIMEO and SO_SNDTIMEO where time has 64 bits on every machine.
const (
	soRcvTimeoNew = 66
	soSndTimeoNew = 67
)

// follow keeps the options that say how calls wait as the stack has them.
func (s *socket) follow(name int) {
	var b [16]byte
	switch name {
	case core.SoRcvLowat:
		if v, err := s.s.Int(core.SolSocket, name); err == nil {
			s.shadow.lowat.Store(int32(v))
		}
	case core.SoRcvTimeo, core.SoSndTimeo, soRcvTimeoNew, soSndTimeoNew:
		var o core.SocketOptions
		s.s.Instance().Domain().Do(func() { o = *s.s.Options() })
		s.shadow.receive.Store(int64(o.ReceiveTimeout))
		s.shadow.send.Store(int64(o.SendTimeout))
	case core.SoLinger:
		if _, err := s.s.Option(core.SolSocket, name, b[:8]); err == nil {
			linger := int64(-1)
			if binary.NativeEndian.Uint32(b[:]) != 0 {
				linger = int64(time.Duration(binary.NativeEndian.Uint32(b[4:])) * time.Second)
			}
			s.shadow.linger.Store(linger)
		}
	}
}

// stamped tells when the last datagram that was read had come: ENOENT if there was
// none.
func (s *socket) stamped(h core.Host, arg []byte, nanoseconds bool) (int, error) {
	at := core.Time(s.stamp.Load())
	if at == 0 {
		return -1, syscall.ENOENT
	}
	if len(arg) < 16 {
		return -1, syscall.EFAULT
	}
	t := h.WallNow().Add(at.Sub(h.Now()))
	part := t.Nanosecond()
	if !nanoseconds {
		part /= int(time.Microsecond)
	}
	binary.NativeEndian.PutUint64(arg, uint64(t.Unix()))
	binary.NativeEndian.PutUint64(arg[8:], uint64(part))
	return 0, nil
}

// Ioctl is ioctl(2). arg is the memory that its argument points to. ENOTTY for a
// request that the object does not know.
func (p *Process) Ioctl(fd int, request uint, arg []byte) (int, error) {
	d, err := p.get(fd)
	if err != nil {
		return -1, err
	}
	switch request {
	case FIOCLEX, FIONCLEX:
		set := 0
		if request == FIOCLEX {
			set = FD_CLOEXEC
		}
		return p.Fcntl(fd, F_SETFD, set)
	case FIONBIO, FIOASYNC:
		if len(arg) < 4 {
			return -1, syscall.EFAULT
		}
		flag := O_NONBLOCK
		if request == FIOASYNC {
			flag = O_ASYNC
		}
		on := 0
		if binary.NativeEndian.Uint32(arg) != 0 {
			on = flag
		}
		d.setFlags(flag, on)
		return 0, nil
	}
	var v int
	switch o := d.object.(type) {
	case *socket:
		family, _, _ := o.s.Kind()
		if handled, err := p.netdevice(family, request, arg); err != nil {
			return -1, err
		} else if handled {
			return 0, nil
		}
		if request == SIOCGSTAMP || request == SIOCGSTAMPNS {
			return o.stamped(p.host, arg, request == SIOCGSTAMPNS)
		}
		v, err = o.s.Ioctl(int(request))
	case interface{ ioctl(uint) (int, error) }:
		v, err = o.ioctl(request)
	default:
		err = syscall.ENOTTY
	}
	if err != nil {
		return -1, err
	}
	if len(arg) < 4 {
		return -1, syscall.EFAULT
	}
	binary.NativeEndian.PutUint32(arg, uint32(int32(v)))
	return 0, nil
}
