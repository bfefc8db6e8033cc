package posix

import "github.com/libos-go/libos/core"

// Linux's numbers, whatever the system this runs on (asm-generic).
const (
	AF_UNSPEC  = 0
	AF_INET    = 2
	AF_INET6   = 10
	AF_NETLINK = 16
	AF_PACKET  = core.AFPacket

	SOCK_STREAM    = core.SockStream
	SOCK_DGRAM     = core.SockDgram
	SOCK_RAW       = core.SockRaw
	SOCK_SEQPACKET = core.SockSeqPacket
	SOCK_DCCP      = core.SockDCCP
	SOCK_NONBLOCK  = 0o4000
	SOCK_CLOEXEC   = 0o2000000
	sockTypeMask   = 0xf

	O_RDONLY   = 0
	O_WRONLY   = 1
	O_RDWR     = 2
	O_ACCMODE  = 3
	O_APPEND   = 0o2000
	O_NONBLOCK = 0o4000
	O_ASYNC    = 0o20000
	O_DIRECT   = 0o40000
	O_NOATIME  = 0o1000000
	O_CLOEXEC  = 0o2000000

	F_DUPFD         = 0
	F_GETFD         = 1
	F_SETFD         = 2
	F_GETFL         = 3
	F_SETFL         = 4
	F_SETOWN        = 8
	F_GETOWN        = 9
	F_DUPFD_CLOEXEC = 1030
	F_SETPIPE_SZ    = 1031
	F_GETPIPE_SZ    = 1032
	FD_CLOEXEC      = 1

	POLLIN     = 0x001
	POLLPRI    = 0x002
	POLLOUT    = 0x004
	POLLERR    = 0x008
	POLLHUP    = 0x010
	POLLNVAL   = 0x020
	POLLRDNORM = 0x040
	POLLRDBAND = 0x080
	POLLWRNORM = 0x100
	POLLWRBAND = 0x200
	POLLRDHUP  = 0x2000

	EPOLLIN        = POLLIN
	EPOLLPRI       = POLLPRI
	EPOLLOUT       = POLLOUT
	EPOLLERR       = POLLERR
	EPOLLHUP       = POLLHUP
	EPOLLRDNORM    = POLLRDNORM
	EPOLLRDBAND    = POLLRDBAND
	EPOLLWRNORM    = POLLWRNORM
	EPOLLWRBAND    = POLLWRBAND
	EPOLLRDHUP     = POLLRDHUP
	EPOLLEXCLUSIVE = 1 << 28
	EPOLLWAKEUP    = 1 << 29
	EPOLLONESHOT   = 1 << 30
	EPOLLET        = 1 << 31
	EPOLL_CTL_ADD  = 1
	EPOLL_CTL_DEL  = 2
	EPOLL_CTL_MOD  = 3

	MSG_OOB          = core.MsgOOB
	MSG_PEEK         = core.MsgPeek
	MSG_DONTROUTE    = core.MsgDontRoute
	MSG_CTRUNC       = core.MsgCTrunc
	MSG_TRUNC        = core.MsgTrunc
	MSG_DONTWAIT     = core.MsgDontWait
	MSG_EOR          = core.MsgEOR
	MSG_WAITALL      = core.MsgWaitAll
	MSG_ERRQUEUE     = core.MsgErrQueue
	MSG_NOSIGNAL     = core.MsgNoSignal
	MSG_MORE         = core.MsgMore
	MSG_WAITFORONE   = 0x10000
	MSG_CMSG_CLOEXEC = 0x40000000

	FIONREAD     = core.SIOCINQ
	FIONBIO      = 0x5421
	FIONCLEX     = 0x5450
	FIOCLEX      = 0x5451
	FIOASYNC     = 0x5452
	SIOCINQ      = core.SIOCINQ
	SIOCOUTQ     = core.SIOCOUTQ
	SIOCOUTQNSD  = core.SIOCOUTQNSD
	SIOCATMARK   = core.SIOCATMARK
	SIOCGSTAMP   = 0x8906 // struct timeval
	SIOCGSTAMPNS = 0x8907 // struct timespec

	SHUT_RD   = core.ShutRead
	SHUT_WR   = core.ShutWrite
	SHUT_RDWR = core.ShutBoth
)
