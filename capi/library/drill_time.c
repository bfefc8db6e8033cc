//go:build cgo

/*
 * A host in virtual time for packetdrill: the driver moves the clock from deadline to
 * deadline, and only when no other thread is at work in the stack, so that a
 * script gives the same times at each run.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drill.h"

#define YEAR2000 946684800000000000ULL
#define SECOND 1000000000ULL
#define MOST_FRAMES 65536

static int is_driver(struct drill *d) { return pthread_equal(d->driver, pthread_self()); }

static uint64_t clock_now(void *context)
{
	struct drill *d = context;
	uint64_t now;

	pthread_mutex_lock(&d->mutex);
	now = d->now;
	pthread_mutex_unlock(&d->mutex);
	return now;
}

static void clock_arm(void *context, struct lib_stack *stack, uint64_t when)
{
	struct drill *d = context;

	pthread_mutex_lock(&d->mutex);
	d->deadline = when;
	pthread_mutex_unlock(&d->mutex);
}

static void clock_seed(void *context, void *buf, size_t n)
{
	struct drill *d = context;

	memset(buf, 0, n);
	memcpy(buf, &d->flags.seed, sizeof(d->flags.seed));
}

static void clock_log(void *context, const char *line, size_t n) { fprintf(stderr, "libos: %.*s\n", (int)n, line); }

static void transmit(void *context, struct lib_device *device, const void *data, size_t n)
{
	struct drill *d = context;
	struct drill_frame *f = malloc(sizeof(*f) + n);

	if (!f)
		return;
	memcpy(f->data, data, n);
	f->n = n;
	f->next = NULL;
	pthread_mutex_lock(&d->mutex);
	f->when = d->now;
	if (d->frames == MOST_FRAMES) {
		free(f);
	} else {
		*d->last = f;
		d->last = &f->next;
		d->frames++;
	}
	pthread_mutex_unlock(&d->mutex);
}

/* A waiter's word of the host's: nobody, a wake to come, or one that parks. */
static char woken_mark, parked_mark;

/* tick runs what is due, after the clock moved: with the mutex, which it gives up
 * meanwhile. */
static void tick(struct drill *d)
{
	while (d->deadline <= d->now) {
		d->deadline = LIB_NEVER;
		pthread_mutex_unlock(&d->mutex);
		lib_run_timers(d->stack);
		pthread_mutex_lock(&d->mutex);
	}
}

/* settle waits until nobody else is at work. */
static void settle(struct drill *d)
{
	while (d->busy > 0)
		pthread_cond_wait(&d->idle, &d->mutex);
}

/* advance moves the clock to the next deadline, at most to end: 0 if that comes first. */
static int advance(struct drill *d, uint64_t end)
{
	settle(d);
	if (d->deadline > end)
		return 0;
	if (d->now < d->deadline)
		d->now = d->deadline;
	tick(d);
	settle(d);
	return 1;
}

static void pass(struct drill *d, uint64_t ns)
{
	uint64_t end = d->now + ns;

	while (advance(d, end))
		;
	if (d->now < end)
		d->now = end;
}

/* park of the driver lets time pass; of another thread it tells that it waits. */
static int clock_park(void *context, struct lib_waiter *w)
{
	struct drill *d = context;
	void **word = lib_waiter_user(w);
	int result = 0;

	pthread_mutex_lock(&d->mutex);
	if (is_driver(d)) {
		while (*word != &woken_mark && result == 0)
			if (!advance(d, LIB_NEVER - 1))
				result = *word == &woken_mark ? 0 : -1;
	} else if (*word != &woken_mark) {
		*word = &parked_mark;
		if (--d->busy == 0)
			pthread_cond_broadcast(&d->idle);
		while (*word != &woken_mark)
			pthread_cond_wait(&d->woken, &d->mutex);
	}
	*word = NULL;
	pthread_mutex_unlock(&d->mutex);
	return result;
}

/* wake makes a thread that parks busy at once, before it has run. */
static void clock_wake(void *context, struct lib_waiter *w)
{
	struct drill *d = context;
	void **word = lib_waiter_user(w);

	pthread_mutex_lock(&d->mutex);
	if (*word == &parked_mark) {
		d->busy++;
		pthread_cond_broadcast(&d->woken);
	}
	*word = &woken_mark;
	pthread_mutex_unlock(&d->mutex);
}

void drill_enter(struct drill *d)
{
	if (is_driver(d))
		return;
	pthread_mutex_lock(&d->mutex);
	d->busy++;
	pthread_mutex_unlock(&d->mutex);
}

void drill_leave(struct drill *d)
{
	if (is_driver(d))
		return;
	pthread_mutex_lock(&d->mutex);
	if (--d->busy == 0)
		pthread_cond_broadcast(&d->idle);
	pthread_mutex_unlock(&d->mutex);
}

void drill_follow(struct drill *d)
{
	if (!d->flags.follow)
		return;
	drill_enter(d);
	lib_sysctl_follow(d->stack, NULL);
	drill_leave(d);
}

int drill_netdev_receive(void *userdata, void *packet, size_t *n, long long *usecs)
{
	struct drill *d = userdata;
	struct drill_frame *f;
	uint64_t end;

	pthread_mutex_lock(&d->mutex);
	settle(d);
	end = d->now + d->flags.patience;
	while (!d->first && advance(d, end))
		;
	f = d->first;
	if (!f) {
		if (d->deadline != LIB_NEVER)
			d->now = end;
		*n = 0;
		*usecs = (YEAR2000 + d->now) / 1000;
		pthread_mutex_unlock(&d->mutex);
		return 0;
	}
	if (!(d->first = f->next))
		d->last = &d->first;
	d->frames--;
	pthread_mutex_unlock(&d->mutex);
	if (*n > f->n)
		*n = f->n;
	memcpy(packet, f->data, *n);
	*usecs = (YEAR2000 + f->when) / 1000;
	free(f);
	return 0;
}

int drill_usleep(void *userdata, useconds_t usecs)
{
	struct drill *d = userdata;

	pthread_mutex_lock(&d->mutex);
	pass(d, usecs * 1000ULL);
	pthread_mutex_unlock(&d->mutex);
	return 0;
}

/* A look at the clock takes a microsecond: the program turns in a loop until its time
 * has come. */
int drill_gettimeofday(void *userdata, struct timeval *tv, struct timezone *tz)
{
	struct drill *d = userdata;
	uint64_t usecs;

	pthread_mutex_lock(&d->mutex);
	if (is_driver(d))
		pass(d, 1000);
	usecs = (YEAR2000 + d->now) / 1000;
	pthread_mutex_unlock(&d->mutex);
	tv->tv_sec = usecs / 1000000;
	tv->tv_usec = usecs % 1000000;
	if (tz)
		memset(tz, 0, sizeof(*tz));
	return 0;
}

/* configure adds an address and the gateway of its family, unless the stack lacks it. */
static void configure(struct drill *d, int family, const char *address, const char *gateway)
{
	char route[160], why[256];
	int fd = lib_socket(d->stack, family, SOCK_DGRAM, 0);

	if (fd == -EAFNOSUPPORT && family == AF_INET6)
		return; /* a stack without IPv6 */
	if (fd >= 0)
		lib_close(d->stack, fd);
	snprintf(route, sizeof(route), "default via %s dev tun0", gateway);
	if (lib_address_add(d->device, address) < 0 || lib_route_add(d->stack, route) < 0) {
		lib_error(d->stack, why, sizeof(why));
		drill_fail(address, why);
	}
}

struct drill *drill_new(const char *flags)
{
	struct drill *d = calloc(1, sizeof(*d));
	struct lib_host host = {.size = sizeof(host), .context = d, .now = clock_now, .arm = clock_arm, .park = clock_park, .wake = clock_wake, .random = clock_seed, .log = clock_log};
	struct lib_options options = {.size = sizeof(options), .name = "packetdrill"};
	char why[256];
	struct drill_frame *f;

	if (!d)
		drill_fail("the stack", "no memory");
	drill_flags_read(&d->flags, flags);
	d->driver = pthread_self();
	d->deadline = LIB_NEVER;
	d->last = &d->first;
	pthread_mutex_init(&d->mutex, NULL);
	pthread_cond_init(&d->idle, NULL);
	pthread_cond_init(&d->woken, NULL);
	d->stack = lib_init(&host, &options, why, sizeof(why));
	if (!d->stack)
		drill_fail("the stack", why);
	d->device = lib_device_add(d->stack, "tun0", d->flags.mtu, NULL, transmit, d);
	if (!d->device || lib_device_up(d->device, 1) < 0) {
		lib_error(d->stack, why, sizeof(why));
		drill_fail("tun0", why);
	}
	configure(d, AF_INET, d->flags.local, d->flags.gateway);
	configure(d, AF_INET6, d->flags.local6, d->flags.gateway6);
	drill_follow(d);
	pthread_mutex_lock(&d->mutex);
	pass(d, 10 * SECOND); /* what a new interface has to say is not of the script */
	while ((f = d->first)) {
		d->first = f->next;
		free(f);
	}
	d->last = &d->first;
	d->frames = 0;
	pthread_mutex_unlock(&d->mutex);
	return d;
}

void drill_delete(struct drill *d)
{
	char why[512];
	struct drill_frame *f;

	if (lib_exit(d->stack, why, sizeof(why)) < 0)
		fprintf(stderr, "libos: %s\n", why);
	while ((f = d->first)) {
		d->first = f->next;
		free(f);
	}
	pthread_mutex_destroy(&d->mutex);
	pthread_cond_destroy(&d->idle);
	pthread_cond_destroy(&d->woken);
	free(d);
}
