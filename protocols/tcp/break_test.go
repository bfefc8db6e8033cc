package tcp_test

import (
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
)

func TestABrokenConnectionIsResetAndItsProgramTold(t *testing.T) {
	p := newPair(t, pipe.Config{})
	p.Do(func() {
		l, err := p.b.Listen("tcp6", "["+addrB6+"]:80")
		p.check(err)
		c, err := p.a.Dial("tcp6", "["+addrB6+"]:80")
		p.check(err)
		s, err := l.Accept()
		p.check(err)
		breakAll := func(in *core.Instance) {
			in.Domain().Do(func() {
				for _, e := range in.SocketEntries() {
					p.check(e.Break())
				}
			})
		}
		breakAll(p.a)
		p.check(p.a.Sleep(time.Second))
		for _, x := range []struct {
			c    io.Reader
			want syscall.Errno
		}{{c, syscall.ECONNABORTED}, {s, syscall.ECONNRESET}} {
			if _, err := x.c.Read(make([]byte, 1)); !errors.Is(err, x.want) {
				t.Errorf("a read fails with %v, want %v", err, x.want)
			}
		}
		p.check(s.Close())
		breakAll(p.b)
		if _, err := l.Accept(); err == nil {
			t.Error("a broken socket listens")
		}
		if _, err := p.a.Dial("tcp6", "["+addrB6+"]:80"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a connection to a broken socket: %v", err)
		}
		p.check(c.Close())
		p.check(l.Close())
	})
}
