package posix_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

func TestManyMessagesInOneCall(t *testing.T) {
	run(t, func(h *programs) {
		a, b := h.a.socket(posix.SOCK_DGRAM), h.b.socket(posix.SOCK_DGRAM)
		must(t, h.b.Bind(b, sockaddr(addrB, 53)))
		var out [5]posix.Mmsghdr
		for i := range out {
			out[i].Name = sockaddr(addrB, 53)
			out[i].Iov = [][]byte{[]byte("number "), {byte('0' + i)}}
		}
		n, err := h.a.Sendmmsg(a, out[:], 0)
		if n != 5 || err != nil || out[3].Len != 8 {
			t.Errorf("sendmmsg: %d, %v, %d bytes", n, err, out[3].Len)
		}
		in := make([]posix.Mmsghdr, 8)
		for i := range in {
			in[i].Iov = [][]byte{make([]byte, 7), make([]byte, 7)}
		}
		h.sleep(time.Second)
		n, err = h.b.Recvmmsg(b, in, posix.MSG_WAITFORONE, -1)
		if n != 5 || err != nil {
			t.Fatalf("recvmmsg: %d, %v", n, err)
		}
		for i, m := range in[:n] {
			if m.Len != 8 || m.Iov[1][0] != byte('0'+i) {
				t.Errorf("message %d: %d bytes, %q", i, m.Len, m.Iov)
			}
		}
		n, err = h.a.Sendmmsg(a, out[:], 0)
		if n != 5 || err != nil {
			t.Errorf("sendmmsg: %d, %v", n, err)
		}
		h.sleep(time.Second)
		for range 5 { // a timeout of nothing ends it after each
			if n, err = h.b.Recvmmsg(b, in, 0, 0); n != 1 || err != nil {
				t.Fatalf("recvmmsg without time: %d, %v", n, err)
			}
		}
		_, err = h.b.Recvmmsg(b, in, posix.MSG_DONTWAIT, -1)
		want(t, "recvmmsg of none", err, syscall.EAGAIN)
		out[0].Name = nil
		_, err = h.a.Sendmmsg(a, out[:], 0)
		want(t, "sendmmsg to nobody", err, syscall.EDESTADDRREQ)
		out[0].Name, out[2].Name = sockaddr(addrB, 53), nil
		n, err = h.a.Sendmmsg(a, out[:], 0)
		if n != 2 || err != nil {
			t.Errorf("sendmmsg of two good ones: %d, %v", n, err)
		}
	})
}

func TestSelect(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		h.Go("writer", func() {
			h.sleep(time.Second)
			h.a.write(c, "x")
		})
		r, w := make(posix.FDSet, 1), make(posix.FDSet, 1)
		r.Set(s)
		n, err := h.b.Select(s+1, r, nil, nil, 10*time.Second)
		if n != 1 || err != nil || !r.Has(s) {
			t.Errorf("%d, %v, %#x", n, err, r)
		}
		h.b.reads(s, 9, "x")
		w.Set(s)
		n, err = h.b.Select(s+1, r, w, nil, 0)
		if n != 1 || err != nil || r.Has(s) || !w.Has(s) {
			t.Errorf("%d, %v, %#x, %#x", n, err, r, w)
		}
		start := h.Host.Now()
		r.Set(s)
		n, err = h.b.Select(s+1, r, nil, nil, 2*time.Second)
		if d := h.Host.Now().Sub(start); n != 0 || err != nil || r.Has(s) || d != 2*time.Second {
			t.Errorf("%d, %v, %#x after %v", n, err, r, d)
		}
		r.Set(60)
		_, err = h.b.Select(64, r, nil, nil, 0)
		want(t, "a closed descriptor", err, syscall.EBADF)
	})
}

// close(2) waits with SO_LINGER, on a non-blocking socket also, and the descriptor
// is free meanwhile.
func TestACloseLingers(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		must(t, h.a.Setsockopt(c, core.SolSocket, core.SoLinger, []byte{1, 0, 0, 0, 3, 0, 0, 0}))
		_, err := h.a.Fcntl(c, posix.F_SETFL, posix.O_NONBLOCK)
		must(t, err)
		for err == nil { // until the peer's window is full
			_, err = h.a.Write(c, make([]byte, 65536))
			h.sleep(10 * time.Millisecond)
		}
		start := h.Host.Now()
		h.Go("other", func() {
			h.sleep(time.Second)
			if fd := h.a.socket(posix.SOCK_DGRAM); fd != c {
				t.Errorf("descriptor %d, want %d", fd, c)
			}
		})
		must(t, h.a.Close(c))
		if d := h.Host.Now().Sub(start); d != 3*time.Second {
			t.Errorf("the close took %v", d)
		}
		c, s2 := h.connection(81)
		must(t, h.a.Setsockopt(c, core.SolSocket, core.SoLinger, []byte{1, 0, 0, 0, 30, 0, 0, 0}))
		h.a.write(c, "x")
		start = h.Host.Now()
		must(t, h.a.Close(c))
		if d := h.Host.Now().Sub(start); d > time.Second {
			t.Errorf("the close of what is acknowledged at once took %v", d)
		}
		h.b.reads(s2, 9, "x")
		must(t, h.b.Close(s))
	})
}

func TestTheSavedSyn(t *testing.T) {
	run(t, func(h *programs) {
		l := h.b.listener(80)
		must(t, h.b.Setsockopt(l, core.SolTCP, 27, []byte{1, 0, 0, 0}))
		c := h.a.socket(posix.SOCK_STREAM)
		must(t, h.a.Bind(c, sockaddr(addrA, 4000)))
		must(t, h.a.Connect(c, sockaddr(addrB, 80)))
		s, _, err := h.b.Accept4(l, nil, 0)
		must(t, err)
		b := make([]byte, 200)
		_, err = h.b.Getsockopt(s, core.SolTCP, 28, b[:10])
		want(t, "a short buffer", err, syscall.EINVAL)
		n, err := h.b.Getsockopt(s, core.SolTCP, 28, b)
		if err != nil || n != 60 || fmt.Sprintf("%x", b[:1]) != "45" || fmt.Sprintf("%x", b[12:24]) != "0a0000010a0000020fa00050" || b[33] != 2 {
			t.Errorf("%d bytes, %v: % x", n, err, b[:max(n, 0)])
		}
		n, err = h.b.Getsockopt(s, core.SolTCP, 28, b)
		if n != 0 || err != nil {
			t.Errorf("the second time: %d, %v", n, err)
		}
	})
}

// TCP_NOTSENT_LOWAT: a writer is not ahead of the network by more than that.
func TestNotsentLowat(t *testing.T) {
	run(t, func(h *programs) {
		c, _ := h.connection(80)
		must(t, h.a.Setsockopt(c, core.SolTCP, 25, []byte{1, 0, 0, 0}))
		_, err := h.a.Fcntl(c, posix.F_SETFL, posix.O_NONBLOCK)
		must(t, err)
		h.a.write(c, string(make([]byte, 16000))) // more than the first window
		if e := h.a.revents(c, posix.POLLOUT); e != 0 {
			t.Errorf("with unsent bytes: %#x", e)
		}
		_, err = h.a.Write(c, []byte("x"))
		want(t, "write with unsent bytes", err, syscall.EAGAIN)
		f := []posix.PollFD{{FD: int32(c), Events: posix.POLLOUT}}
		if n, err := h.a.Poll(f, time.Second); n != 1 || err != nil {
			t.Errorf("poll: %d, %v", n, err)
		}
		h.a.write(c, "x")
	})
}

func TestReceiveTimestampsOfBothWidths(t *testing.T) {
	run(t, func(h *programs) {
		s, c := h.b.socket(posix.SOCK_DGRAM), h.a.socket(posix.SOCK_DGRAM)
		must(t, h.b.Bind(s, sockaddr(addrB, 53)))
		must(t, h.a.Connect(c, sockaddr(addrB, 53)))
		_, err := h.b.Ioctl(s, posix.SIOCGSTAMP, make([]byte, 16))
		want(t, "SIOCGSTAMP before there was one", err, syscall.ENOENT)
		for _, name := range []int{29, 35, 63, 64} {
			must(t, h.b.Setsockopt(s, core.SolSocket, name, []byte{1, 0, 0, 0}))
			h.a.write(c, "x")
			m := &posix.Msghdr{Iov: [][]byte{make([]byte, 1)}, Control: make([]byte, 64)}
			_, err := h.b.Recvmsg(s, m, 0)
			must(t, err)
			x, _, ok := core.NextControl(m.Control[:m.ControlLen])
			if !ok || x.Level != core.SolSocket || x.Name != name || len(x.Data) != 16 {
				t.Errorf("option %d: %+v", name, x)
			}
			stamp := make([]byte, 16)
			_, err = h.b.Ioctl(s, posix.SIOCGSTAMPNS, stamp)
			must(t, err)
			if name == 35 && string(stamp) != string(x.Data) {
				t.Errorf("SIOCGSTAMPNS: % x, the control message % x", stamp, x.Data)
			}
		}
	})
}
