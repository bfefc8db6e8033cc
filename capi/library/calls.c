//go:build cgo

/* System calls: each is one crossing, or more if it waits. */

#include "crossing.h"

#define CALL(function, ...) \
	struct crossing c = {.fn = function, __VA_ARGS__}; \
	return libos_call(s, &c)
#define A(...) .a = {__VA_ARGS__}
#define P(...) .p = {__VA_ARGS__}

int lib_socket(struct lib_stack *s, int family, int type, int protocol) { CALL(FN_SOCKET, A(family, type, protocol)); }

int lib_bind(struct lib_stack *s, int fd, const struct sockaddr *a, socklen_t n) { CALL(FN_BIND, A(fd, n), P((void *)a)); }

int lib_listen(struct lib_stack *s, int fd, int backlog) { CALL(FN_LISTEN, A(fd, backlog)); }

int lib_accept4(struct lib_stack *s, int fd, struct sockaddr *a, socklen_t *n, int flags) { CALL(FN_ACCEPT, A(fd, flags), P(a, n)); }

int lib_connect(struct lib_stack *s, int fd, const struct sockaddr *a, socklen_t n) { CALL(FN_CONNECT, A(fd, n), P((void *)a)); }

int lib_getsockname(struct lib_stack *s, int fd, struct sockaddr *a, socklen_t *n) { CALL(FN_GETSOCKNAME, A(fd), P(a, n)); }

int lib_getpeername(struct lib_stack *s, int fd, struct sockaddr *a, socklen_t *n) { CALL(FN_GETPEERNAME, A(fd), P(a, n)); }

int lib_getsockopt(struct lib_stack *s, int fd, int level, int name, void *value, socklen_t *n) { CALL(FN_GETSOCKOPT, A(fd, level, name), P(value, n)); }

int lib_setsockopt(struct lib_stack *s, int fd, int level, int name, const void *value, socklen_t n) { CALL(FN_SETSOCKOPT, A(fd, level, name, n), P((void *)value)); }

int lib_shutdown(struct lib_stack *s, int fd, int how) { CALL(FN_SHUTDOWN, A(fd, how)); }

int lib_close(struct lib_stack *s, int fd) { CALL(FN_CLOSEFD, A(fd)); }

ssize_t lib_read(struct lib_stack *s, int fd, void *b, size_t n) { CALL(FN_READ, A(fd, n), P(b)); }

ssize_t lib_write(struct lib_stack *s, int fd, const void *b, size_t n) { CALL(FN_WRITE, A(fd, n), P((void *)b)); }

ssize_t lib_readv(struct lib_stack *s, int fd, const struct iovec *v, int n) { CALL(FN_READV, A(fd, n), P((void *)v)); }

ssize_t lib_writev(struct lib_stack *s, int fd, const struct iovec *v, int n) { CALL(FN_WRITEV, A(fd, n), P((void *)v)); }

ssize_t lib_recvfrom(struct lib_stack *s, int fd, void *b, size_t n, int flags, struct sockaddr *a, socklen_t *m) { CALL(FN_RECVFROM, A(fd, n, flags), P(b, a, m)); }

ssize_t lib_sendto(struct lib_stack *s, int fd, const void *b, size_t n, int flags, const struct sockaddr *a, socklen_t m) { CALL(FN_SENDTO, A(fd, n, flags, m), P((void *)b, (void *)a)); }

ssize_t lib_recvmsg(struct lib_stack *s, int fd, struct msghdr *m, int flags) { CALL(FN_RECVMSG, A(fd, flags), P(m)); }

ssize_t lib_sendmsg(struct lib_stack *s, int fd, const struct msghdr *m, int flags) { CALL(FN_SENDMSG, A(fd, flags), P((void *)m)); }

int lib_recvmmsg(struct lib_stack *s, int fd, struct mmsghdr *m, unsigned n, int flags, struct timespec *timeout) { CALL(FN_RECVMMSG, A(fd, n, flags), P(m, timeout)); }

int lib_sendmmsg(struct lib_stack *s, int fd, struct mmsghdr *m, unsigned n, int flags) { CALL(FN_SENDMMSG, A(fd, n, flags), P(m)); }

int lib_fcntl(struct lib_stack *s, int fd, int cmd, long arg) { CALL(FN_FCNTL, A(fd, cmd, arg)); }

int lib_ioctl(struct lib_stack *s, int fd, unsigned long request, void *arg) { CALL(FN_IOCTL, A(fd, request), P(arg)); }

int lib_dup(struct lib_stack *s, int fd) { CALL(FN_DUP, A(fd)); }

int lib_dup3(struct lib_stack *s, int fd, int to, int flags) { CALL(FN_DUP3, A(fd, to, flags)); }

int lib_poll(struct lib_stack *s, struct pollfd *f, nfds_t n, int ms) { CALL(FN_POLL, A(n, ms), P(f)); }

int lib_epoll_create1(struct lib_stack *s, int flags) { CALL(FN_EPOLL_CREATE, A(flags)); }

int lib_epoll_ctl(struct lib_stack *s, int epfd, int op, int fd, struct epoll_event *e) { CALL(FN_EPOLL_CTL, A(epfd, op, fd), P(e)); }

int lib_epoll_wait(struct lib_stack *s, int epfd, struct epoll_event *e, int n, int ms) { CALL(FN_EPOLL_WAIT, A(epfd, n, ms), P(e)); }

int lib_pipe2(struct lib_stack *s, int fds[2], int flags) { CALL(FN_PIPE, A(flags), P(fds)); }

int lib_eventfd(struct lib_stack *s, unsigned initial, int flags) { CALL(FN_EVENTFD, A(initial, flags)); }

ssize_t lib_splice(struct lib_stack *s, int in, loff_t *in_at, int out, loff_t *out_at, size_t n, unsigned flags) { CALL(FN_SPLICE, A(in, out, n, flags), P(in_at, out_at)); }

int lib_timerfd_create(struct lib_stack *s, int clock, int flags) { CALL(FN_TIMER_CREATE, A(clock, flags)); }

int lib_timerfd_settime(struct lib_stack *s, int fd, int flags, const struct itimerspec *v, struct itimerspec *old) { CALL(FN_TIMER_SET, A(fd, flags), P((void *)v, old)); }

int lib_timerfd_gettime(struct lib_stack *s, int fd, struct itimerspec *v) { CALL(FN_TIMER_GET, A(fd), P(NULL, v)); }
