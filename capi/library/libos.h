/*
 * libos: a network stack as a library, for C programs.
 *
 * The caller is the host: it has the clock, the one timer, the links and the threads.
 * A struct lib_stack is one network stack (host or router) of its own; a process may
 * have any number of them, which meet over links alone.
 *
 * - Every function may be called from any thread, and from the functions of struct
 *   lib_host and lib_transmit, but for lib_init and lib_exit, which need a thread that
 *   is in no other call of that stack.
 * - Functions that return an int or a long return a value of 0 or more, or a negative
 *   errno of Linux (-EAGAIN). Where a text is said to be known, lib_error gives it.
 * - The library calls the host's functions after the stack has been left, never inside of
 *   it: they may call the library. For one stack they are called by one thread at a time,
 *   in order (park alone is called by the thread that waits).
 * - Times are nanoseconds of the host's clock. A clock that stands still while the
 *   library works (virtual time) is as good as another.
 * - Structs, flags and numbers of system calls are those of 64-bit Linux.
 */
#ifndef LIBOS_H
#define LIBOS_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct mmsghdr; /* of <sys/socket.h>, for those who ask for it by _GNU_SOURCE */
struct lib_stack;
struct lib_device;
struct lib_waiter;

/* LIB_NEVER is the deadline that does not come. */
#define LIB_NEVER UINT64_MAX

/* lib_host is what the caller gives. All functions get context first. */
struct lib_host {
	size_t size; /* sizeof(struct lib_host) */
	void *context;
	/* now is the monotonic clock, in nanoseconds, below 2^63. It never goes back. Required. */
	uint64_t (*now)(void *context);
	/* wall is the civil time of now, in nanoseconds since 1970. NULL: the clock begins
	 * with the year 2000. */
	int64_t (*wall)(void *context);
	/* arm asks that lib_run_timers(stack) be called at when or soon after. It replaces the
	 * deadline asked for before; LIB_NEVER takes it back. when may have passed. It is
	 * called during lib_init already. Required. */
	void (*arm)(void *context, struct lib_stack *stack, uint64_t when);
	/* park blocks the caller until wake is called with the same waiter; a wake that came
	 * before counts, and waking for nothing is allowed. Below 0 it gives up: the call
	 * fails with EAGAIN, or EINPROGRESS if it connects. NULL: no call ever waits.
	 * lib_thread_park does it for threads. */
	int (*park)(void *context, struct lib_waiter *waiter);
	/* wake lets the waiter's parked caller go on, now or when it parks. It may be
	 * called from any thread, and for a waiter on which nobody waits any more.
	 * Required with park; lib_thread_wake does it for threads. */
	void (*wake)(void *context, struct lib_waiter *waiter);
	/* random fills buf. It is called by lib_init, for a seed: the same bytes give the same
	 * sequence numbers, ports and so on. NULL: those of the system. */
	void (*random)(void *context, void *buf, size_t n);
	/* log gets one line without its end. NULL: nobody wants to know. */
	void (*log)(void *context, const char *line, size_t n);
};

/* lib_options are the choices of lib_init; NULL or zeros have their meaning. */
struct lib_options {
	size_t size;        /* sizeof(struct lib_options) */
	const char *name;   /* of the stack, in its messages; NULL: host1 */
	const char *config; /* text of a .config that narrows the stack; NULL: all that is built in */
	uint64_t memory;    /* bytes that its slabs may hold; 0: no limit */
};

/* lib_version is the version of the library. */
const char *lib_version(void);

/* lib_init makes a stack with its loopback device. host is copied. NULL if that
 * fails: error has size bytes for why, 0 for a caller who does not want to know. */
struct lib_stack *lib_init(const struct lib_host *host, const struct lib_options *options, char *error, size_t size);
/* lib_exit ends a stack: its descriptors, connections (by reset) and devices. No thread
 * may be in a call of it. -EUCLEAN tells of memory that the stack still held, a
 * leak, and error says whose. The stack is gone in any case. */
int lib_exit(struct lib_stack *, char *error, size_t size);
/* lib_run_timers does what is due. It may be called at any time. */
int lib_run_timers(struct lib_stack *);
/* lib_error copies the text of the last error that had one, of any thread, and
 * returns its length. */
int lib_error(struct lib_stack *, char *buf, size_t size);

/* lib_waiter_user is a place for one pointer of the host's in a waiter, NULL at first.
 * Waiters live as long as their stack and are used for one call after the other. */
void **lib_waiter_user(struct lib_waiter *);
struct lib_stack *lib_waiter_stack(struct lib_waiter *);
/* lib_thread_park and lib_thread_wake are park and wake by a condition variable. */
int lib_thread_park(void *context, struct lib_waiter *);
void lib_thread_wake(void *context, struct lib_waiter *);

/* Devices */

/* lib_transmit takes a frame that leaves by a device: an Ethernet frame without its
 * checksum, or an IP packet. data is the caller's until it returns. */
typedef void (*lib_transmit)(void *context, struct lib_device *, const void *data, size_t n);

/* lib_device_add gives the stack a device, which is down. name is that of the interface,
 * NULL for host0, host1. mtu is the largest IP packet, 68 to 65535. hwaddr are the 6
 * bytes of an Ethernet address; NULL makes a link that carries IP packets. NULL if
 * that fails: lib_error. */
struct lib_device *lib_device_add(struct lib_stack *, const char *name, int mtu, const unsigned char *hwaddr, lib_transmit, void *context);
/* lib_device_remove takes it away. The pointer stays valid until lib_exit. */
int lib_device_remove(struct lib_device *);
int lib_device_up(struct lib_device *, int up);
int lib_device_mtu(struct lib_device *, int mtu);
/* lib_device_deliver hands a frame in, which is copied: 0, or -ENOBUFS if too many wait. */
int lib_device_deliver(struct lib_device *, const void *data, size_t n);
/* lib_device_index is the number of the interface (sin6_scope_id, SO_BINDTOIFINDEX). */
int lib_device_index(struct lib_device *);

/* Addresses, routes and settings, as text. Errors have a text. */

int lib_address_add(struct lib_device *, const char *address); /* 10.0.0.1/24; usable at once */
int lib_address_del(struct lib_device *, const char *address);
int lib_route_add(struct lib_stack *, const char *route); /* the words of ip route: default via 10.0.0.9 */
int lib_route_del(struct lib_stack *, const char *route);
/* lib_sysctl_get copies what fits of a setting, ended by 0, and returns its length. */
int lib_sysctl_get(struct lib_stack *, const char *name, char *buf, size_t size);
int lib_sysctl_set(struct lib_stack *, const char *name, const char *value);
/* lib_sysctl_follow takes the settings from the files of the same names below dir (NULL:
 * /proc/sys) that changed since it was last called, and returns how many. */
int lib_sysctl_follow(struct lib_stack *, const char *dir);

/* System calls on the stack's own table of descriptors. They wait as Linux's do, unless the
 * descriptor or a flag says otherwise. No signal is ever sent. The memory of a call
 * must stay as it is until the call returns. */

int lib_socket(struct lib_stack *, int family, int type, int protocol);
int lib_bind(struct lib_stack *, int fd, const struct sockaddr *, socklen_t);
int lib_listen(struct lib_stack *, int fd, int backlog);
int lib_accept4(struct lib_stack *, int fd, struct sockaddr *, socklen_t *, int flags);
int lib_connect(struct lib_stack *, int fd, const struct sockaddr *, socklen_t);
int lib_getsockname(struct lib_stack *, int fd, struct sockaddr *, socklen_t *);
int lib_getpeername(struct lib_stack *, int fd, struct sockaddr *, socklen_t *);
int lib_getsockopt(struct lib_stack *, int fd, int level, int name, void *value, socklen_t *);
int lib_setsockopt(struct lib_stack *, int fd, int level, int name, const void *value, socklen_t);
int lib_shutdown(struct lib_stack *, int fd, int how);
int lib_close(struct lib_stack *, int fd);
ssize_t lib_read(struct lib_stack *, int fd, void *, size_t);
ssize_t lib_write(struct lib_stack *, int fd, const void *, size_t);
ssize_t lib_readv(struct lib_stack *, int fd, const struct iovec *, int);
ssize_t lib_writev(struct lib_stack *, int fd, const struct iovec *, int);
ssize_t lib_recvfrom(struct lib_stack *, int fd, void *, size_t, int flags, struct sockaddr *, socklen_t *);
ssize_t lib_sendto(struct lib_stack *, int fd, const void *, size_t, int flags, const struct sockaddr *, socklen_t);
ssize_t lib_recvmsg(struct lib_stack *, int fd, struct msghdr *, int flags);
ssize_t lib_sendmsg(struct lib_stack *, int fd, const struct msghdr *, int flags);
/* lib_recvmmsg and lib_sendmmsg return how many messages moved, at most 1024. timeout is
 * looked at when a message came; it is not changed. NULL: none. */
int lib_recvmmsg(struct lib_stack *, int fd, struct mmsghdr *, unsigned n, int flags, struct timespec *timeout);
int lib_sendmmsg(struct lib_stack *, int fd, struct mmsghdr *, unsigned n, int flags);
int lib_fcntl(struct lib_stack *, int fd, int cmd, long arg);
/* lib_ioctl knows FIONREAD, FIONBIO, SIOCOUTQ and the like, SIOCETHTOOL, and those of netdevice(7), arp(7) and
 * route(8): SIOCGIFADDR, SIOCSIFFLAGS, SIOCADDRT, …. arg points to the int or the struct. */
int lib_ioctl(struct lib_stack *, int fd, unsigned long request, void *arg);
int lib_dup(struct lib_stack *, int fd);
int lib_dup3(struct lib_stack *, int fd, int to, int flags);
int lib_poll(struct lib_stack *, struct pollfd *, nfds_t, int milliseconds);
/* lib_select waits for descriptors below n, at most FD_SETSIZE. Each set may be NULL; timeout
 * is not changed. */
int lib_select(struct lib_stack *, int n, fd_set *in, fd_set *out, fd_set *except, const struct timeval *timeout);
int lib_epoll_create1(struct lib_stack *, int flags);
int lib_epoll_ctl(struct lib_stack *, int epfd, int op, int fd, struct epoll_event *);
int lib_epoll_wait(struct lib_stack *, int epfd, struct epoll_event *, int n, int milliseconds);
int lib_pipe2(struct lib_stack *, int fds[2], int flags);
int lib_eventfd(struct lib_stack *, unsigned initial, int flags);
/* Timers on the host's clock: CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME. */
int lib_timerfd_create(struct lib_stack *, int clock, int flags);
int lib_timerfd_settime(struct lib_stack *, int fd, int flags, const struct itimerspec *, struct itimerspec *old);
int lib_timerfd_gettime(struct lib_stack *, int fd, struct itimerspec *);
/* lib_sendfile sends n bytes of a file: in is a descriptor of the system, not of the stack.
 * With at it reads from there on and moves that, otherwise the file's position. */
ssize_t lib_sendfile(struct lib_stack *, int out, int in, off_t *at, size_t n);
ssize_t lib_splice(struct lib_stack *, int in, loff_t *in_at, int out, loff_t *out_at, size_t, unsigned flags);

#ifdef __cplusplus
}
#endif
#endif
