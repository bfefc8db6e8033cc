//go:build cgo

package main

/*
#include "crossing.h"
*/
import "C"

import (
	"encoding/binary"
	"math"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"github.com/libos-go/libos/capi"
	"github.com/libos-go/libos/posix"
)

// call makes a system call, or begins one that may wait.
func (s *stack) call(c *C.struct_crossing) int64 {
	a := func(i int) int { return int(int32(c.a[i])) }
	zero := func(err error) int64 { return number(0, err) }
	switch c.fn {
	case C.FN_SOCKET:
		return number(s.Socket(a(0), a(1), a(2)))
	case C.FN_BIND:
		return zero(s.Bind(a(0), memory(c.p[0], int64(c.a[1]))))
	case C.FN_LISTEN:
		return zero(s.Listen(a(0), a(1)))
	case C.FN_SHUTDOWN:
		return zero(s.Shutdown(a(0), a(1)))
	case C.FN_GETSOCKNAME, C.FN_GETPEERNAME:
		get := s.Getsockname
		if c.fn == C.FN_GETPEERNAME {
			get = s.Getpeername
		}
		addr, length, err := address(c.p[0], c.p[1])
		if err == nil && length == nil {
			err = syscall.EFAULT
		}
		if err != nil {
			return zero(err)
		}
		n, err := get(a(0), addr)
		if err == nil {
			*length = uint32(n)
		}
		return zero(err)
	case C.FN_GETSOCKOPT:
		val, length, err := address(c.p[0], c.p[1])
		if err == nil && length == nil {
			err = syscall.EFAULT
		}
		if err != nil {
			return zero(err)
		}
		n, err := s.Getsockopt(a(0), a(1), a(2), val)
		if err == nil {
			*length = uint32(n)
		}
		return zero(err)
	case C.FN_SETSOCKOPT:
		return zero(s.Setsockopt(a(0), a(1), a(2), memory(c.p[0], int64(int32(c.a[3])))))
	case C.FN_FCNTL:
		return number(s.Fcntl(a(0), a(1), int(c.a[2])))
	case C.FN_IOCTL:
		return number(s.ioctl(a(0), uint(uint32(c.a[1])), c.p[0]))
	case C.FN_DUP:
		return number(s.Dup(a(0)))
	case C.FN_DUP3:
		return number(s.Dup3(a(0), a(1), a(2)))
	case C.FN_EPOLL_CREATE:
		return number(s.EpollCreate1(a(0)))
	case C.FN_EPOLL_CTL:
		var ev *posix.EpollEvent
		if c.p[0] != nil {
			ev = new(posix.EpollEvent)
			*ev = event((*C.struct_epoll_event)(c.p[0]))
		}
		return zero(s.EpollCtl(a(0), a(1), a(2), ev))
	case C.FN_PIPE:
		fds := memory(c.p[0], 8)
		if fds == nil {
			return zero(syscall.EFAULT)
		}
		r, w, err := s.Pipe2(a(0))
		if err == nil {
			binary.NativeEndian.PutUint32(fds, uint32(r))
			binary.NativeEndian.PutUint32(fds[4:], uint32(w))
		}
		return zero(err)
	case C.FN_EVENTFD:
		return number(s.Eventfd2(uint32(c.a[0]), a(1)))
	case C.FN_TIMER_CREATE:
		return number(s.TimerfdCreate(a(0), a(1)))
	case C.FN_TIMER_SET, C.FN_TIMER_GET:
		return zero(s.timer(c))
	}
	return s.begin(c)
}

// timer sets a timer, which tells what was set before, or tells what is set.
func (s *stack) timer(c *C.struct_crossing) error {
	fd, old := int(int32(c.a[0])), (*C.struct_itimerspec)(c.p[1])
	var was posix.Itimerspec
	var err error
	if c.fn == C.FN_TIMER_GET {
		if old == nil {
			return syscall.EFAULT
		}
		was, err = s.TimerfdGettime(fd)
	} else {
		v := (*C.struct_itimerspec)(c.p[0])
		if v == nil {
			return syscall.EFAULT
		}
		var set posix.Itimerspec
		if set.Value, err = span(v.it_value); err != nil {
			return err
		}
		if set.Interval, err = span(v.it_interval); err != nil {
			return err
		}
		was, err = s.TimerfdSettime(fd, int(int32(c.a[1])), set)
	}
	if err == nil && old != nil {
		old.it_value, old.it_interval = timespec(was.Value), timespec(was.Interval)
	}
	return err
}

// span is a struct timespec as a duration: the longest there is for a longer one.
func span(t C.struct_timespec) (time.Duration, error) {
	if t.tv_sec < 0 || t.tv_nsec < 0 || t.tv_nsec >= 1e9 {
		return 0, syscall.EINVAL
	}
	if t.tv_sec > C.time_t(math.MaxInt64/time.Second-1) {
		return math.MaxInt64, nil
	}
	return time.Duration(t.tv_sec)*time.Second + time.Duration(t.tv_nsec), nil
}

func timespec(d time.Duration) (t C.struct_timespec) {
	t.tv_sec = C.time_t(d / time.Second)
	*(*int64)(unsafe.Pointer(&t.tv_nsec)) = int64(d % time.Second)
	return t
}

// address is the memory of an address or a value whose length is at n; n may be NULL
// with p.
func address(p, n unsafe.Pointer) ([]byte, *uint32, error) {
	if n == nil {
		if p != nil {
			return nil, nil, syscall.EFAULT
		}
		return nil, nil, nil
	}
	length := (*uint32)(n)
	if int32(*length) < 0 {
		return nil, nil, syscall.EINVAL
	}
	return memory(p, int64(*length)), length, nil
}

// begin begins a call that may wait.
func (s *stack) begin(c *C.struct_crossing) int64 {
	x := s.Take()
	if x == nil {
		return -int64(syscall.ENOMEM)
	}
	done, err := s.first(c, x)
	if err != nil {
		s.Give(x)
		return -int64(capi.Errno(err))
	}
	return s.end(c, x, done)
}

// buffer is memory that must be there, at most what a call moves at once.
func buffer(p unsafe.Pointer, n C.int64_t) ([]byte, error) {
	if n < 0 {
		return nil, syscall.EINVAL
	}
	if p == nil && n > 0 {
		return nil, syscall.EFAULT
	}
	return memory(p, min(int64(n), 0x7ffff000)), nil
}

func (s *stack) first(c *C.struct_crossing, x *capi.Call) (done bool, err error) {
	fd, o := int(int32(c.a[0])), x.Op
	flags := int(int32(c.a[2]))
	switch c.fn {
	case C.FN_ACCEPT:
		addr, _, err := address(c.p[0], c.p[1])
		return err == nil && o.Accept4(fd, addr, int(int32(c.a[1]))), err
	case C.FN_CONNECT:
		return o.Connect(fd, memory(c.p[0], int64(c.a[1]))), nil
	case C.FN_CLOSEFD:
		return o.Close(fd), nil
	case C.FN_READ, C.FN_WRITE, C.FN_RECVFROM, C.FN_SENDTO:
		b, err := buffer(c.p[0], c.a[1])
		if err != nil {
			return false, err
		}
		switch c.fn {
		case C.FN_READ:
			return o.Read(fd, b), nil
		case C.FN_WRITE:
			return o.Write(fd, b), nil
		case C.FN_SENDTO:
			return o.Sendto(fd, b, flags, memory(c.p[1], int64(c.a[3]))), nil
		}
		addr, _, err := address(c.p[1], c.p[2])
		return err == nil && o.Recvfrom(fd, b, flags, addr), err
	case C.FN_RECVMMSG, C.FN_SENDMMSG:
		if err := headers(x, c.p[0], int64(c.a[1])); err != nil {
			return false, err
		}
		if c.fn == C.FN_SENDMMSG {
			return o.Sendmmsg(fd, x.Headers, flags), nil
		}
		timeout := time.Duration(-1)
		if t := (*C.struct_timespec)(c.p[1]); t != nil {
			if timeout, err = span(*t); err != nil {
				return false, err
			}
		}
		return o.Recvmmsg(fd, x.Headers, flags, timeout), nil
	case C.FN_READV, C.FN_WRITEV:
		x.Iov = x.Iov[:0]
		if err := pieces(x, c.p[0], int(int32(c.a[1]))); err != nil {
			return false, err
		}
		if c.fn == C.FN_READV {
			return o.Readv(fd, x.Iov), nil
		}
		return o.Writev(fd, x.Iov), nil
	case C.FN_RECVMSG, C.FN_SENDMSG:
		x.Iov = x.Iov[:0]
		if c.p[0] == nil {
			return false, syscall.EFAULT
		}
		if x.Header, err = header(x, (*C.struct_msghdr)(c.p[0])); err != nil {
			return false, err
		}
		if c.fn == C.FN_RECVMSG {
			return o.Recvmsg(fd, &x.Header, int(int32(c.a[1]))), nil
		}
		return o.Sendmsg(fd, &x.Header, int(int32(c.a[1]))), nil
	case C.FN_POLL:
		n := int64(c.a[0])
		if n < 0 || n > 1<<20 {
			return false, syscall.EINVAL
		}
		if c.p[0] == nil && n > 0 {
			return false, syscall.EFAULT
		}
		var fds []posix.PollFD
		if n > 0 {
			fds = unsafe.Slice((*posix.PollFD)(c.p[0]), n)
		}
		return o.Poll(fds, milliseconds(c.a[1])), nil
	case C.FN_EPOLL_WAIT:
		n := int(int32(c.a[1]))
		if n <= 0 {
			return false, syscall.EINVAL
		}
		if c.p[0] == nil {
			return false, syscall.EFAULT
		}
		if n = min(n, 1<<16); cap(x.Events) < n {
			x.Events = make([]posix.EpollEvent, n)
		}
		return o.EpollWait(fd, x.Events[:n], milliseconds(c.a[2])), nil
	case C.FN_SPLICE:
		return o.Splice(fd, (*int64)(c.p[0]), int(int32(c.a[1])), (*int64)(c.p[1]), int(min(c.a[2], 0x7ffff000)), int(int32(c.a[3]))), nil
	}
	return false, syscall.ENOSYS
}

func milliseconds(n C.int64_t) time.Duration {
	if n < 0 {
		return -1
	}
	return time.Duration(int32(n)) * time.Millisecond
}

// pieces adds n struct iovec to x.Iov.
func pieces(x *capi.Call, p unsafe.Pointer, n int) error {
	if n < 0 || n > 1024 {
		return syscall.EINVAL
	}
	if n == 0 {
		return nil
	}
	if p == nil {
		return syscall.EFAULT
	}
	for _, v := range unsafe.Slice((*C.struct_iovec)(p), n) {
		if v.iov_base == nil && v.iov_len > 0 {
			return syscall.EFAULT
		}
		x.Iov = append(x.Iov, memory(unsafe.Pointer(v.iov_base), int64(min(v.iov_len, 0x7ffff000))))
	}
	return nil
}

// header is a struct msghdr, whose pieces come behind what is in x.Iov.
func header(x *capi.Call, m *C.struct_msghdr) (h posix.Msghdr, err error) {
	if m.msg_iovlen > 1024 {
		return h, syscall.EMSGSIZE
	}
	from := len(x.Iov)
	if err := pieces(x, unsafe.Pointer(m.msg_iov), int(m.msg_iovlen)); err != nil {
		return h, err
	}
	return posix.Msghdr{Name: memory(m.msg_name, int64(m.msg_namelen)), Iov: x.Iov[from:len(x.Iov):len(x.Iov)],
		Control: memory(m.msg_control, int64(min(m.msg_controllen, 1<<20)))}, nil
}

// mostMessages is how many one call moves, as in Linux.
const mostMessages = 1024

// headers makes x.Headers of n struct mmsghdr.
func headers(x *capi.Call, p unsafe.Pointer, n int64) error {
	x.Headers, x.Iov = x.Headers[:0], x.Iov[:0]
	if n = min(n, mostMessages); n <= 0 {
		return nil
	}
	if p == nil {
		return syscall.EFAULT
	}
	for i := range unsafe.Slice((*C.struct_mmsghdr)(p), n) {
		m := (*C.struct_mmsghdr)(unsafe.Add(p, i*C.sizeof_struct_mmsghdr))
		h, err := header(x, &m.msg_hdr)
		if err != nil {
			return err
		}
		x.Headers = append(x.Headers, posix.Mmsghdr{Msghdr: h})
	}
	return nil
}

// putHeader copies what a receive says of a message.
func putHeader(m *C.struct_msghdr, h *posix.Msghdr) {
	m.msg_namelen = C.socklen_t(h.NameLen)
	m.msg_controllen = C.size_t(h.ControlLen)
	m.msg_flags = C.int(h.Flags)
}

// proceed goes on with a call that waited, or gives it up.
func (s *stack) proceed(c *C.struct_crossing) int64 {
	x := s.Waiting(int(c.number))
	if x == nil {
		c.blocked = 0
		return -int64(syscall.EINVAL)
	}
	if c.blocked == C.FN_CANCEL {
		x.Op.Cancel()
		s.Give(x)
		c.blocked = 0
		if c.fn == C.FN_CONNECT {
			return -int64(syscall.EINPROGRESS)
		}
		return -int64(syscall.EAGAIN)
	}
	return s.end(c, x, x.Op.Continue())
}

// end copies the results of a call that is done to where C wants them.
func (s *stack) end(c *C.struct_crossing, x *capi.Call, done bool) int64 {
	if !done {
		c.number, c.blocked = C.int32_t(x.Number), 1
		return -int64(syscall.EAGAIN)
	}
	c.blocked = 0
	n, err := x.Op.Result()
	if err == nil {
		s.results(c, x, n)
	}
	s.Give(x)
	return number(n, err)
}

func (s *stack) results(c *C.struct_crossing, x *capi.Call, n int) {
	switch c.fn {
	case C.FN_ACCEPT:
		putLength(c.p[1], x.Op.AddrLen())
	case C.FN_RECVFROM:
		putLength(c.p[2], x.Op.AddrLen())
	case C.FN_RECVMSG:
		putHeader((*C.struct_msghdr)(c.p[0]), &x.Header)
	case C.FN_RECVMMSG, C.FN_SENDMMSG:
		for i := range n {
			m := (*C.struct_mmsghdr)(unsafe.Add(c.p[0], i*C.sizeof_struct_mmsghdr))
			*(*uint32)(unsafe.Pointer(&m.msg_len)) = uint32(x.Headers[i].Len)
			if c.fn == C.FN_RECVMMSG {
				putHeader(&m.msg_hdr, &x.Headers[i].Msghdr)
			}
		}
	case C.FN_EPOLL_WAIT:
		for i := range n {
			at := memory(unsafe.Add(c.p[0], i*C.sizeof_struct_epoll_event), C.sizeof_struct_epoll_event)
			binary.NativeEndian.PutUint32(at, x.Events[i].Events)
			binary.NativeEndian.PutUint64(at[eventData():], x.Events[i].Data)
		}
	}
}

func putLength(p unsafe.Pointer, n int) {
	if p != nil {
		*(*uint32)(p) = uint32(n)
	}
}

// eventData is where the data of a struct epoll_event are: it is packed on amd64.
func eventData() int {
	if runtime.GOARCH == "amd64" {
		return 4
	}
	return 8
}

func event(e *C.struct_epoll_event) posix.EpollEvent {
	b := memory(unsafe.Pointer(e), C.sizeof_struct_epoll_event)
	return posix.EpollEvent{Events: binary.NativeEndian.Uint32(b), Data: binary.NativeEndian.Uint64(b[eventData():])}
}
