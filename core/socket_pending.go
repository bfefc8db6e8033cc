package core

import "errors"

// An operation of a socket may be under way in another process when an endpoint
// returns. A socket has one such operation at a time, and it belongs to the call
// that began it: only that call, made again, takes its result.
var (
	errPending = errors.New("the call's own operation is under way")
	errBusy    = errors.New("another call's operation is under way")
)

// attempt runs f, which calls the endpoint, until the operations that it begins
// have ended. It waits for them on a non-blocking socket also, whatever the
// deadlines: they are only on their way. Inside an entry.
func (s *Socket) attempt(f func() error) error {
	mine := false
	for {
		s.resuming = mine
		err := f()
		if err = s.settle(err, &mine); err != errPending {
			return err
		}
	}
}

// settle ends one attempt of a call. It returns errPending when the call is to
// be made again, with resuming set to mine; otherwise err is the call's.
func (s *Socket) settle(err error, mine *bool) error {
	s.resuming = false
	if err != errPending && err != errBusy {
		if *mine {
			s.abandon()
		}
		return err
	}
	*mine = err == errPending
	if err := s.parkOnly(ReadyIn|ReadyOut, 0); err != nil {
		if *mine {
			s.abandon()
		}
		return err
	}
	return errPending
}

// abandon forgets an operation whose call does not take its result.
func (s *Socket) abandon() {
	if e, ok := s.endpoint.(*datagramEndpoint); ok && e.pending != nil {
		e.pending = nil
		s.Wake(ReadyIn | ReadyOut)
	}
}
