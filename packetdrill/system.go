package packetdrill

import (
	"time"

	"github.com/libos-go/libos/posix"
)

// Calls are system calls with Linux's numbers and layouts (x86-64): addresses,
// options and control messages are bytes. Errors are syscall.Errno.
type Calls interface {
	Socket(family, typ, protocol int) (int, error)
	Bind(fd int, addr []byte) error
	Listen(fd, backlog int) error
	Accept4(fd int, addr []byte, flags int) (nfd, addrlen int, err error)
	Connect(fd int, addr []byte) error
	Getsockname(fd int, addr []byte) (int, error)
	Getpeername(fd int, addr []byte) (int, error)
	Read(fd int, b []byte) (int, error)
	Write(fd int, b []byte) (int, error)
	Readv(fd int, b [][]byte) (int, error)
	Writev(fd int, b [][]byte) (int, error)
	Recvfrom(fd int, b []byte, flags int, addr []byte) (n, addrlen int, err error)
	Sendto(fd int, b []byte, flags int, addr []byte) (int, error)
	Recvmsg(fd int, m *Msghdr, flags int) (int, error)
	Sendmsg(fd int, m *Msghdr, flags int) (int, error)
	// Recvmmsg and Sendmmsg return how many messages moved. timeout is looked at
	// when a message arrived; below 0 there is none.
	Recvmmsg(fd int, msgs []Mmsghdr, flags int, timeout time.Duration) (int, error)
	Sendmmsg(fd int, msgs []Mmsghdr, flags int) (int, error)
	Getsockopt(fd, level, name int, value []byte) (int, error)
	Setsockopt(fd, level, name int, value []byte) error
	Shutdown(fd, how int) error
	Close(fd int) error
	Fcntl(fd, cmd, arg int) (int, error)
	Ioctl(fd int, request uint, arg []byte) (int, error)
	Poll(fds []PollFD, timeout time.Duration) (int, error)
	EpollCreate1(flags int) (int, error)
	EpollCtl(epfd, op, fd int, event *EpollEvent) error
	EpollWait(epfd int, events []EpollEvent, timeout time.Duration) (int, error)
	Pipe2(flags int) (r, w int, err error)
	Splice(in int, inOffset *int64, out int, outOffset *int64, n, flags int) (int, error)
	// SendfileZeros is sendfile(2) from a file of n zero bytes.
	SendfileZeros(out, n int) (int, error)
}

// The structs of calls.
type (
	Msghdr     = posix.Msghdr
	Mmsghdr    = posix.Mmsghdr
	PollFD     = posix.PollFD
	EpollEvent = posix.EpollEvent
)

// System is what a script runs on: a clock, one network device that carries IP
// packets, and system calls.
type System interface {
	Calls
	// Now is the time since the system was made.
	Now() time.Duration
	// Exact tells that the clock stands still while the runner works.
	Exact() bool
	// Sleep waits until the clock shows t.
	Sleep(t time.Duration)
	// Inject has a packet arrive at the device.
	Inject(packet []byte) error
	// Packet takes the oldest packet that was sent and not taken yet.
	Packet() (livePacket, bool)
	// Await waits until done, which is asked again whenever a packet was sent or
	// a task ended, or until the clock shows t; it returns done's last answer.
	Await(t time.Duration, done func() bool) bool
	// Start runs f, a call. If it blocks by the script's will it runs beside the
	// caller, and Await notices its end; otherwise it may have ended.
	Start(f func(), blocks bool)
	// Configure runs a command of init or cleanup.
	Configure(c *setup) error
	// Shell runs text by a shell; only with Settings.AllowShell.
	Shell(text string) error
}
