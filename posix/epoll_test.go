package posix_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/posix"
)

// epoll makes an epoll instance that watches fd.
func (p *proc) epoll(fd int, events uint32) int {
	p.t.Helper()
	e, err := p.EpollCreate1(0)
	must(p.t, err)
	must(p.t, p.EpollCtl(e, posix.EPOLL_CTL_ADD, fd, &posix.EpollEvent{Events: events, Data: uint64(fd)}))
	return e
}

// gets checks what an epoll_wait that does not wait gives of one descriptor.
func (p *proc) gets(when string, e int, events uint32) {
	p.t.Helper()
	var ev [4]posix.EpollEvent
	n, err := p.EpollWait(e, ev[:], 0)
	must(p.t, err)
	if n == 0 && events == 0 || n == 1 && ev[0].Events == events {
		return
	}
	p.t.Errorf("%s: %d events, %#x; want %#x", when, n, ev[0].Events, events)
}

func TestLevelTriggeredEpollTellsUntilItIsRead(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		e := h.b.epoll(s, posix.EPOLLIN)
		h.b.gets("before", e, 0)
		h.a.write(c, "xy")
		h.sleep(time.Second)
		h.b.gets("with bytes", e, posix.EPOLLIN)
		h.b.reads(s, 1, "x")
		h.b.gets("half read", e, posix.EPOLLIN)
		h.b.reads(s, 1, "y")
		h.b.gets("read", e, 0)
	})
}

func TestEdgeTriggeredEpollTellsOfEveryArrival(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		e := h.b.epoll(s, posix.EPOLLIN|posix.EPOLLET)
		for _, x := range []string{"x", "y"} {
			h.a.write(c, x)
			h.sleep(time.Second)
			h.b.gets("arrival of "+x, e, posix.EPOLLIN)
			h.b.gets("again", e, 0)
		}
	})
}

func TestOneshotEpollTellsOnceUntilItIsArmed(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		e := h.b.epoll(s, posix.EPOLLIN|posix.EPOLLONESHOT)
		h.a.write(c, "x")
		h.sleep(time.Second)
		h.b.gets("first", e, posix.EPOLLIN)
		h.a.write(c, "y")
		h.sleep(time.Second)
		h.b.gets("second", e, 0)
		must(t, h.b.EpollCtl(e, posix.EPOLL_CTL_MOD, s, &posix.EpollEvent{Events: posix.EPOLLIN | posix.EPOLLONESHOT}))
		h.b.gets("armed again", e, posix.EPOLLIN)
	})
}

func TestEpollWaitWaits(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		e := h.b.epoll(s, posix.EPOLLIN|posix.EPOLLRDHUP)
		var ev [4]posix.EpollEvent
		start := h.Host.Now()
		n, err := h.b.EpollWait(e, ev[:], 3*time.Second)
		if n != 0 || err != nil || h.Host.Now().Sub(start) != 3*time.Second {
			t.Errorf("%d, %v after %v", n, err, h.Host.Now().Sub(start))
		}
		h.Go("closer", func() {
			h.sleep(time.Second)
			must(t, h.a.Close(c))
		})
		n, err = h.b.EpollWait(e, ev[:], -1)
		if n != 1 || err != nil || ev[0] != (posix.EpollEvent{Events: posix.EPOLLIN | posix.EPOLLRDHUP, Data: uint64(s)}) {
			t.Errorf("%d, %v, %+v", n, err, ev[0])
		}
	})
}

func TestEpollOfEpoll(t *testing.T) {
	run(t, func(h *programs) {
		c, s := h.connection(80)
		inner := h.b.epoll(s, posix.EPOLLIN)
		outer := h.b.epoll(inner, posix.EPOLLIN)
		h.b.gets("before", outer, 0)
		h.Go("writer", func() {
			h.sleep(time.Second)
			h.a.write(c, "x")
		})
		var ev [1]posix.EpollEvent
		n, err := h.b.EpollWait(outer, ev[:], -1)
		if n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		h.b.gets("inner", inner, posix.EPOLLIN)
		h.b.reads(s, 9, "x")
		h.b.gets("outer when read", outer, 0)
	})
}

func TestErrorsOfEpollCtl(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		s := p.socket(posix.SOCK_DGRAM)
		e := p.epoll(s, posix.EPOLLIN)
		ctl := func(what string, e, op, fd int, events uint32, errno error) {
			t.Helper()
			want(t, what, p.EpollCtl(e, op, fd, &posix.EpollEvent{Events: events}), errno)
		}
		ctl("again", e, posix.EPOLL_CTL_ADD, s, posix.EPOLLIN, syscall.EEXIST)
		ctl("itself", e, posix.EPOLL_CTL_ADD, e, posix.EPOLLIN, syscall.EINVAL)
		ctl("closed", e, posix.EPOLL_CTL_ADD, 77, posix.EPOLLIN, syscall.EBADF)
		ctl("no epoll", s, posix.EPOLL_CTL_ADD, e, posix.EPOLLIN, syscall.EINVAL)
		other := p.socket(posix.SOCK_DGRAM)
		ctl("change of none", e, posix.EPOLL_CTL_MOD, other, posix.EPOLLIN, syscall.ENOENT)
		ctl("end of none", e, posix.EPOLL_CTL_DEL, other, 0, syscall.ENOENT)
		ctl("no such operation", e, 9, other, 0, syscall.EINVAL)
		ctl("exclusive, others", e, posix.EPOLL_CTL_ADD, other, posix.EPOLLEXCLUSIVE|posix.EPOLLRDHUP, syscall.EINVAL)
		ctl("exclusive", e, posix.EPOLL_CTL_ADD, other, posix.EPOLLEXCLUSIVE|posix.EPOLLIN, nil)
		ctl("change of exclusive", e, posix.EPOLL_CTL_MOD, other, posix.EPOLLIN, syscall.EINVAL)
		outer := p.epoll(e, posix.EPOLLIN)
		ctl("a circle", e, posix.EPOLL_CTL_ADD, outer, posix.EPOLLIN, syscall.ELOOP)
		must(t, p.Close(s))
		ctl("of a closed one", e, posix.EPOLL_CTL_DEL, s, 0, syscall.EBADF)
	})
}

func TestEpollForgetsAClosedDescriptor(t *testing.T) {
	run(t, func(h *programs) {
		p := h.a
		s := p.socket(posix.SOCK_DGRAM)
		e := p.epoll(s, posix.EPOLLOUT)
		p.gets("open", e, posix.EPOLLOUT)
		copied, err := p.Dup(s)
		must(t, err)
		must(t, p.Close(s))
		p.gets("with a copy", e, posix.EPOLLOUT)
		must(t, p.Close(copied))
		p.gets("closed", e, 0)
	})
}
