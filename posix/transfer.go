package posix

import (
	"syscall"

	"github.com/libos-go/libos/core"
)

// iovMax is how many pieces a call may have (UIO_MAXIOV).
const iovMax = 1024

func total(iov [][]byte) int {
	n := 0
	for _, b := range iov {
		n += len(b)
	}
	return n
}

// vector is one buffer as an iov.
func (o *Op) vector(b []byte) [][]byte {
	o.single[0] = b
	return o.single[:]
}

// Read is read(2).
func (p *Process) Read(fd int, b []byte) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Read(fd, b))
}

// Readv is readv(2).
func (p *Process) Readv(fd int, iov [][]byte) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Readv(fd, iov))
}

// Write is write(2).
func (p *Process) Write(fd int, b []byte) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Write(fd, b))
}

// Writev is writev(2).
func (p *Process) Writev(fd int, iov [][]byte) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Writev(fd, iov))
}

// Read begins Process.Read.
func (o *Op) Read(fd int, b []byte) bool {
	o.reset()
	return o.readFile(fd, o.vector(b))
}

// Readv begins Process.Readv.
func (o *Op) Readv(fd int, iov [][]byte) bool {
	o.reset()
	return o.readFile(fd, iov)
}

func (o *Op) readFile(fd int, iov [][]byte) bool {
	d, err := o.p.get(fd)
	if err != nil {
		return o.fail(err)
	}
	if !d.readable() {
		return o.fail(syscall.EBADF)
	}
	if len(iov) > iovMax {
		return o.fail(syscall.EINVAL)
	}
	if s, ok := d.object.(*socket); ok {
		if total(iov) == 0 {
			o.done = true
			return true
		}
		return o.receiveOn(fd, d, s, iov, 0)
	}
	if _, ok := d.object.(reader); !ok {
		return o.fail(syscall.EINVAL)
	}
	o.iov, o.nonblock = iov, d.nonblock()
	o.wants(fd, d, core.ReadyIn)
	return o.begin((*Op).readSome)
}

func (o *Op) readSome() error {
	n, err := o.want[0].object.(reader).read(o.iov)
	if err == syscall.EAGAIN {
		return o.block(0)
	}
	o.n = n
	return err
}

// Write begins Process.Write.
func (o *Op) Write(fd int, b []byte) bool {
	o.reset()
	return o.writeFile(fd, o.vector(b))
}

// Writev begins Process.Writev.
func (o *Op) Writev(fd int, iov [][]byte) bool {
	o.reset()
	return o.writeFile(fd, iov)
}

func (o *Op) writeFile(fd int, iov [][]byte) bool {
	d, err := o.p.get(fd)
	if err != nil {
		return o.fail(err)
	}
	if !d.writable() {
		return o.fail(syscall.EBADF)
	}
	if len(iov) > iovMax {
		return o.fail(syscall.EINVAL)
	}
	if s, ok := d.object.(*socket); ok {
		o.message.Flags = 0
		return o.sendOn(fd, d, s, iov, 0)
	}
	if _, ok := d.object.(writer); !ok {
		return o.fail(syscall.EINVAL)
	}
	o.message.Data, o.message.Vector = pieces(iov)
	o.nonblock = d.nonblock()
	o.wants(fd, d, core.ReadyOut)
	return o.begin((*Op).writeSome)
}

// pieces splits an iov as a Message has it.
func pieces(iov [][]byte) (first []byte, rest [][]byte) {
	if len(iov) == 0 {
		return nil, nil
	}
	return iov[0], iov[1:]
}

// writeSome writes all of the message's bytes, waiting for room as it goes.
func (o *Op) writeSome() error {
	w, m := o.want[0].object.(writer), &o.message
	for {
		n, err := 0, error(nil)
		if f, ok := w.(*file); ok {
			n, err = f.writeOn(o.rest(), o.want[0].flags.Load()&O_APPEND != 0)
		} else {
			n, err = w.write(o.rest())
		}
		if n > 0 {
			o.n += n
			advance(m, n)
		}
		switch {
		case err == syscall.EAGAIN:
			if err = o.block(0); err == syscall.EAGAIN && o.n > 0 {
				return nil
			}
			return err
		case err != nil && o.n > 0:
			return nil
		case err != nil || m.Len() == 0 || n == 0:
			return err
		}
	}
}

// rest is what is left of the message's bytes, as an iov.
func (o *Op) rest() [][]byte {
	if len(o.message.Vector) == 0 {
		o.single[0] = o.message.Data
		return o.single[:]
	}
	return append([][]byte{o.message.Data}, o.message.Vector...)
}

// advance takes the first n bytes off the buffers of m.
func advance(m *core.Message, n int) {
	for n >= len(m.Data) && len(m.Vector) > 0 {
		n -= len(m.Data)
		m.Data, m.Vector = m.Vector[0], m.Vector[1:]
	}
	m.Data = m.Data[n:]
}

// Recvfrom is recvfrom(2): addr gets what fits of the source, addrlen is its full
// length, 0 where there is none.
func (p *Process) Recvfrom(fd int, b []byte, flags int, addr []byte) (n, addrlen int, err error) {
	o := p.takeOp()
	if !o.Recvfrom(fd, b, flags, addr) {
		o.wait()
	}
	addrlen = o.extra
	n, err = p.await(o, true)
	return n, addrlen, err
}

// Recvfrom begins Process.Recvfrom; AddrLen has the address's length.
func (o *Op) Recvfrom(fd int, b []byte, flags int, addr []byte) bool {
	o.reset()
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	o.name = addr
	return o.receiveOn(fd, d, s, o.vector(b), flags)
}

// Sendto is sendto(2); addr is empty for the peer.
func (p *Process) Sendto(fd int, b []byte, flags int, addr []byte) (int, error) {
	o := p.takeOp()
	return p.await(o, o.Sendto(fd, b, flags, addr))
}

// Sendto begins Process.Sendto.
func (o *Op) Sendto(fd int, b []byte, flags int, addr []byte) bool {
	o.reset()
	d, s, err := o.p.socket(fd)
	if err != nil {
		return o.fail(err)
	}
	if o.message.Addr, o.message.HasAddr, err = s.sendAddress(addr); err != nil {
		return o.fail(err)
	}
	return o.sendOn(fd, d, s, o.vector(b), flags)
}

// receiveOn begins a receive. What waits is the Op, so that the stack is asked for
// what there is.
func (o *Op) receiveOn(fd int, d *description, s *socket, iov [][]byte, flags int) bool {
	m := &o.message
	m.Data, m.Vector = pieces(iov)
	m.Flags = flags&^MSG_WAITALL | MSG_DONTWAIT
	o.socket, o.flags, o.nonblock = s, flags, flags&MSG_DONTWAIT != 0 || d.nonblock()
	if s.typ == SOCK_STREAM && flags&(MSG_OOB|MSG_ERRQUEUE) == 0 {
		o.target = min(int(s.shadow.lowat.Load()), m.Len())
		if flags&MSG_WAITALL != 0 {
			o.target = m.Len()
		}
	} else if flags&MSG_ERRQUEUE != 0 {
		o.nonblock = true // nobody waits for errors
	}
	o.wants(fd, d, core.ReadyIn)
	return o.begin((*Op).receive)
}

func (o *Op) receive() error {
	m, s := &o.message, o.socket.s
	peek := o.flags&MSG_PEEK != 0
	for {
		n, err := s.Receive(m)
		switch {
		case err == nil:
			if peek {
				o.n = n
			} else {
				o.n += n
			}
			if o.target == 0 || n == 0 || o.n >= o.target {
				return o.received()
			}
			if !peek {
				advance(m, n)
				continue
			}
			if r := s.Ready(); r&(core.ReadyRdHup|core.ReadyHup|core.ReadyPri|core.ReadyErr) != 0 {
				return o.received()
			}
		case err != syscall.EAGAIN:
			if o.n == 0 {
				return err
			}
			s.KeepError(err)
			return o.received()
		}
		if err = o.block(o.socket.receiveLimit()); err == errBlocked {
			if o.socket.typ == SOCK_DGRAM && s.Ready()&core.ReadyRdHup != 0 {
				return o.received()
			}
			return err
		}
		if o.n > 0 {
			return o.received()
		}
		return err
	}
}

// received gives back what a receive brought beside the bytes.
func (o *Op) received() error {
	m := &o.message
	if m.Arrival != 0 {
		o.socket.stamp.Store(int64(m.Arrival))
	}
	if m.HasAddr {
		o.extra = putSockAddr(o.name, o.socket.family, m.Addr)
	}
	if o.header != nil {
		o.fill(o.header)
	}
	return nil
}

// sendOn begins a send of o.message, whose address and control messages are set.
func (o *Op) sendOn(fd int, d *description, s *socket, iov [][]byte, flags int) bool {
	m := &o.message
	m.Data, m.Vector = pieces(iov)
	m.Flags = flags | MSG_DONTWAIT
	o.socket, o.flags, o.nonblock = s, flags, flags&MSG_DONTWAIT != 0 || d.nonblock()
	o.wants(fd, d, core.ReadyOut)
	return o.begin((*Op).send)
}

func (o *Op) send() error {
	m, s := &o.message, o.socket
	for {
		n, err := s.s.Send(m)
		if n > 0 {
			o.n += n
		}
		switch {
		case err == nil:
			if n >= m.Len() || s.typ != SOCK_STREAM {
				return nil
			}
			advance(m, n)
		case err != syscall.EAGAIN:
			if o.n == 0 {
				return err
			}
			s.s.KeepError(err)
			return nil
		}
		if err = o.block(s.sendLimit()); err == errBlocked {
			return err
		}
		if o.n > 0 {
			return nil
		}
		return err
	}
}
