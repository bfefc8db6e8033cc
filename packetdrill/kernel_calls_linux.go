//go:build amd64 || arm64

package packetdrill

import (
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelCalls makes the system calls of a script on the kernel. The addresses and
// options are bytes, as the script's structs make them.
type kernelCalls struct {
	opened sync.Mutex
	open   map[int]bool // to be closed in the end
}

func (k *kernelCalls) note(fd int) int {
	k.opened.Lock()
	k.open[fd] = true
	k.opened.Unlock()
	return fd
}

// wakeAll ends calls that wait on sockets.
func (k *kernelCalls) wakeAll() {
	k.opened.Lock()
	defer k.opened.Unlock()
	for fd := range k.open {
		_ = unix.Shutdown(fd, unix.SHUT_RDWR)
	}
}

func (k *kernelCalls) closeAll() {
	k.opened.Lock()
	defer k.opened.Unlock()
	for fd := range k.open {
		_ = unix.Close(fd)
	}
	clear(k.open)
}

// base is the address of the first byte, nil without one.
func base(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Pointer(&b[0])
}

// sys makes a call again while signals interrupt it.
func sys(number uintptr, a ...uintptr) (int, error) {
	var v [6]uintptr
	copy(v[:], a)
	for {
		r, _, e := unix.Syscall6(number, v[0], v[1], v[2], v[3], v[4], v[5])
		switch {
		case e == unix.EINTR:
		case e != 0:
			return -1, e
		default:
			return int(r), nil
		}
	}
}

func (k *kernelCalls) Socket(family, typ, protocol int) (int, error) {
	fd, err := unix.Socket(family, typ, protocol)
	if err != nil {
		return -1, err
	}
	return k.note(fd), nil
}

func (k *kernelCalls) Bind(fd int, addr []byte) error {
	_, _, e := unix.Syscall(unix.SYS_BIND, uintptr(fd), uintptr(base(addr)), uintptr(len(addr)))
	return errnoOrNil(e)
}

func errnoOrNil(e syscall.Errno) error {
	if e != 0 {
		return e
	}
	return nil
}

func (k *kernelCalls) Listen(fd, backlog int) error { return unix.Listen(fd, backlog) }

func (k *kernelCalls) Accept4(fd int, addr []byte, flags int) (nfd, addrlen int, err error) {
	n := uint32(len(addr))
	for {
		r, _, e := unix.Syscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(base(addr)), uintptr(unsafe.Pointer(&n)), uintptr(flags), 0, 0)
		switch {
		case e == unix.EINTR:
			continue
		case e != 0:
			return -1, 0, e
		}
		return k.note(int(r)), int(n), nil
	}
}

func (k *kernelCalls) Connect(fd int, addr []byte) error {
	_, _, e := unix.Syscall(unix.SYS_CONNECT, uintptr(fd), uintptr(base(addr)), uintptr(len(addr)))
	return errnoOrNil(e)
}

func address2(number uintptr, fd int, addr []byte) (int, error) {
	n := uint32(len(addr))
	_, _, e := unix.Syscall(number, uintptr(fd), uintptr(base(addr)), uintptr(unsafe.Pointer(&n)))
	return int(n), errnoOrNil(e)
}

func (k *kernelCalls) Getsockname(fd int, addr []byte) (int, error) {
	return address2(unix.SYS_GETSOCKNAME, fd, addr)
}

func (k *kernelCalls) Getpeername(fd int, addr []byte) (int, error) {
	return address2(unix.SYS_GETPEERNAME, fd, addr)
}

// failed is the result of a call of x/sys/unix.
func failed(n int, err error) (int, error) {
	if err != nil {
		return -1, err
	}
	return n, nil
}

func (k *kernelCalls) Read(fd int, b []byte) (int, error)  { return failed(unix.Read(fd, b)) }
func (k *kernelCalls) Write(fd int, b []byte) (int, error) { return failed(unix.Write(fd, b)) }
func (k *kernelCalls) Readv(fd int, b [][]byte) (int, error) {
	return failed(unix.Readv(fd, b))
}
func (k *kernelCalls) Writev(fd int, b [][]byte) (int, error) {
	return failed(unix.Writev(fd, b))
}

func (k *kernelCalls) Recvfrom(fd int, b []byte, flags int, addr []byte) (n, addrlen int, err error) {
	l := uint32(len(addr))
	var lp *uint32
	if addr != nil {
		lp = &l
	}
	r, _, e := unix.Syscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(base(b)), uintptr(len(b)), uintptr(flags), uintptr(base(addr)), uintptr(unsafe.Pointer(lp)))
	if e != 0 {
		return -1, 0, e
	}
	return int(r), int(l), nil
}

// noSignal keeps a broken pipe from ending the program that runs the script.
const noSignal = unix.MSG_NOSIGNAL

func (k *kernelCalls) Sendto(fd int, b []byte, flags int, addr []byte) (int, error) {
	r, _, e := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(base(b)), uintptr(len(b)), uintptr(flags|noSignal), uintptr(base(addr)), uintptr(len(addr)))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// header makes the kernel's struct of a message.
func header(m *Msghdr) *unix.Msghdr {
	h := &unix.Msghdr{Name: (*byte)(base(m.Name)), Namelen: uint32(len(m.Name)), Control: (*byte)(base(m.Control))}
	h.SetControllen(len(m.Control))
	if len(m.Iov) > 0 {
		v := make([]unix.Iovec, len(m.Iov))
		for i, b := range m.Iov {
			v[i].Base = (*byte)(base(b))
			v[i].SetLen(len(b))
		}
		h.Iov = &v[0]
		h.SetIovlen(len(v))
	}
	return h
}

func (k *kernelCalls) Recvmsg(fd int, m *Msghdr, flags int) (int, error) {
	h := header(m)
	r, _, e := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(h)), uintptr(flags))
	if e != 0 {
		return -1, e
	}
	m.NameLen, m.ControlLen, m.Flags = int(h.Namelen), int(h.Controllen), int(h.Flags)
	return int(r), nil
}

func (k *kernelCalls) Sendmsg(fd int, m *Msghdr, flags int) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(header(m))), uintptr(flags|noSignal))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// mmsghdr is the kernel's struct mmsghdr.
type mmsghdr struct {
	header unix.Msghdr
	length uint32
	_      uint32
}

// many makes a call of several messages; end follows each that moved.
func many(number uintptr, fd int, msgs []Mmsghdr, flags int, timeout *unix.Timespec, end func(*Mmsghdr, *unix.Msghdr)) (int, error) {
	v := make([]mmsghdr, max(1, len(msgs)))
	for i := range msgs {
		v[i].header = *header(&msgs[i].Msghdr)
	}
	r, _, e := unix.Syscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&v[0])), uintptr(len(msgs)), uintptr(flags), uintptr(unsafe.Pointer(timeout)), 0)
	if e != 0 {
		return -1, e
	}
	for i := range msgs[:min(int(r), len(msgs))] {
		msgs[i].Len = int(v[i].length)
		end(&msgs[i], &v[i].header)
	}
	return int(r), nil
}

func (k *kernelCalls) Recvmmsg(fd int, msgs []Mmsghdr, flags int, timeout time.Duration) (int, error) {
	var ts *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	return many(unix.SYS_RECVMMSG, fd, msgs, flags, ts, func(m *Mmsghdr, h *unix.Msghdr) {
		m.NameLen, m.ControlLen, m.Flags = int(h.Namelen), int(h.Controllen), int(h.Flags)
	})
}

func (k *kernelCalls) Sendmmsg(fd int, msgs []Mmsghdr, flags int) (int, error) {
	return many(unix.SYS_SENDMMSG, fd, msgs, flags|noSignal, nil, func(*Mmsghdr, *unix.Msghdr) {})
}

func (k *kernelCalls) Getsockopt(fd, level, name int, value []byte) (int, error) {
	n := uint32(len(value))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(base(value)), uintptr(unsafe.Pointer(&n)), 0)
	return int(n), errnoOrNil(e)
}

func (k *kernelCalls) Setsockopt(fd, level, name int, value []byte) error {
	_, _, e := unix.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name), uintptr(base(value)), uintptr(len(value)), 0)
	return errnoOrNil(e)
}

func (k *kernelCalls) Shutdown(fd, how int) error { return unix.Shutdown(fd, how) }

func (k *kernelCalls) Close(fd int) error {
	k.opened.Lock()
	known := k.open[fd]
	delete(k.open, fd)
	k.opened.Unlock()
	if !known {
		return unix.EBADF // not one of the script's
	}
	return unix.Close(fd)
}

func (k *kernelCalls) Fcntl(fd, cmd, arg int) (int, error) {
	n, err := sys(unix.SYS_FCNTL, uintptr(fd), uintptr(cmd), uintptr(arg))
	if err == nil && (cmd == unix.F_DUPFD || cmd == unix.F_DUPFD_CLOEXEC) {
		k.note(n)
	}
	return n, err
}

func (k *kernelCalls) Ioctl(fd int, request uint, arg []byte) (int, error) {
	r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(request), uintptr(base(arg)))
	if e != 0 {
		return -1, e
	}
	return int(r), nil
}

// again repeats a call with a timeout that signals interrupt.
func again(timeout time.Duration, call func(ms int) (int, error)) (int, error) {
	end := time.Now().Add(timeout)
	for {
		ms := -1
		if timeout >= 0 {
			ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
		}
		n, err := call(ms)
		if err != unix.EINTR {
			return failed(n, err)
		}
		if timeout > 0 {
			timeout = max(0, time.Until(end))
		}
	}
}

func (k *kernelCalls) Poll(fds []PollFD, timeout time.Duration) (int, error) {
	v := make([]unix.PollFd, len(fds))
	for i, f := range fds {
		v[i] = unix.PollFd{Fd: f.FD, Events: f.Events}
	}
	n, err := again(timeout, func(ms int) (int, error) { return unix.Poll(v, ms) })
	for i := range fds {
		fds[i].Revents = v[i].Revents
	}
	return n, err
}

func (k *kernelCalls) EpollCreate1(flags int) (int, error) {
	fd, err := unix.EpollCreate1(flags)
	if err != nil {
		return -1, err
	}
	return k.note(fd), nil
}

func (k *kernelCalls) EpollCtl(epfd, op, fd int, event *EpollEvent) error {
	var e *unix.EpollEvent
	if event != nil {
		e = &unix.EpollEvent{Events: event.Events, Fd: int32(event.Data), Pad: int32(event.Data >> 32)}
	}
	return unix.EpollCtl(epfd, op, fd, e)
}

func (k *kernelCalls) EpollWait(epfd int, events []EpollEvent, timeout time.Duration) (int, error) {
	v := make([]unix.EpollEvent, max(1, len(events)))
	n, err := again(timeout, func(ms int) (int, error) {
		r, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&v[0])), uintptr(len(events)), uintptr(ms), 0, 0)
		return int(r), errnoOrNil(e)
	})
	for i := range min(max(n, 0), len(events)) {
		events[i] = EpollEvent{Events: v[i].Events, Data: uint64(uint32(v[i].Fd)) | uint64(uint32(v[i].Pad))<<32}
	}
	return n, err
}

func (k *kernelCalls) Pipe2(flags int) (r, w int, err error) {
	var p [2]int
	if err := unix.Pipe2(p[:], flags); err != nil {
		return -1, -1, err
	}
	return k.note(p[0]), k.note(p[1]), nil
}

func (k *kernelCalls) Splice(in int, inOffset *int64, out int, outOffset *int64, n, flags int) (int, error) {
	m, err := unix.Splice(in, inOffset, out, outOffset, n, flags)
	return failed(int(m), err)
}

func (k *kernelCalls) SendfileZeros(out, n int) (int, error) {
	f, err := unix.MemfdCreate("zeros", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer func() { _ = unix.Close(f) }()
	if err := unix.Ftruncate(f, int64(n)); err != nil {
		return -1, err
	}
	return failed(unix.Sendfile(out, f, nil, n))
}
