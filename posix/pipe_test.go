package posix_test

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/posix"
)

func TestAPipeCarriesBytes(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		r, w, err := p.Pipe2(0)
		must(t, err)
		h.Go("writer", func() {
			h.sleep(time.Second)
			p.write(w, "abc")
			h.sleep(time.Second)
			must(t, p.Close(w))
		})
		p.reads(r, 2, "ab")
		p.reads(r, 2, "c")
		p.reads(r, 2, "")
	})
}

func TestAPipeHoldsSixteenPages(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		r, w, err := p.Pipe2(posix.O_NONBLOCK)
		must(t, err)
		_, err = p.Read(r, make([]byte, 1))
		want(t, "read of an empty one", err, syscall.EAGAIN)
		n, err := p.Write(w, make([]byte, 70000))
		if n != 65536 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		_, err = p.Write(w, []byte("x"))
		want(t, "write to a full one", err, syscall.EAGAIN)
		if e := p.revents(w, posix.POLLOUT); e != 0 {
			t.Errorf("full: %#x", e)
		}
		p.reads(r, 4095, string(make([]byte, 4095)))
		if e := p.revents(w, posix.POLLOUT); e != 0 {
			t.Errorf("full but for a part of a page: %#x", e)
		}
		p.reads(r, 1, "\x00")
		if e := p.revents(w, posix.POLLOUT); e != posix.POLLOUT {
			t.Errorf("with room: %#x", e)
		}
	})
}

func TestAWriterOfAFullPipeWaits(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		r, w, err := p.Pipe2(0)
		must(t, err)
		data := bytes.Repeat([]byte("0123456789"), 30000)
		h.Go("writer", func() {
			p.write(w, string(data))
			must(t, p.Close(w))
		})
		var got []byte
		b := make([]byte, 5000)
		for {
			n, err := p.Read(r, b)
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

func TestEndsOfAPipe(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		r, w, err := p.Pipe2(0)
		must(t, err)
		must(t, p.Close(r))
		_, err = p.Write(w, []byte("x"))
		want(t, "write without a reader", err, syscall.EPIPE)
		if e := p.revents(w, posix.POLLOUT); e != posix.POLLOUT|posix.POLLERR {
			t.Errorf("writer: %#x", e)
		}
		r, w, err = p.Pipe2(0)
		must(t, err)
		must(t, p.Close(w))
		if e := p.revents(r, posix.POLLIN); e != posix.POLLHUP {
			t.Errorf("reader: %#x", e)
		}
	})
}
