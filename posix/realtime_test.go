package posix_test

import (
	"bytes"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

// Any number of goroutines use one Process in real time: servers behind one epoll
// instance, clients that write much, pipes between them, descriptors that come and
// go.
func TestGoroutinesShareAProcess(t *testing.T) {
	r := coretest.New(t, host.NewRealTime())
	p := newProc(t, r.Instance("a", libos.Wiring()))
	l := p.listener(80)
	const clients, size = 4, 200_000
	var all sync.WaitGroup
	all.Go(func() { serve(t, p, l, clients) })
	for i := range clients {
		all.Go(func() {
			c := p.socket(posix.SOCK_STREAM)
			must(t, p.Connect(c, sockaddr("127.0.0.1", 80)))
			data := bytes.Repeat([]byte{byte('a' + i)}, size)
			all.Go(func() {
				n, err := p.Write(c, data)
				if n != size || err != nil {
					t.Errorf("client %d wrote %d bytes, %v", i, n, err)
				}
				must(t, p.Shutdown(c, posix.SHUT_WR))
			})
			r, w, err := p.Pipe2(0)
			must(t, err)
			all.Go(func() { // what comes back goes through a pipe
				for {
					n, err := p.Splice(c, nil, w, nil, 1<<16, 0)
					must(t, err)
					if n == 0 {
						break
					}
				}
				must(t, p.Close(w))
			})
			got := 0
			b := make([]byte, 30_000)
			for {
				n, err := p.Read(r, b)
				must(t, err)
				if n == 0 {
					break
				}
				if !bytes.Equal(b[:n], data[:n]) {
					t.Errorf("client %d got another's bytes", i)
				}
				got += n
			}
			if got != size {
				t.Errorf("client %d got %d bytes of %d", i, got, size)
			}
			must(t, p.Close(r))
			must(t, p.Close(c))
		})
	}
	all.Go(func() {
		for range 200 {
			fd, err := p.Dup(l)
			must(t, err)
			must(t, p.Close(fd))
		}
	})
	all.Wait()
	must(t, p.CloseAll())
}

// serve echoes what n connections send.
func serve(t *testing.T, p *proc, l, n int) {
	e := p.epoll(l, posix.EPOLLIN)
	ev := make([]posix.EpollEvent, 8)
	b := make([]byte, 20_000)
	for over := 0; over < n; {
		k, err := p.EpollWait(e, ev, -1)
		if err != nil {
			t.Errorf("epoll_wait: %v", err)
			return
		}
		for _, x := range ev[:k] {
			fd := int(x.Data)
			if fd == l {
				s, _, err := p.Accept4(l, nil, 0)
				must(t, err)
				must(t, p.EpollCtl(e, posix.EPOLL_CTL_ADD, s, &posix.EpollEvent{Events: posix.EPOLLIN, Data: uint64(s)}))
				continue
			}
			got, err := p.Read(fd, b)
			must(t, err)
			if got == 0 {
				must(t, p.Close(fd))
				over++
				continue
			}
			_, err = p.Write(fd, b[:got])
			must(t, err)
		}
	}
}

// The clock of a real-time host bounds waits as well.
func TestTimeoutsInRealTime(t *testing.T) {
	r := coretest.New(t, host.NewRealTime(), coretest.Release())
	p := newProc(t, r.Instance("a", libos.Wiring()))
	rd, w, err := p.Pipe2(0)
	must(t, err)
	start := r.Host.Now()
	f := []posix.PollFD{{FD: int32(rd), Events: posix.POLLIN}}
	if n, err := p.Poll(f, 5*time.Millisecond); n != 0 || err != nil || r.Host.Now().Sub(start) < 5*time.Millisecond {
		t.Errorf("poll: %d, %v after %v", n, err, r.Host.Now().Sub(start))
	}
	p.write(w, "x")
	p.reads(rd, 9, "x")
	must(t, p.CloseAll())
}

// What nobody uses is small.
func TestAnIdleProcessIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(posix.Process{}); n > 256 {
		t.Errorf("a Process is %d bytes", n)
	}
}
