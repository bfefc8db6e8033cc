//go:build cgo

/* Calls that are made of others. */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "libos.h"

/* The events of select's sets, as Linux has them. */
#define IN (POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR)
#define OUT (POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR)
#define EXCEPT POLLPRI

/* answer leaves fd in set if its events are there: 1 if so. */
static int answer(fd_set *set, int fd, int events)
{
	if (!set || !FD_ISSET(fd, set))
		return 0;
	if (events)
		return 1;
	FD_CLR(fd, set);
	return 0;
}

int lib_select(struct lib_stack *s, int n, fd_set *in, fd_set *out, fd_set *except, const struct timeval *timeout)
{
	struct pollfd f[FD_SETSIZE];
	long ms = -1;
	int count = 0, found, ready;

	if (n < 0)
		return -EINVAL;
	if (n > FD_SETSIZE)
		n = FD_SETSIZE;
	if (timeout) {
		if (timeout->tv_sec < 0 || timeout->tv_usec < 0)
			return -EINVAL;
		ms = timeout->tv_sec > 1000000 ? 1000000000 : timeout->tv_sec * 1000 + (timeout->tv_usec + 999) / 1000;
	}
	for (int fd = 0; fd < n; fd++) {
		int events = (in && FD_ISSET(fd, in) ? IN : 0) | (out && FD_ISSET(fd, out) ? OUT : 0) | (except && FD_ISSET(fd, except) ? EXCEPT : 0);

		if (events)
			f[count++] = (struct pollfd){.fd = fd, .events = events};
	}
	do {
		found = lib_poll(s, f, count, ms);
		if (found < 0)
			return found;
		ready = 0;
		for (int i = 0; i < count; i++) {
			if (f[i].revents & POLLNVAL)
				return -EBADF;
			if ((f[i].events & IN && f[i].revents & IN) || (f[i].events & OUT && f[i].revents & OUT) || (f[i].events & EXCEPT && f[i].revents & EXCEPT))
				ready = 1;
			else if (f[i].revents) /* an end that nobody asked about: passed over by poll */
				f[i] = (struct pollfd){.fd = ~f[i].fd};
		}
	} while (found > 0 && !ready && ms < 0);
	ready = 0;
	for (int i = 0; i < count; i++) {
		int fd = f[i].fd < 0 ? ~f[i].fd : f[i].fd;

		ready += answer(in, fd, f[i].revents & IN) + answer(out, fd, f[i].revents & OUT) + answer(except, fd, f[i].revents & EXCEPT);
	}
	return ready;
}

/* PIECE is what lib_sendfile moves at once. */
#define PIECE 65536

ssize_t lib_sendfile(struct lib_stack *s, int out, int in, off_t *at, size_t n)
{
	off_t from = at ? *at : lseek(in, 0, SEEK_CUR);
	ssize_t sent = 0, got, put = 0;
	char *b;

	if (from < 0)
		return at ? -EINVAL : -errno;
	b = malloc(PIECE);
	if (!b)
		return -ENOMEM;
	while ((size_t)sent < n) {
		got = pread(in, b, n - sent < PIECE ? n - sent : PIECE, from + sent);
		if (got <= 0) {
			put = got < 0 ? -errno : 0;
			break;
		}
		put = lib_write(s, out, b, got);
		if (put < 0)
			break;
		sent += put;
		if (put < got)
			break;
	}
	free(b);
	if (at)
		*at = from + sent;
	else
		lseek(in, from + sent, SEEK_SET);
	return sent > 0 || put >= 0 ? sent : put;
}
