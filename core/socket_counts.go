package core

// SocketCounts are what passed a datagram socket: user bytes, without headers.
type SocketCounts struct {
	Sent, SentBytes         uint64 // taken by the protocol
	Received, ReceivedBytes uint64 // put into the receive queue
	Dropped                 uint64 // the receive queue was full, or shut
}

// CountLocked has the messages of the socket counted from now on, and returns
// the counts, which belong to the Domain. It is nil for sockets whose protocol
// keeps counts of its own (TCP_INFO). Inside an entry.
func (s *Socket) CountLocked() *SocketCounts {
	e, ok := s.endpoint.(*datagramEndpoint)
	if !ok {
		return nil
	}
	if e.counts == nil {
		e.counts = new(SocketCounts)
	}
	return e.counts
}

// ClosedLocked tells whether the socket was closed. Inside an entry; in a
// function given to OnReady it is true once before the endpoint is closed.
func (s *Socket) ClosedLocked() bool { return s.closed }
