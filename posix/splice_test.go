package posix_test

import (
	"bytes"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/posix"
)

// memory is a file of bytes.
type memory struct{ b []byte }

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	if at >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(b, m.b[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	if need := at + int64(len(b)); need > int64(len(m.b)) {
		m.b = append(m.b, make([]byte, need-int64(len(m.b)))...)
	}
	return copy(m.b[at:], b), nil
}

func (m *memory) Size() (int64, error) { return int64(len(m.b)), nil }

func (m *memory) Close() error { return nil }

func TestAFileHasAPosition(t *testing.T) {
	run(t, func(h *programs) {
		p, m := h.a, &memory{}
		f := p.Install(m)
		p.write(f, "hello world")
		at, err := p.Lseek(f, -5, posix.SEEK_CUR)
		if at != 6 || err != nil {
			t.Errorf("lseek: %d, %v", at, err)
		}
		p.reads(f, 100, "world")
		p.reads(f, 100, "")
		log, err := p.InstallFlags(m, posix.O_WRONLY|posix.O_APPEND)
		must(t, err)
		p.write(log, "!")
		if string(m.b) != "hello world!" {
			t.Errorf("%q", m.b)
		}
		_, err = p.Read(log, make([]byte, 1))
		want(t, "read", err, syscall.EBADF)
		if e := p.revents(f, posix.POLLIN|posix.POLLOUT); e != posix.POLLIN|posix.POLLOUT {
			t.Errorf("poll: %#x", e)
		}
		e, err := p.EpollCreate1(0)
		must(t, err)
		want(t, "epoll of a file", p.EpollCtl(e, posix.EPOLL_CTL_ADD, f, &posix.EpollEvent{}), syscall.EPERM)
	})
}

func TestSendfile(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		data := bytes.Repeat([]byte("0123456789"), 50_000)
		f := h.a.Install(&memory{data})
		h.Go("sender", func() {
			n, err := h.a.Sendfile(c, f, nil, 1<<30)
			if n != len(data) || err != nil {
				t.Errorf("sendfile: %d, %v", n, err)
			}
			at := int64(3)
			n, err = h.a.Sendfile(c, f, &at, 4)
			if n != 4 || err != nil || at != 7 {
				t.Errorf("sendfile: %d, %v, at %d", n, err, at)
			}
			must(t, h.a.Close(c))
		})
		var got []byte
		b := make([]byte, 9999)
		for {
			n, err := h.b.Read(s, b)
			must(t, err)
			if n == 0 {
				break
			}
			got = append(got, b[:n]...)
		}
		if !bytes.Equal(got, append(data[:len(data):len(data)], "3456"...)) {
			t.Errorf("%d bytes came", len(got))
		}
	})
}

// A relay moves what a socket gives through a pipe into another socket.
func TestSpliceFromSocketToSocket(t *testing.T) {
	run(t, func(h *programs) {
		c1, s1 := h.connection(80)
		c2, s2 := h.connection(81)
		data := bytes.Repeat([]byte("abcdefghij"), 40_000)
		h.Go("writer", func() {
			h.a.write(c1, string(data))
			must(t, h.a.Close(c1))
		})
		h.Go("relay", func() {
			r, w, err := h.b.Pipe2(0)
			must(t, err)
			for {
				n, err := h.b.Splice(s1, nil, w, nil, 1<<20, 0)
				must(t, err)
				if n == 0 {
					break
				}
				for n > 0 {
					k, err := h.b.Splice(r, nil, s2, nil, n, posix.SPLICE_F_MORE)
					must(t, err)
					n -= k
				}
			}
			must(t, h.b.Close(s2))
		})
		var got []byte
		b := make([]byte, 9999)
		for {
			n, err := h.a.Read(c2, b)
			must(t, err)
			if n == 0 {
				break
			}
			got = append(got, b[:n]...)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes came of %d", len(got), len(data))
		}
	})
}

func TestTeeSharesAndSpliceMoves(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		r1, w1, err := p.Pipe2(0)
		must(t, err)
		r2, w2, err := p.Pipe2(0)
		must(t, err)
		p.write(w1, "shared")
		n, err := p.Tee(r1, w2, 4, 0)
		if n != 4 || err != nil {
			t.Errorf("tee: %d, %v", n, err)
		}
		p.write(w1, "+1")
		p.write(w2, "+2")
		p.reads(r2, 99, "shar+2")
		n, err = p.Splice(r1, nil, w2, nil, 3, 0)
		if n != 3 || err != nil {
			t.Errorf("splice: %d, %v", n, err)
		}
		p.reads(r2, 99, "sha")
		p.reads(r1, 99, "red+1")
		_, err = p.Splice(r1, nil, w2, nil, 3, posix.SPLICE_F_NONBLOCK)
		want(t, "splice of an empty pipe", err, syscall.EAGAIN)
		_, err = p.Splice(r1, nil, w1, nil, 3, 0)
		want(t, "splice of a pipe to itself", err, syscall.EINVAL)
		at := int64(0)
		_, err = p.Splice(r1, &at, w2, nil, 3, 0)
		want(t, "splice with an offset of a pipe", err, syscall.ESPIPE)
		_, err = p.Splice(p.socket(posix.SOCK_STREAM), nil, p.socket(posix.SOCK_STREAM), nil, 3, 0)
		want(t, "splice without a pipe", err, syscall.EINVAL)
	})
}

func TestEventfd(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		e, err := p.Eventfd2(0, 0)
		must(t, err)
		h.Go("writer", func() {
			h.sleep(time.Second)
			p.write(e, "\x02\x00\x00\x00\x00\x00\x00\x00")
			p.write(e, "\x03\x00\x00\x00\x00\x00\x00\x00")
		})
		b := make([]byte, 8)
		n, err := p.Read(e, b)
		if n != 8 || err != nil || b[0] != 5 && b[0] != 2 {
			t.Errorf("%d, %v, % x", n, err, b)
		}
		_, err = p.Read(e, b[:7])
		want(t, "short read", err, syscall.EINVAL)
		s, err := p.Eventfd2(2, posix.EFD_SEMAPHORE|posix.EFD_NONBLOCK)
		must(t, err)
		for range 2 {
			p.reads(s, 8, "\x01\x00\x00\x00\x00\x00\x00\x00")
		}
		_, err = p.Read(s, b)
		want(t, "read of 0", err, syscall.EAGAIN)
		_, err = p.Write(s, bytes.Repeat([]byte{255}, 8))
		want(t, "write of the largest", err, syscall.EINVAL)
	})
}

func TestTimerfd(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		f, err := p.TimerfdCreate(posix.CLOCK_MONOTONIC, 0)
		must(t, err)
		_, err = p.TimerfdSettime(f, 0, posix.Itimerspec{Value: 3 * time.Second, Interval: time.Second})
		must(t, err)
		start := h.Host.Now()
		p.reads(f, 8, "\x01\x00\x00\x00\x00\x00\x00\x00")
		if d := h.Host.Now().Sub(start); d != 3*time.Second {
			t.Errorf("after %v", d)
		}
		h.sleep(3500 * time.Millisecond)
		v, err := p.TimerfdGettime(f)
		if v != (posix.Itimerspec{Value: 500 * time.Millisecond, Interval: time.Second}) || err != nil {
			t.Errorf("%+v, %v", v, err)
		}
		p.reads(f, 8, "\x03\x00\x00\x00\x00\x00\x00\x00")
		at := time.Duration(h.Host.WallNow().Add(time.Minute).UnixNano())
		r, err := p.TimerfdCreate(posix.CLOCK_REALTIME, posix.TFD_NONBLOCK)
		must(t, err)
		_, err = p.TimerfdSettime(r, posix.TFD_TIMER_ABSTIME, posix.Itimerspec{Value: at})
		must(t, err)
		_, err = p.Read(r, make([]byte, 8))
		want(t, "read too early", err, syscall.EAGAIN)
		e := p.epoll(r, posix.EPOLLIN)
		var ev [1]posix.EpollEvent
		start = h.Host.Now()
		n, err := p.EpollWait(e, ev[:], -1)
		if d := h.Host.Now().Sub(start); n != 1 || err != nil || d != time.Minute {
			t.Errorf("%d, %v after %v", n, err, d)
		}
	})
}
