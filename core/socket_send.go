package core

import (
	"syscall"
)

// bulkCopy is the size from which user bytes are copied outside the lock.
const bulkCopy = 4096

// Send sends m as sendmsg(2) does and returns the bytes taken. What stopped a
// stream in the middle is told by the next call.
func (s *Socket) Send(m *Message) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	return s.sendKept(m)
}

// SendLocked is Send inside an entry, without waiting: for several sockets in one.
func (s *Socket) SendLocked(m *Message) (int, error) {
	if s.closed {
		return 0, syscall.EBADF
	}
	flags := m.Flags
	m.Flags |= MsgDontWait
	n, err := s.sendKept(m)
	m.Flags = flags
	return n, err
}

// sendKept sends; an error after some bytes is told by the next call.
func (s *Socket) sendKept(m *Message) (int, error) {
	n, err := s.send(m)
	if n > 0 && err != nil {
		s.keepError(err)
		err = nil
	}
	return n, err
}

// keepError gives back a pending error that a call took but could not report,
// because it had moved bytes before.
func (s *Socket) keepError(err error) {
	if e, ok := err.(syscall.Errno); ok && !s.closed && s.err == 0 && e != syscall.EPIPE && e != syscall.EAGAIN {
		s.err = uint16(e)
	}
}

// write is Send of b alone, to an address if that is given.
func (s *Socket) write(b []byte, to *SockAddr) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	m := s.instance.domain.takeMessage()
	m.Data, m.Flags = b, MsgNoSignal
	if to != nil {
		m.Addr, m.HasAddr = *to, true
	}
	n, err := s.send(m)
	s.instance.domain.giveMessage(m)
	return n, err
}

// send is Send inside an entry.
func (s *Socket) send(m *Message) (int, error) {
	if _, messages := s.endpoint.(*datagramEndpoint); s.typ == SockStream && !messages {
		return s.sendStream(m)
	}
	var pt patience
	mine := false
	for {
		if err := s.expired(ReadyOut); err != nil {
			return 0, err
		}
		s.resuming = mine
		n, err := s.endpoint.Send(m)
		err = s.settle(err, &mine)
		if err == errPending {
			continue
		}
		if err != syscall.EAGAIN {
			return n, err
		}
		if err := s.wait(ReadyOut, m.Flags, &pt); err != nil {
			return 0, err
		}
	}
}

// sendStream sends all of m, waiting for room as it goes. One writer at a time
// holds the stream, so that concurrent writes do not interleave.
func (s *Socket) sendStream(m *Message) (sent int, err error) {
	var pt patience
	for s.sending {
		s.contended = true
		if err := s.wait(ReadyOut, m.Flags, &pt); err != nil {
			return 0, err
		}
	}
	s.sending = true
	data, vector, flags := m.Data, m.Vector, m.Flags
	defer func() {
		s.sending = false
		m.Data, m.Vector, m.Flags = data, vector, flags
		s.yield()
	}()
	m.Vector = nil
	last := len(vector) - 1 // of the pieces that have bytes; -1 is data
	for last >= 0 && len(vector[last]) == 0 {
		last--
	}
	for i := -1; i <= last; i++ {
		b := data
		if i >= 0 {
			b = vector[i]
		}
		if len(b) == 0 && i < last {
			continue
		}
		m.Flags = flags
		if i < last { // the urgent byte is the last of all; segments span pieces
			m.Flags = flags&^MsgOOB | MsgMore
		}
		for {
			if err := s.expired(ReadyOut); err != nil {
				return sent, err
			}
			m.Data = b
			n, err := s.sendSome(m)
			sent += n
			b = b[n:]
			if err == syscall.EAGAIN {
				err = s.wait(ReadyOut, flags, &pt)
			}
			if err != nil {
				if sent > 0 && err == syscall.EAGAIN {
					return sent, nil
				}
				return sent, err
			}
			if len(b) == 0 {
				break
			}
		}
	}
	return sent, nil
}

// yield wakes the calls that found the stream taken. Nobody else hears of it: to
// those who watch the socket nothing has come.
func (s *Socket) yield() {
	if s.contended {
		s.contended = false
		s.Wake(ReadyIn | ReadyOut)
	}
}

func (s *Socket) sendSome(m *Message) (int, error) {
	bulk, ok := s.endpoint.(BulkEndpoint)
	if !ok || len(m.Data) <= bulkCopy || m.Flags&(MsgOOB|MsgMore) != 0 || m.zeros != nil {
		return s.endpoint.Send(m)
	}
	d := s.instance.domain
	r := d.takeReservation()
	defer d.giveReservation(r)
	if err := bulk.Reserve(len(m.Data), r); err != nil {
		return 0, err
	}
	d.leave()
	n := 0
	for i := range r.Pieces[:r.N] {
		f := &r.Pieces[i]
		n += copy(f.Page.Data[f.Off:f.Off+f.Len], m.Data[n:])
	}
	d.enter()
	err := bulk.Commit(r, n)
	if err != nil {
		n = 0
		if s.closed {
			err = syscall.EBADF
		}
	}
	return n, err
}
