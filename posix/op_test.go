package posix_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

// A caller that never parks: what a C program does between its calls is the loop of
// the virtual host here.
func (h *programs) drive(o *posix.Op, called *int, most time.Duration) {
	h.T.Helper()
	for end := h.Host.Now().Add(most); !o.Done() && h.Host.Now() < end; {
		before := *called
		h.Advance(time.Millisecond)
		if *called != before {
			o.Continue()
		}
	}
}

func TestAWriteGoesOnWhereItStopped(t *testing.T) {
	h := newPrograms(t)
	var c, s int
	h.Do(func() { c, s = h.connection(80) })
	called := 0
	o := h.a.NewOp(func() { called++ })
	data := make([]byte, 1<<20)
	if o.Write(c, data) {
		t.Fatal("a megabyte found room at once")
	}
	pending, deadline := o.Pending()
	if len(pending) != 1 || pending[0] != (posix.Interest{FD: c, Events: posix.POLLOUT}) || deadline != core.Never {
		t.Errorf("waits for %v until %v", pending, deadline)
	}
	got := 0
	h.Go("reader", func() {
		b := make([]byte, 1<<16)
		for got < len(data) {
			n, err := h.b.Read(s, b)
			must(t, err)
			got += n
		}
	})
	h.drive(o, &called, time.Minute)
	if n, err := o.Result(); n != len(data) || err != nil || !o.Done() {
		t.Errorf("%d, %v", n, err)
	}
	h.Advance(time.Second)
	if got != len(data) {
		t.Errorf("%d bytes came", got)
	}
}

func TestWaitsOfACallerThatDoesNotPark(t *testing.T) {
	h := newPrograms(t)
	var l int
	h.Do(func() { l = h.b.listener(80) })
	called := 0
	o := h.a.NewOp(func() { called++ })
	c := h.a.socket(posix.SOCK_STREAM)
	if o.Connect(c, sockaddr(addrB, 80)) {
		t.Fatal("connected at once")
	}
	h.drive(o, &called, time.Second)
	if _, err := o.Result(); err != nil || !o.Done() {
		t.Fatal(err)
	}
	h.Advance(10 * time.Millisecond) // the last acknowledgement is under way
	accept := h.b.NewOp(func() {})
	if !accept.Accept4(l, nil, 0) {
		t.Fatal("nobody to accept")
	}
	start := h.Host.Now()
	f := []posix.PollFD{{FD: int32(c), Events: posix.POLLIN}}
	if o.Poll(f, 3*time.Second) {
		t.Fatal("poll found something")
	}
	if _, deadline := o.Pending(); deadline != start.Add(3*time.Second) {
		t.Errorf("until %v", deadline)
	}
	h.drive(o, &called, time.Minute)
	if n, err := o.Result(); n != 0 || err != nil || h.Host.Now() < start.Add(3*time.Second) {
		t.Errorf("%d, %v at %v", n, err, h.Host.Now())
	}
	if o.Read(c, make([]byte, 1)) {
		t.Fatal("read found something")
	}
	o.Cancel()
	before := called
	s, _ := accept.Result()
	h.Do(func() { h.b.write(s, "x") })
	h.Advance(time.Second)
	if called != before {
		t.Error("a call that was given up was told")
	}
	if !o.Read(c, make([]byte, 1)) {
		t.Error("nothing to read")
	}
}

func TestABlockingCallOutsideOfATaskSaysWhy(t *testing.T) {
	h := newPrograms(t)
	r, _, err := h.a.Pipe2(0)
	must(t, err)
	_, err = h.a.Read(r, make([]byte, 1))
	if err == nil || err == syscall.EAGAIN {
		t.Errorf("%v", err)
	}
}
