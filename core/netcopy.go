package core

import (
	"io"
	"syscall"
)

// WriteTo implements io.WriterTo, so that io.Copy from the connection hands w the
// received pages themselves: nothing is copied between, and no buffer is held
// while nothing comes. Meanwhile other readers of the connection wait.
func (c *Conn) WriteTo(w io.Writer) (n int64, err error) {
	bulk, ok := c.s.endpoint.(BulkEndpoint)
	if !ok || c.s.instance.domain.exact { // whose writes must not show how pages lie
		return io.Copy(w, struct{ io.Reader }{c})
	}
	for {
		r, err := c.s.take(bulk)
		if err != nil {
			return n, c.fail("read", "read", err)
		}
		if r == nil {
			return n, nil
		}
		k, err := c.s.pass(bulk, r, w)
		n += k
		if err != nil {
			return n, err
		}
	}
}

// copyAtOnce is how many bytes WriteTo takes off the receive queue at a time.
const copyAtOnce = 64 << 10

// take waits for bytes and takes them off the receive queue; nil at the end of
// the stream. No other reader gets on until pass.
func (s *Socket) take(bulk BulkEndpoint) (*Reservation, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return nil, err
	}
	var pt patience
	for {
		err := s.expired(ReadyIn)
		if err == nil && s.reading {
			err = syscall.EAGAIN
		}
		if err == nil {
			r := s.instance.domain.takeReservation()
			if err = bulk.Take(copyAtOnce, r); err == nil && r.Bytes > 0 {
				s.reading = true
				return r, nil
			}
			s.instance.domain.giveReservation(r)
			if err == nil {
				return nil, nil
			}
		}
		if err == syscall.EAGAIN {
			err = s.wait(ReadyIn, 0, &pt)
		}
		if err != nil {
			return nil, err
		}
	}
}

// pass writes what take took and gives its pages back.
func (s *Socket) pass(bulk BulkEndpoint, r *Reservation, w io.Writer) (n int64, err error) {
	defer s.instance.domain.Do(func() {
		s.reading = false
		bulk.Done(r)
		s.instance.domain.giveReservation(r)
		s.Wake(ReadyIn)
	})
	for i := range r.Pieces[:r.N] {
		b := r.Pieces[i].Bytes()
		k, err := w.Write(b)
		n += int64(k)
		if err == nil && k < len(b) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
