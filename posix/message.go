package posix

import (
	"encoding/binary"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
)

// Msghdr is struct msghdr. A send reads Name, Iov and Control whole; a receive
// writes what fits into Name, Iov and Control, the address's full length into
// NameLen, the length of the control messages into ControlLen and MSG_TRUNC,
// MSG_CTRUNC, MSG_ERRQUEUE … into Flags.
type Msghdr struct {
	Name       []byte
	NameLen    int
	Iov        [][]byte
	Control    []byte
	ControlLen int
	Flags      int
}

// Mmsghdr is struct mmsghdr: a message and the bytes that it moved.
type Mmsghdr struct {
	Msghdr
	Len int
}

// Recvmsg is recvmsg(2).
func (p *Process) Recvmsg(fd int, m *Msghdr, flags int) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Recvmsg(fd, m, flags))
}

// Sendmsg is sendmsg(2).
func (p *Process) Sendmsg(fd int, m *Msghdr, flags int) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Sendmsg(fd, m, flags))
}

// Recvmsg begins Process.Recvmsg.
func (o *Op) Recvmsg(fd int, m *Msghdr, flags int) bool {
	o.reset()
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	if len(m.Iov) > iovMax {
		return o.fail(syscall.EMSGSIZE)
	}
	o.name, o.header = m.Name, m
	return o.receiveOn(fd, d, s, m.Iov, flags)
}

// fill writes the results of a receive into its header.
func (o *Op) fill(h *Msghdr) {
	m, s := &o.message, o.socket.s
	h.NameLen, h.Flags, h.ControlLen = o.extra, m.OutFlags|o.flags&MSG_CMSG_CLOEXEC, 0
	o.control = s.AppendControl(o.control[:0], m)
	whole := true
	h.ControlLen, whole = FitControl(h.Control, o.control)
	if !whole {
		h.Flags |= MSG_CTRUNC
	}
}

// FitControl copies control messages into b and tells how many bytes they take and
// whether all of it fitted; the last that does not fit is cut
// (net/core/scm.c, put_cmsg).
func FitControl(b, control []byte) (n int, whole bool) {
	for len(control) > 0 {
		c, rest, ok := core.NextControl(control)
		if !ok || len(b)-n < sizeofCmsghdr {
			return n, false
		}
		size := sizeofCmsghdr + len(c.Data)
		if left := len(b) - n; size > left {
			copy(b[n:], control[:left])
			binary.NativeEndian.PutUint64(b[n:], uint64(left))
			return len(b), false
		}
		n += copy(b[n:], control[:len(control)-len(rest)])
		control = rest
	}
	return n, true
}

// sizeofCmsghdr is struct cmsghdr.
const sizeofCmsghdr = 16

// Sendmsg begins Process.Sendmsg.
func (o *Op) Sendmsg(fd int, m *Msghdr, flags int) bool {
	o.reset()
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	if err := o.takeHeader(s, m); err != nil {
		return o.fail(err)
	}
	return o.sendOn(fd, d, s, m.Iov, flags)
}

// takeHeader reads the address and the control messages of a send.
func (o *Op) takeHeader(s *socket, m *Msghdr) (err error) {
	if len(m.Iov) > iovMax {
		return syscall.EMSGSIZE
	}
	if len(m.Name) > 0 {
		if o.message.Addr, o.message.HasAddr, err = s.sendAddress(m.Name); err != nil {
			return err
		}
	}
	return o.message.ParseControl(m.Control)
}

// Recvmmsg is recvmmsg(2): it fills headers of msgs until all have a message, or
// timeout (below 0: none) is over at the arrival of one, and returns how many. With
// MSG_WAITFORONE only the first is waited for. The timeout ends no wait (do_recvmmsg,
// net/socket.c).
func (p *Process) Recvmmsg(fd int, msgs []Mmsghdr, flags int, timeout time.Duration) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Recvmmsg(fd, msgs, flags, timeout))
}

// Sendmmsg is sendmmsg(2).
func (p *Process) Sendmmsg(fd int, msgs []Mmsghdr, flags int) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Sendmmsg(fd, msgs, flags))
}

// Recvmmsg begins Process.Recvmmsg.
func (o *Op) Recvmmsg(fd int, msgs []Mmsghdr, flags int, timeout time.Duration) bool {
	o.reset()
	o.enough = core.Never
	if timeout >= 0 {
		o.enough = o.p.host.Now().Add(timeout)
	}
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	o.headers = msgs[:min(len(msgs), iovMax)]
	o.socket, o.flags, o.nonblock = s, flags, flags&MSG_DONTWAIT != 0 || d.nonblock()
	o.wants(fd, d, core.ReadyIn)
	return o.begin((*Op).receiveMany)
}

// receiveMany goes on with message o.length, which alone waits: the bytes of a
// stream's message count once it is whole.
func (o *Op) receiveMany() error {
	for o.length < len(o.headers) {
		h := &o.headers[o.length]
		if !o.part { // a new message
			ancillary := o.message.Ancillary[:0]
			o.message = core.Message{Ancillary: ancillary}
			o.message.Data, o.message.Vector = pieces(h.Iov)
			o.message.Flags = o.flags&^(MSG_WAITALL|MSG_WAITFORONE) | MSG_DONTWAIT
			o.n, o.extra, o.header, o.name, o.target = 0, 0, &h.Msghdr, h.Name, 0
			if o.socket.typ == SOCK_STREAM && o.flags&(MSG_OOB|MSG_ERRQUEUE) == 0 {
				o.target = min(int(o.socket.shadow.lowat.Load()), o.message.Len())
				if o.flags&MSG_WAITALL != 0 {
					o.target = o.message.Len()
				}
			}
			o.part = true
		}
		err := o.receive()
		if err == errBlocked {
			return err
		}
		o.part = false
		if err != nil {
			if o.length == 0 {
				return err
			}
			if err != syscall.EAGAIN {
				o.socket.s.KeepError(err)
			}
			break
		}
		h.Len = o.n
		o.length++
		if o.flags&MSG_WAITFORONE != 0 {
			o.nonblock = true
		}
		if o.p.host.Now() >= o.enough {
			break
		}
	}
	o.n = o.length
	return nil
}

// Sendmmsg begins Process.Sendmmsg.
func (o *Op) Sendmmsg(fd int, msgs []Mmsghdr, flags int) bool {
	o.reset()
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	o.headers = msgs[:min(len(msgs), iovMax)]
	o.socket, o.flags, o.nonblock = s, flags, flags&MSG_DONTWAIT != 0 || d.nonblock()
	o.wants(fd, d, core.ReadyOut)
	return o.begin((*Op).sendMany)
}

func (o *Op) sendMany() error {
	for o.length < len(o.headers) {
		h := &o.headers[o.length]
		var err error
		if !o.part {
			ancillary := o.message.Ancillary[:0]
			o.message = core.Message{Ancillary: ancillary}
			o.n = 0
			if err = o.takeHeader(o.socket, &h.Msghdr); err == nil {
				o.message.Data, o.message.Vector = pieces(h.Iov)
				o.message.Flags = o.flags | MSG_DONTWAIT
				o.part = true
			}
		}
		if err == nil {
			err = o.send()
		}
		if err == errBlocked {
			return err
		}
		o.part = false
		if err != nil {
			if o.length == 0 {
				return err
			}
			break
		}
		h.Len = o.n
		o.length++
	}
	o.n = o.length
	return nil
}
