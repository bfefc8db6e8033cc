package core

import (
	"syscall"
)

// Receive receives into m as recvmsg(2) does and returns the bytes; 0 on a
// stream is its end.
func (s *Socket) Receive(m *Message) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	return s.receive(m)
}

// ReceiveSome is Receive without waiting, and tells whether another call has something
// to tell: bytes, a datagram, an end or an error. A caller that watches the socket need
// not call again before the next event otherwise.
func (s *Socket) ReceiveSome(m *Message) (n int, more bool, err error) {
	s.instance.domain.enter()
	defer s.leave()
	return s.ReceiveSomeLocked(m)
}

// ReceiveSomeLocked is ReceiveSome inside an entry: of several sockets in one.
func (s *Socket) ReceiveSomeLocked(m *Message) (n int, more bool, err error) {
	if s.closed {
		return 0, true, syscall.EBADF
	}
	flags := m.Flags
	m.Flags |= MsgDontWait
	n, err = s.receive(m)
	m.Flags = flags
	return n, s.closed || s.readyLocked()&(ReadyIn|ReadyErr|ReadyHup) != 0, err
}

// read is Receive into b alone; it tells where a datagram came from.
func (s *Socket) read(b []byte) (n int, from SockAddr, err error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, from, err
	}
	m := s.instance.domain.takeMessage()
	m.Data = b
	n, err = s.receive(m)
	from = m.Addr
	s.instance.domain.giveMessage(m)
	return n, from, err
}

// receive is Receive inside an entry. A stream gives what there is as soon as
// that is SO_RCVLOWAT, or all of m with MSG_WAITALL; its end, an error and the
// call's limits end it with less.
func (s *Socket) receive(m *Message) (int, error) {
	if m.Flags&MsgErrQueue != 0 { // nobody waits for errors (net/ipv4/ip_sockglue.c, ip_recv_error)
		if e := s.errorQueueOf(); e != nil {
			return e.receiveError(m)
		}
		return 0, syscall.EAGAIN
	}
	var pt patience
	for s.reading {
		s.contended = true
		if err := s.wait(ReadyIn, m.Flags, &pt); err != nil {
			return 0, err
		}
	}
	if s.typ == SockStream && m.Flags&MsgOOB == 0 {
		if m.Flags&MsgWaitAll != 0 {
			return s.receiveStream(m, m.Len(), &pt)
		}
		if low := int(s.options.ReceiveLowat); low > 1 {
			return s.receiveStream(m, min(low, m.Len()), &pt)
		}
	}
	for {
		if err := s.expired(ReadyIn); err != nil {
			return 0, err
		}
		n, err := s.receiveSome(m)
		if err == syscall.EAGAIN {
			if err = s.wait(ReadyIn, m.Flags, &pt); err == nil {
				continue
			}
			return 0, err
		}
		return n, err
	}
}

// receiveStream receives at least the first target bytes of m. What ends it
// after some bytes is told by the next call (net/ipv4/tcp.c,
// tcp_recvmsg_locked).
func (s *Socket) receiveStream(m *Message, target int, pt *patience) (got int, err error) {
	data, vector := m.Data, m.Vector
	defer func() { m.Data, m.Vector = data, vector }()
	peek := m.Flags&MsgPeek != 0
	for {
		if err = s.expired(ReadyIn); err == nil {
			var n int
			n, err = s.receiveSome(m)
			if err != nil && err != syscall.EAGAIN && got > 0 {
				s.keepError(err)
			}
			if peek && err == nil {
				got = n
			} else {
				got += n
				m.advance(n)
			}
			if err == nil {
				if n == 0 || got >= target || s.closed || peek && s.complete() {
					return got, nil
				}
				if !peek {
					continue
				}
				err = syscall.EAGAIN
			}
		}
		if err == syscall.EAGAIN {
			if err = s.wait(ReadyIn, m.Flags, pt); err == nil {
				continue
			}
		}
		if got > 0 {
			err = nil
		}
		return got, err
	}
}

// complete tells whether a peek saw all that a wait could bring before
// something else is to be told: the end, an error, the urgent byte.
func (s *Socket) complete() bool {
	return s.err != 0 || s.endpoint.Ready()&(ReadyRdHup|ReadyHup|ReadyPri) != 0
}

func (s *Socket) receiveSome(m *Message) (int, error) {
	bulk, ok := s.endpoint.(BulkEndpoint)
	if !ok || s.instance.domain.exact || len(m.Data) <= bulkCopy || m.Flags&(MsgOOB|MsgPeek|MsgTrunc) != 0 || len(m.Vector) > 0 {
		return s.endpoint.Receive(m)
	}
	d := s.instance.domain
	r := d.takeReservation()
	defer d.giveReservation(r)
	if err := bulk.Take(len(m.Data), r); err != nil || r.Bytes == 0 {
		return 0, err
	}
	outside := r.Bytes > bulkCopy
	if outside {
		s.reading = true
		d.leave()
	}
	n := 0
	for i := range r.Pieces[:r.N] {
		n += copy(m.Data[n:], r.Pieces[i].Bytes())
	}
	if outside {
		d.enter()
		s.reading = false
	}
	bulk.Done(r)
	if outside {
		s.yield()
	}
	return n, nil
}
