package core

import (
	"syscall"
)

// bulkCopy is the size from which user bytes are copied outside the lock.
const bulkCopy = 4096

// Send sends m as sendmsg(2) does and returns the bytes taken.
func (s *Socket) Send(m *Message) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	return s.send(m)
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
	if s.typ == SockStream {
		return s.sendStream(m)
	}
	var pt patience
	for {
		if err := s.expired(ReadyOut); err != nil {
			return 0, err
		}
		n, err := s.endpoint.Send(m)
		switch err {
		case errPending:
			err = s.waitAlways(ReadyIn | ReadyOut)
		case syscall.EAGAIN:
			err = s.wait(ReadyOut, m.Flags, &pt)
		default:
			return n, err
		}
		if err != nil {
			return 0, err
		}
	}
}

// sendStream sends all of m, waiting for room as it goes. One writer at a time
// holds the stream, so that concurrent writes do not interleave.
func (s *Socket) sendStream(m *Message) (sent int, err error) {
	var pt patience
	for s.sending {
		if err := s.wait(ReadyOut, m.Flags, &pt); err != nil {
			return 0, err
		}
	}
	s.sending = true
	defer func() {
		s.sending = false
		s.Wake(ReadyOut)
	}()
	data, vector, empty := m.Data, m.Vector, m.Len() == 0
	m.Vector = nil
	for i := -1; i < len(vector); i++ {
		b := data
		if i >= 0 {
			b = vector[i]
		}
		for first := true; len(b) > 0 || first && i < 0 && empty; first = false {
			if err := s.expired(ReadyOut); err != nil {
				return sent, err
			}
			m.Data = b
			n, err := s.sendSome(m)
			sent += n
			b = b[n:]
			if err == syscall.EAGAIN {
				err = s.wait(ReadyOut, m.Flags, &pt)
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

func (s *Socket) sendSome(m *Message) (int, error) {
	bulk, ok := s.endpoint.(BulkEndpoint)
	if !ok || len(m.Data) <= bulkCopy || m.Flags&MsgOOB != 0 {
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
	return n, bulk.Commit(r, n)
}
