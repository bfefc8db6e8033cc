//go:build linux && (amd64 || arm64)

package guest

import (
	"time"

	"golang.org/x/sys/unix"
)

// writeNative is a send on a connection with an address, which TCP has no use for
// (tcp_sendmsg_locked, net/ipv4/tcp.c) and the kernel refuses of the pair: the bytes go
// where native sends put them, behind those of earlier ones. It closes end.
func (r *request) writeNative(end int, iov []piece, flags int) {
	data, err := r.gather(cut(iov, maxStreamCall), maxStreamCall) // the caller sends the rest by another
	if err != nil {
		_ = unix.Close(end)
		_ = r.fail(err)
		return
	}
	n, err := sendBytes(end, data)
	if n == len(data) || err != unix.EAGAIN || flags&unix.MSG_DONTWAIT != 0 || nonblocking(end) {
		_ = unix.Close(end)
		r.wrote(n, err, flags)
		return
	}
	w := *r
	r.p.waiting.Go(func() {
		defer unix.Close(end)
		for err == unix.EAGAIN && w.l.Waiting(&w.c) {
			room := []unix.PollFd{{Fd: int32(end), Events: unix.POLLOUT}}
			_, _ = unix.Poll(room, int(stillThere/time.Millisecond))
			var k int
			k, err = sendBytes(end, data[n:])
			n += k
		}
		w.wrote(n, err, flags)
	})
}

// carries tells whether the pair of a stream carries what its program writes.
func (s *socket) carries() bool {
	if !s.stream() {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == open
}

// sendBytes writes what a pair has room for: EAGAIN with less than all of it.
func sendBytes(end int, b []byte) (n int, err error) {
	for {
		k, err := sendSome(end, b[n:])
		n += k
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// wrote answers a send that moved n bytes before err.
func (r *request) wrote(n int, err error, flags int) {
	if n > 0 {
		err = nil
	}
	if err == unix.EPIPE && flags&unix.MSG_NOSIGNAL == 0 {
		r.signalPipe()
	}
	_ = r.done(n, err)
}

// cut is the first limit bytes of the pieces.
func cut(iov []piece, limit uint64) (first []piece) {
	for _, p := range iov {
		p.length = min(p.length, limit)
		first, limit = append(first, p), limit-p.length
	}
	return first
}
