/* What passes between C and Go. Go writes actions into memory of C and never calls C. */
#ifndef LIBOS_CROSSING_H
#define LIBOS_CROSSING_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "libos.h"

enum {
	FN_CREATE, FN_CLOSE, FN_FREE, FN_TAKE, FN_TIMERS, FN_CONTINUE, FN_CANCEL, FN_ERROR,
	FN_DEVICE_ADD, FN_DEVICE_REMOVE, FN_DEVICE_UP, FN_DEVICE_MTU, FN_DELIVER,
	FN_ADDRESS, FN_ROUTE, FN_SYSCTL_GET, FN_SYSCTL_SET, FN_FOLLOW,
	FN_SOCKET, FN_BIND, FN_LISTEN, FN_SHUTDOWN, FN_GETSOCKNAME, FN_GETPEERNAME,
	FN_GETSOCKOPT, FN_SETSOCKOPT, FN_FCNTL, FN_IOCTL, FN_DUP, FN_DUP3, FN_EPOLL_CREATE,
	FN_EPOLL_CTL, FN_PIPE, FN_EVENTFD, FN_TIMER_CREATE, FN_TIMER_SET, FN_TIMER_GET,
	FN_ACCEPT, FN_CONNECT, FN_CLOSEFD, FN_READ, FN_WRITE, FN_READV, FN_WRITEV,
	FN_RECVFROM, FN_SENDTO, FN_RECVMSG, FN_SENDMSG, FN_RECVMMSG, FN_SENDMMSG, FN_POLL, FN_EPOLL_WAIT,
	FN_SPLICE,
};

enum { ACT_TRANSMIT = 1, ACT_WAKE, ACT_LOG, ACT_ARM };

/* action is the head of an action; its data follow, padded to 8 bytes. */
struct action {
	uint32_t kind, size;
	uint64_t id;
};

/* crossing is one call of Go: the arguments, the result, the actions. */
struct crossing {
	uint64_t stack; /* what FN_CREATE gives */
	int32_t fn;
	int32_t number;  /* of the call that waits, valid while blocked */
	uint64_t now;    /* the host's clock */
	int64_t wall;
	int64_t a[6];
	void *p[4];
	int64_t result;   /* as the function has it, or -errno */
	int32_t blocked;  /* the call waits: FN_CONTINUE or FN_CANCEL is next */
	int32_t performer; /* in: the caller performs already; out: there are actions */
	uint8_t *actions;
	uint32_t room, used;
	int32_t *performing; /* 1 while a thread performs the stack's actions */
	int32_t *queued;     /* 1 while actions wait in Go */
};

/* lib_waiter is a sticky token. It lives as long as its stack. */
struct lib_waiter {
	void *user;
	struct lib_stack *stack;
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	int woken;
};

enum { WAITERS = 64, CHUNKS = 1024, ROOM = 512 * 1024 };

struct lib_device {
	struct lib_device *next;
	struct lib_stack *stack;
	lib_transmit transmit;
	void *context;
	int index;
};

struct lib_stack {
	struct lib_host host;
	uint64_t handle;
	int32_t performing, queued;
	uint8_t *actions;
	pthread_mutex_t mutex; /* devices, waiters */
	struct lib_device *devices;
	struct lib_waiter *waiters[CHUNKS];
};

/* libos_cross enters Go once and performs what comes back. */
int64_t libos_cross(struct lib_stack *s, struct crossing *c);
/* libos_call does so until the call is done: it parks between. */
int64_t libos_call(struct lib_stack *s, struct crossing *c);

void libos_waiters_free(struct lib_stack *s);

#endif
