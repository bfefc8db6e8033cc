//go:build linux && (amd64 || arm64)

package guest

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/guest/trap"
	"github.com/libos-go/libos/posix"
)

// call is a system call that a program makes of a socket.
type call struct {
	number int
	when   []trap.Condition
	answer func(*request)
}

// families are those whose sockets are the stack's.
func families() []trap.Condition {
	return []trap.Condition{
		trap.Is(0, unix.AF_INET), trap.Is(0, unix.AF_INET6), trap.Is(0, unix.AF_NETLINK), trap.Is(0, unix.AF_PACKET),
	}
}

// Flags with which a receive is not the program's end's affair.
const unusual = unix.MSG_OOB | unix.MSG_PEEK | unix.MSG_TRUNC | unix.MSG_ERRQUEUE

// calls are the calls that are stopped. What has no address and no unusual flag is
// native: a send or receive of bytes, one at least (see mapping). MSG_MORE, which the
// pair cannot carry, is of parts of a datagram; a connection sends without it.
func calls() []call {
	list := slices.Concat(socketCalls(), writeCalls())
	for _, c := range pathCalls() {
		list = append(list, c.call)
	}
	return list
}

func socketCalls() []call {
	return []call{
		{unix.SYS_SOCKET, families(), (*request).openSocket},
		{unix.SYS_SOCKETPAIR, []trap.Condition{trap.Is(0, unix.AF_INET), trap.Is(0, unix.AF_INET6)}, func(r *request) { _ = r.fail(unix.EOPNOTSUPP) }},
		{unix.SYS_BIND, nil, onSocket(bindCall)},
		{unix.SYS_CONNECT, nil, (*request).connectCall},
		{unix.SYS_LISTEN, nil, onSocket(func(r *request, s *socket, _ int) (int, error) { return 0, s.listen(r.arg(1)) })},
		{unix.SYS_ACCEPT, nil, (*request).acceptCall},
		{unix.SYS_ACCEPT4, nil, (*request).acceptCall},
		{unix.SYS_GETSOCKNAME, nil, onSocket(addressCall((*posix.Process).Getsockname))},
		{unix.SYS_GETPEERNAME, nil, onSocket(addressCall((*posix.Process).Getpeername))},
		{unix.SYS_SETSOCKOPT, nil, onSocket(setOptionCall)},
		{unix.SYS_GETSOCKOPT, nil, onSocket(optionCall)},
		{unix.SYS_SHUTDOWN, nil, onSocket(shutdownCall)},
		{unix.SYS_SENDTO, []trap.Condition{trap.NotNull(4), trap.Has(3, unix.MSG_OOB|unix.MSG_MORE), trap.Is(2, 0)}, (*request).sendtoCall},
		{unix.SYS_RECVFROM, []trap.Condition{trap.NotNull(4), trap.Has(3, unusual)}, (*request).recvfromCall},
		{unix.SYS_SENDMSG, nil, (*request).sendmsgCall},
		{unix.SYS_RECVMSG, nil, (*request).recvmsgCall},
		{unix.SYS_SENDMMSG, nil, (*request).sendmmsgCall},
		{unix.SYS_RECVMMSG, nil, (*request).recvmmsgCall},
		{unix.SYS_MMAP, sharedMappings(), (*request).mapCall},
		{unix.SYS_IOCTL, []trap.Condition{trap.Between(1, 0x8900, 0x89ff), trap.Is(1, unix.TIOCINQ), trap.Is(1, unix.TIOCOUTQ)}, (*request).ioctlCall},
	}
}

// policy has the calls stopped, and keeps programs from a way around them.
func policy(options []Option) trap.Policy {
	p := pathRules(options)
	for _, c := range slices.Concat(socketCalls(), writeCalls()) {
		p = append(p, trap.Rule{Call: c.number, When: c.when})
	}
	return append(p, trap.Rule{Call: unix.SYS_IO_URING_SETUP, Errno: unix.ENOSYS})
}

// dispatch answers the call, now or later.
func (r *request) dispatch() {
	r.g.files.apply()
	if f := r.g.answers[int(r.c.Number)]; f != nil {
		f(r)
		return
	}
	r.goOn()
}

// onSocket is the answer to a call whose first argument is a socket and which ends at
// once, with what f returns. The kernel has those of other sockets.
func onSocket(f func(r *request, s *socket, end int) (int, error)) func(*request) {
	return func(r *request) {
		s, end, err := r.socket()
		switch {
		case err != nil:
			_ = r.fail(err)
		case s == nil:
			r.goOn()
		default:
			n, err := f(r, s, end)
			_ = unix.Close(end) // before the program goes on, and may close its own
			_ = r.done(n, err)
		}
	}
}
