package core

import (
	"io"
)

// WriteZeros is Write of n zero bytes that nobody has to hold: a TCP connection sends
// references to a page of the Domain, so that they take neither memory nor copying.
func (c *Conn) WriteZeros(n int) (sent int, err error) {
	for sent < n && err == nil {
		var k int
		k, err = c.s.writeZeros(n - sent)
		sent += k
	}
	if err != nil {
		return sent, c.fail("write", "write", err)
	}
	return sent, nil
}

// writeZeros sends a page full at most.
func (s *Socket) writeZeros(n int) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	d := s.instance.domain
	m := d.takeMessage()
	m.zeros, m.Flags = d.pool.Zeros(), MsgNoSignal
	m.Data = m.zeros.Data[:min(n, len(m.zeros.Data))]
	n, err := s.send(m)
	d.giveMessage(m)
	return n, err
}

// discardCopy is the size of reads that Discard cannot spare.
const discardCopy = 4 << 10

// Discard is Read of up to n bytes that are thrown away: io.EOF is the end of the
// stream. A TCP connection drops them where they are (MSG_TRUNC of tcp(7)).
func (c *Conn) Discard(n int) (int, error) {
	if _, stream := c.s.endpoint.(BulkEndpoint); !stream {
		return c.Read(make([]byte, min(n, discardCopy)))
	}
	k, err := c.s.discard(n)
	if err != nil {
		return k, c.fail("read", "read", err)
	}
	if k == 0 && n > 0 {
		return 0, io.EOF
	}
	return k, nil
}

// discard drops a page full at most.
func (s *Socket) discard(n int) (int, error) {
	defer s.leave()
	if err := s.enter(); err != nil {
		return 0, err
	}
	d := s.instance.domain
	m := d.takeMessage()
	zeros := d.pool.Zeros().Data // only its length counts
	m.Data, m.Flags = zeros[:min(n, len(zeros))], MsgTrunc
	n, err := s.receive(m)
	d.giveMessage(m)
	return n, err
}
