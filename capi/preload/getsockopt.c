/*
 * Preloaded into packetdrill (LD_PRELOAD) beside --so_filename=liblibos-VERSION.so: the
 * code of %{ }% reads TCP_INFO by the C library's getsockopt, past the interface. A
 * descriptor of the stack is answered by the stack, which finds libos_preload_getsockopt
 * here and sets it; all others go to the system.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT */
#endif
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

/* It returns 1 if the descriptor is not the stack's. Otherwise it is getsockopt. */
int (*libos_preload_getsockopt)(int fd, int level, int name, void *value, socklen_t *n);

int getsockopt(int fd, int level, int name, void *value, socklen_t *n)
{
	static int (*next)(int, int, int, void *, socklen_t *);

	if (libos_preload_getsockopt) {
		int result = libos_preload_getsockopt(fd, level, name, value, n);

		if (result != 1)
			return result;
	}
	if (!next)
		next = (int (*)(int, int, int, void *, socklen_t *))dlsym(RTLD_NEXT, "getsockopt");
	if (!next) {
		errno = ENOSYS;
		return -1;
	}
	return next(fd, level, name, value, n);
}
