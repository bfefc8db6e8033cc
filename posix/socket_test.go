package posix_test

import (
	"bytes"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/posix"
)

func TestAConnectionCarriesBytesBothWays(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		h.a.write(c, "question")
		h.b.reads(s, 100, "question")
		h.b.write(s, "answer")
		h.a.reads(c, 100, "answer")
		must(t, h.a.Shutdown(c, posix.SHUT_WR))
		h.b.reads(s, 100, "")
	})
}

func TestNamesOfAConnection(t *testing.T) {
	run(t, func(h *programs) {
		l := h.b.listener(80)
		c := h.a.socket(posix.SOCK_STREAM)
		must(t, h.a.Bind(c, sockaddr(addrA, 4000)))
		must(t, h.a.Connect(c, sockaddr(addrB, 80)))
		var name [28]byte
		_, n, err := h.b.Accept4(l, name[:4], 0)
		if err != nil || n != 16 || !bytes.Equal(name[:5], append(sockaddr(addrA, 4000)[:4], 0)) {
			t.Errorf("accept: %v, name of %d bytes: % x", err, n, name[:5])
		}
		n, err = h.a.Getpeername(c, name[:])
		if err != nil || !bytes.Equal(name[:n], sockaddr(addrB, 80)) {
			t.Errorf("getpeername: % x, %v", name[:n], err)
		}
		n, err = h.a.Getsockname(c, name[:])
		if err != nil || !bytes.Equal(name[:n], sockaddr(addrA, 4000)) {
			t.Errorf("getsockname: % x, %v", name[:n], err)
		}
	})
}

func TestABlockingWriteWritesAll(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		data := strings.Repeat("0123456789", 500_000)
		h.Go("writer", func() {
			h.a.write(c, data)
			must(t, h.a.Close(c))
		})
		var got bytes.Buffer
		b := make([]byte, 70_000)
		for {
			n, err := h.b.Read(s, b)
			must(t, err)
			if n == 0 {
				break
			}
			got.Write(b[:n])
		}
		if got.String() != data {
			t.Errorf("%d bytes came of %d", got.Len(), len(data))
		}
	})
}

func TestANonblockingConnectEndsByPoll(t *testing.T) {
	run(t, func(h *programs) {
		h.b.listener(80)
		c := h.a.socket(posix.SOCK_STREAM | posix.SOCK_NONBLOCK)
		want(t, "connect", h.a.Connect(c, sockaddr(addrB, 80)), syscall.EINPROGRESS)
		want(t, "connect", h.a.Connect(c, sockaddr(addrB, 80)), syscall.EALREADY)
		f := []posix.PollFD{{FD: int32(c), Events: posix.POLLOUT}}
		if n, err := h.a.Poll(f, time.Second); n != 1 || err != nil || f[0].Revents != posix.POLLOUT {
			t.Errorf("poll: %d, %v, %#x", n, err, f[0].Revents)
		}
		want(t, "connect", h.a.Connect(c, sockaddr(addrB, 80)), nil)
		want(t, "connect", h.a.Connect(c, sockaddr(addrB, 80)), syscall.EISCONN)
	})
}

func TestARefusedConnect(t *testing.T) {
	run(t, func(h *programs) {
		c := h.a.socket(posix.SOCK_STREAM)
		want(t, "connect", h.a.Connect(c, sockaddr(addrB, 81)), syscall.ECONNREFUSED)
	})
}

func TestACloseWakesWhoReads(t *testing.T) {
	run(t, func(h *programs) {
		c, _ := h.connection(80)
		over := false
		h.Go("reader", func() {
			_, err := h.a.Read(c, make([]byte, 1))
			want(t, "read", err, syscall.EBADF)
			over = true
		})
		h.sleep(time.Second)
		must(t, h.a.Close(c))
		h.sleep(time.Second)
		if !over {
			t.Error("the reader waits still")
		}
	})
}

func TestReceiveTimeout(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		must(t, h.a.Setsockopt(c, 1, 20, []byte{2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}))
		start := h.Host.Now()
		_, err := h.a.Read(c, make([]byte, 1))
		want(t, "read", err, syscall.EAGAIN)
		if d := h.Host.Now().Sub(start); d != 2*time.Second {
			t.Errorf("it took %v", d)
		}
		h.b.write(s, "ab")
		b := make([]byte, 10)
		n, _, err := h.a.Recvfrom(c, b, posix.MSG_WAITALL, nil)
		if n != 2 || err != nil {
			t.Errorf("what came within the time: %d, %v", n, err)
		}
	})
}

func TestWaitAllWaitsForAll(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		h.Go("writer", func() {
			for _, x := range []string{"ab", "cd", "ef"} {
				h.sleep(time.Second)
				h.a.write(c, x)
			}
		})
		b := make([]byte, 5)
		n, _, err := h.b.Recvfrom(s, b, posix.MSG_WAITALL|posix.MSG_PEEK, nil)
		if n != 5 || err != nil {
			t.Errorf("peek: %d, %v", n, err)
		}
		n, _, err = h.b.Recvfrom(s, b, posix.MSG_WAITALL, nil)
		if n != 5 || err != nil || string(b) != "abcde" {
			t.Errorf("%d, %v, %q", n, err, b)
		}
	})
}

func TestDatagrams(t *testing.T) {
	run(t, func(h *programs) {
		s := h.b.socket(posix.SOCK_DGRAM)
		must(t, h.b.Bind(s, sockaddr(addrB, 53)))
		c := h.a.socket(posix.SOCK_DGRAM)
		must(t, h.a.Bind(c, sockaddr(addrA, 5000)))
		_, err := h.a.Sendto(c, []byte("query"), 0, sockaddr(addrB, 53))
		must(t, err)
		b, name := make([]byte, 3), make([]byte, 28)
		n, l, err := h.b.Recvfrom(s, b, posix.MSG_TRUNC, name)
		if n != 5 || err != nil || !bytes.Equal(name[:l], sockaddr(addrA, 5000)) {
			t.Errorf("%d, %v, from % x", n, err, name[:l])
		}
		h.b.write(h.b.connected(s, sockaddr(addrA, 5000)), "x")
		h.a.reads(c, 9, "x")
	})
}

// connected connects fd to addr and returns it.
func (p *proc) connected(fd int, addr []byte) int {
	p.t.Helper()
	must(p.t, p.Connect(fd, addr))
	return fd
}

func TestErrorsOfCalls(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		tcp, udp := p.socket(posix.SOCK_STREAM), p.socket(posix.SOCK_DGRAM)
		r, w, err := p.Pipe2(0)
		must(t, err)
		b := make([]byte, 8)
		for what, c := range map[string]struct {
			got  func() error
			want error
		}{
			"read of no descriptor":     {func() error { _, err := p.Read(99, b); return err }, syscall.EBADF},
			"write of a negative one":   {func() error { _, err := p.Write(-1, b); return err }, syscall.EBADF},
			"write to a pipe's reader":  {func() error { _, err := p.Write(r, b); return err }, syscall.EBADF},
			"read of a pipe's writer":   {func() error { _, err := p.Read(w, b); return err }, syscall.EBADF},
			"bind of a pipe":            {func() error { return p.Bind(r, sockaddr(addrA, 1)) }, syscall.ENOTSOCK},
			"bind, short":               {func() error { return p.Bind(tcp, sockaddr(addrA, 1)[:8]) }, syscall.EINVAL},
			"bind, other family":        {func() error { return p.Bind(tcp, sockaddr(addrA6, 1)) }, syscall.EAFNOSUPPORT},
			"bind to another's address": {func() error { return p.Bind(tcp, sockaddr(addrB, 1)) }, syscall.EADDRNOTAVAIL},
			"connect, other family":     {func() error { return p.Connect(tcp, sockaddr(addrA6, 1)) }, syscall.EAFNOSUPPORT},
			"connect, one byte":         {func() error { return p.Connect(tcp, []byte{2}) }, syscall.EINVAL},
			"listen of a datagram":      {func() error { return p.Listen(udp, 1) }, syscall.EOPNOTSUPP},
			"accept of a datagram":      {func() error { _, _, err := p.Accept4(udp, nil, 0); return err }, syscall.EOPNOTSUPP},
			"accept without listen":     {func() error { _, _, err := p.Accept4(tcp, nil, 0); return err }, syscall.EINVAL},
			"accept, flags":             {func() error { _, _, err := p.Accept4(tcp, nil, 1); return err }, syscall.EINVAL},
			"getpeername":               {func() error { _, err := p.Getpeername(tcp, b); return err }, syscall.ENOTCONN},
			"shutdown":                  {func() error { return p.Shutdown(tcp, 0) }, syscall.ENOTCONN},
			"shutdown, how":             {func() error { return p.Shutdown(tcp, 3) }, syscall.EINVAL},
			"send unconnected":          {func() error { _, err := p.Sendto(udp, b, 0, nil); return err }, syscall.EDESTADDRREQ},
			"send on a fresh stream":    {func() error { _, err := p.Sendto(tcp, b, 0, nil); return err }, syscall.EPIPE},
			"receive on a fresh stream": {func() error { _, err := p.Read(tcp, b); return err }, syscall.ENOTCONN},
			"socket, type":              {func() error { _, err := p.Socket(2, 77, 0); return err }, syscall.EINVAL},
			"socket, family":            {func() error { _, err := p.Socket(99, 1, 0); return err }, syscall.EAFNOSUPPORT},
			"socket, protocol":          {func() error { _, err := p.Socket(2, 1, 17); return err }, syscall.EPROTONOSUPPORT},
			"option unknown":            {func() error { _, err := p.Getsockopt(tcp, 1, 9999, b); return err }, syscall.ENOPROTOOPT},
			"ioctl unknown":             {func() error { _, err := p.Ioctl(r, 0x9999, b); return err }, syscall.ENOTTY},
			"dup2 to nowhere":           {func() error { _, err := p.Dup2(tcp, -1); return err }, syscall.EBADF},
			"dup3 to itself":            {func() error { _, err := p.Dup3(tcp, tcp, 0); return err }, syscall.EINVAL},
			"fcntl unknown":             {func() error { _, err := p.Fcntl(tcp, 12345, 0); return err }, syscall.EINVAL},
		} {
			want(t, what, c.got(), c.want)
		}
	})
}

func TestDescriptorsAreTheLowestFree(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		for i := range 4 {
			if fd := p.socket(posix.SOCK_DGRAM); fd != i {
				t.Fatalf("descriptor %d, want %d", fd, i)
			}
		}
		must(t, p.Close(1))
		must(t, p.Close(0))
		fd, err := p.Dup(3)
		if fd != 0 || err != nil {
			t.Errorf("dup: %d, %v", fd, err)
		}
		fd, err = p.Fcntl(3, posix.F_DUPFD_CLOEXEC, 2)
		if fd != 4 || err != nil {
			t.Errorf("F_DUPFD from 2 on: %d, %v", fd, err)
		}
		if v, _ := p.Fcntl(4, posix.F_GETFD, 0); v != posix.FD_CLOEXEC {
			t.Errorf("F_GETFD: %d", v)
		}
		if fd := p.socket(posix.SOCK_DGRAM); fd != 1 {
			t.Errorf("descriptor %d, want 1", fd)
		}
		fd, err = p.Dup2(3, 1)
		if fd != 1 || err != nil {
			t.Errorf("dup2: %d, %v", fd, err)
		}
		_, err = p.Fcntl(3, posix.F_SETFL, posix.O_NONBLOCK)
		must(t, err)
		if v, _ := p.Fcntl(1, posix.F_GETFL, 0); v != posix.O_RDWR|posix.O_NONBLOCK {
			t.Errorf("flags of a copy: %#o", v)
		}
	})
}
