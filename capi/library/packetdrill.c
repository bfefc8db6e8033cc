//go:build cgo

/* packetdrill's interface: its functions on a stack, with errno. Time is in drill_time.c,
 * addresses and flags in drill_flags.c. */

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "drill.h"

/* ret is a result of the library as libc has it. */
static long ret(long n)
{
	if (n >= 0)
		return n;
	errno = -n;
	return -1;
}

/* done ends a call, whose result is n. */
static long done(struct drill *d, long n)
{
	drill_leave(d);
	return ret(n);
}

/* RETURN makes a call, during which time stands still unless it waits. */
#define RETURN(call) \
	struct drill *d = userdata; \
	drill_enter(d); \
	return done(d, call)

static int drill_socket(void *userdata, int family, int type, int protocol)
{
	drill_follow(userdata);
	RETURN(lib_socket(d->stack, family, type, protocol));
}

static int drill_bind(void *userdata, int fd, const struct sockaddr *a, socklen_t n) { RETURN(lib_bind(d->stack, fd, a, n)); }

static int drill_listen(void *userdata, int fd, int backlog)
{
	drill_follow(userdata);
	RETURN(lib_listen(d->stack, fd, backlog));
}

static int drill_accept(void *userdata, int fd, struct sockaddr *a, socklen_t *n) { RETURN(lib_accept4(d->stack, fd, a, n, 0)); }

static int drill_connect(void *userdata, int fd, const struct sockaddr *a, socklen_t n)
{
	drill_follow(userdata);
	RETURN(lib_connect(d->stack, fd, a, n));
}

static ssize_t drill_read(void *userdata, int fd, void *b, size_t n) { RETURN(lib_read(d->stack, fd, b, n)); }

static ssize_t drill_readv(void *userdata, int fd, const struct iovec *v, int n) { RETURN(lib_readv(d->stack, fd, v, n)); }

static ssize_t drill_recv(void *userdata, int fd, void *b, size_t n, int flags) { RETURN(lib_recvfrom(d->stack, fd, b, n, flags, NULL, NULL)); }

static ssize_t drill_recvfrom(void *userdata, int fd, void *b, size_t n, int flags, struct sockaddr *a, socklen_t *m) { RETURN(lib_recvfrom(d->stack, fd, b, n, flags, a, m)); }

static ssize_t drill_recvmsg(void *userdata, int fd, struct msghdr *m, int flags) { RETURN(lib_recvmsg(d->stack, fd, m, flags)); }

static ssize_t drill_write(void *userdata, int fd, const void *b, size_t n) { RETURN(lib_write(d->stack, fd, b, n)); }

static ssize_t drill_writev(void *userdata, int fd, const struct iovec *v, int n) { RETURN(lib_writev(d->stack, fd, v, n)); }

static ssize_t drill_send(void *userdata, int fd, const void *b, size_t n, int flags) { RETURN(lib_sendto(d->stack, fd, b, n, flags, NULL, 0)); }

static ssize_t drill_sendto(void *userdata, int fd, const void *b, size_t n, int flags, const struct sockaddr *a, socklen_t m) { RETURN(lib_sendto(d->stack, fd, b, n, flags, a, m)); }

static ssize_t drill_sendmsg(void *userdata, int fd, const struct msghdr *m, int flags) { RETURN(lib_sendmsg(d->stack, fd, m, flags)); }

static int drill_fcntl(void *userdata, int fd, int cmd, ...)
{
	va_list list;
	long arg;

	va_start(list, cmd);
	arg = va_arg(list, long); /* of those without one it is not looked at */
	va_end(list);
	RETURN(lib_fcntl(d->stack, fd, cmd, (int)arg));
}

static int drill_ioctl(void *userdata, int fd, unsigned long request, ...)
{
	va_list list;
	void *arg;

	va_start(list, request);
	arg = va_arg(list, void *);
	va_end(list);
	RETURN(lib_ioctl(d->stack, fd, request, arg));
}

static int drill_close(void *userdata, int fd) { RETURN(lib_close(d->stack, fd)); }

static int drill_shutdown(void *userdata, int fd, int how) { RETURN(lib_shutdown(d->stack, fd, how)); }

static int drill_getsockopt(void *userdata, int fd, int level, int name, void *v, socklen_t *n) { RETURN(lib_getsockopt(d->stack, fd, level, name, v, n)); }

static int drill_setsockopt(void *userdata, int fd, int level, int name, const void *v, socklen_t n) { RETURN(lib_setsockopt(d->stack, fd, level, name, v, n)); }

static int drill_poll(void *userdata, struct pollfd *f, nfds_t n, int ms) { RETURN(lib_poll(d->stack, f, n, ms)); }

static int drill_epoll_create(void *userdata, int size)
{
	if (size <= 0)
		return ret(-EINVAL);
	RETURN(lib_epoll_create1(d->stack, 0));
}

static int drill_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *e) { RETURN(lib_epoll_ctl(d->stack, epfd, op, fd, e)); }

static int drill_epoll_wait(void *userdata, int epfd, struct epoll_event *e, int n, int ms) { RETURN(lib_epoll_wait(d->stack, epfd, e, n, ms)); }

static int drill_pipe(void *userdata, int fds[2]) { RETURN(lib_pipe2(d->stack, fds, 0)); }

static ssize_t splice_long(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t n, unsigned flags) { RETURN(lib_splice(d->stack, in, in_at, out, out_at, n, flags)); }

static int drill_splice(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t n, unsigned flags) { return splice_long(userdata, in, in_at, out, out_at, n, flags); }

static int drill_netdev_send(void *userdata, const void *packet, size_t n)
{
	drill_follow(userdata);
	RETURN(lib_device_deliver(d->device, packet, n));
}

/* The stack that getsockopt of the preloaded library asks: a process has one. */
static struct drill *preloaded;

static int preloaded_getsockopt(int fd, int level, int name, void *v, socklen_t *n)
{
	struct drill *d = preloaded;

	if (!d || lib_fcntl(d->stack, fd, F_GETFD, 0) < 0)
		return 1;
	return drill_getsockopt(d, fd, level, name, v, n);
}

static void preload(struct drill *d)
{
	int (**hook)(int, int, int, void *, socklen_t *) = dlsym(RTLD_DEFAULT, "libos_preload_getsockopt");

	preloaded = d;
	if (hook)
		*hook = d ? preloaded_getsockopt : NULL;
}

static void drill_free(void *userdata)
{
	preload(NULL);
	drill_delete(userdata);
}

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *i)
{
	struct drill *d = drill_new(flags);

	preload(d);
	*i = (struct packetdrill_interface){
		.userdata = d,
		.free = drill_free,
		.socket = drill_socket,
		.bind = drill_bind,
		.listen = drill_listen,
		.accept = drill_accept,
		.connect = drill_connect,
		.read = drill_read,
		.readv = drill_readv,
		.recv = drill_recv,
		.recvfrom = drill_recvfrom,
		.recvmsg = drill_recvmsg,
		.write = drill_write,
		.writev = drill_writev,
		.send = drill_send,
		.sendto = drill_sendto,
		.sendmsg = drill_sendmsg,
		.fcntl = drill_fcntl,
		.ioctl = drill_ioctl,
		.close = drill_close,
		.shutdown = drill_shutdown,
		.getsockopt = drill_getsockopt,
		.setsockopt = drill_setsockopt,
		.poll = drill_poll,
		.netdev_send = drill_netdev_send,
		.netdev_receive = drill_netdev_receive,
		.usleep = drill_usleep,
		.gettimeofday = drill_gettimeofday,
		.epoll_create = drill_epoll_create,
		.epoll_ctl = drill_epoll_ctl,
		.epoll_wait = drill_epoll_wait,
		.pipe = drill_pipe,
		.splice = drill_splice,
	};
}
