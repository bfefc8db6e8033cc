/* The stack behind packetdrill's interface, and its virtual time. */
#ifndef LIBOS_DRILL_H
#define LIBOS_DRILL_H

#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>

#include "libos.h"
#include "packetdrill.h"

/* What flags say, or the surroundings, or nobody. */
struct drill_flags {
	char local[64], local6[64], gateway[64], gateway6[64];
	int mtu, follow;
	uint64_t patience; /* ns */
	unsigned seed;
};

struct drill_frame {
	struct drill_frame *next;
	uint64_t when;
	size_t n;
	unsigned char data[];
};

/* One thread drives time; it is the driver. Others make calls that may block. */
struct drill {
	struct lib_stack *stack;
	struct lib_device *device;
	struct drill_flags flags;

	pthread_t driver;
	pthread_mutex_t mutex; /* all below */
	pthread_cond_t idle;   /* busy became 0 */
	pthread_cond_t woken;  /* a waiter was woken */
	uint64_t now, deadline;
	int busy; /* threads beside the driver that are in a call and do not wait */
	struct drill_frame *first, **last;
	size_t frames;
};

/* drill_flags_read fills f from the text of the flags and the surroundings. */
void drill_flags_read(struct drill_flags *f, const char *text);
/* drill_fail ends the process. */
void drill_fail(const char *what, const char *why) __attribute__((noreturn));

struct drill *drill_new(const char *flags);
void drill_delete(struct drill *);

/* drill_enter and drill_leave surround a call. */
void drill_enter(struct drill *);
void drill_leave(struct drill *);
/* drill_follow takes the settings of the network namespace. */
void drill_follow(struct drill *);

int drill_netdev_receive(void *userdata, void *packet, size_t *n, long long *usecs);
int drill_usleep(void *userdata, useconds_t usecs);
int drill_gettimeofday(void *userdata, struct timeval *, struct timezone *);

#endif
