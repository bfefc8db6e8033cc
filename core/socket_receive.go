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

// receive is Receive inside an entry.
func (s *Socket) receive(m *Message) (int, error) {
	got := 0
	var pt patience
	for s.reading {
		if err := s.wait(ReadyIn, m.Flags, &pt); err != nil {
			return 0, err
		}
	}
	for {
		if err := s.expired(ReadyIn); err != nil {
			return got, err
		}
		n, err := s.receiveSome(m)
		if err == nil {
			got += n
			if m.Flags&MsgWaitAll == 0 || s.typ != SockStream || n == 0 || m.Flags&MsgPeek != 0 || n >= m.Len() {
				return got, nil
			}
			m.Data = m.Data[n:]
			continue
		}
		if err != syscall.EAGAIN {
			if got > 0 {
				return got, nil
			}
			return 0, err
		}
		if err := s.wait(ReadyIn, m.Flags, &pt); err != nil {
			if got > 0 {
				return got, nil
			}
			return 0, err
		}
	}
}

func (s *Socket) receiveSome(m *Message) (int, error) {
	bulk, ok := s.endpoint.(BulkEndpoint)
	if !ok || len(m.Data) <= bulkCopy || m.Flags&(MsgOOB|MsgPeek|MsgTrunc) != 0 || len(m.Vector) > 0 {
		return s.endpoint.Receive(m)
	}
	d := s.instance.domain
	r := d.takeReservation()
	defer d.giveReservation(r)
	if err := bulk.Take(len(m.Data), r); err != nil || r.Bytes == 0 {
		return 0, err
	}
	s.reading = true
	d.leave()
	n := 0
	for i := range r.Pieces[:r.N] {
		n += copy(m.Data[n:], r.Pieces[i].Bytes())
	}
	d.enter()
	s.reading = false
	bulk.Done(r)
	if s.waiters != nil {
		s.Wake(ReadyIn)
	}
	return n, nil
}
