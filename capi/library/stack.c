//go:build cgo

/* Stacks, their devices and what is said to them as text. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "_cgo_export.h"

static struct lib_stack *refuse(char *error, size_t size, const char *why)
{
	if (size)
		strncpy(error, why, size)[size - 1] = 0;
	return NULL;
}

static void drop(struct lib_stack *s)
{
	struct lib_device *d, *next;

	for (d = s->devices; d; d = next) {
		next = d->next;
		free(d);
	}
	libos_waiters_free(s);
	pthread_mutex_destroy(&s->mutex);
	free(s->actions);
	free(s);
}

struct lib_stack *lib_init(const struct lib_host *host, const struct lib_options *options, char *error, size_t size)
{
	unsigned char seed[32] = {0};
	struct lib_options o = {0};
	struct lib_stack *s;
	struct crossing c = {.fn = FN_CREATE};

	if (!host || host->size != sizeof(*host) || !host->now || !host->arm || (host->park && !host->wake))
		return refuse(error, size, "struct lib_host: size, now and arm must be set, and wake beside park");
	if (options && options->size != sizeof(*options))
		return refuse(error, size, "struct lib_options: size must be its sizeof");
	if (options)
		o = *options;
	s = calloc(1, sizeof(*s));
	if (!s || !(s->actions = malloc(ROOM))) {
		free(s);
		return refuse(error, size, "no memory");
	}
	s->host = *host;
	pthread_mutex_init(&s->mutex, NULL);
	if (host->random)
		host->random(host->context, seed, sizeof(seed));
	else if (getrandom(seed, sizeof(seed), 0) != sizeof(seed)) {
		drop(s);
		return refuse(error, size, "the system has no random numbers");
	}
	c.p[0] = seed;
	c.p[1] = (void *)o.name;
	c.p[2] = (void *)o.config;
	c.p[3] = error;
	c.a[0] = size;
	c.a[1] = o.memory;
	if (libos_cross(s, &c) < 0) {
		drop(s);
		return NULL;
	}
	return s;
}

int lib_exit(struct lib_stack *s, char *error, size_t size)
{
	struct crossing c = {.fn = FN_CLOSE, .a = {size}, .p = {error}};
	int result = libos_cross(s, &c);

	c.fn = FN_FREE; /* the last frames have been transmitted */
	libos_cross(s, &c);
	drop(s);
	return result;
}

int lib_run_timers(struct lib_stack *s)
{
	struct crossing c = {.fn = FN_TIMERS};

	return libos_cross(s, &c);
}

int lib_error(struct lib_stack *s, char *buf, size_t size)
{
	struct crossing c = {.fn = FN_ERROR, .a = {size}, .p = {buf}};

	return libos_cross(s, &c);
}

struct lib_device *lib_device_add(struct lib_stack *s, const char *name, int mtu, const unsigned char *hwaddr, lib_transmit transmit, void *context)
{
	struct lib_device *d = calloc(1, sizeof(*d));
	struct crossing c = {.fn = FN_DEVICE_ADD, .a = {(intptr_t)d, mtu}, .p = {(void *)name, (void *)hwaddr}};

	if (!d)
		return NULL;
	d->stack = s;
	d->transmit = transmit;
	d->context = context;
	d->index = libos_cross(s, &c);
	if (d->index <= 0) {
		free(d);
		return NULL;
	}
	pthread_mutex_lock(&s->mutex);
	d->next = s->devices;
	s->devices = d;
	pthread_mutex_unlock(&s->mutex);
	return d;
}

int lib_device_remove(struct lib_device *d)
{
	struct crossing c = {.fn = FN_DEVICE_REMOVE, .a = {d->index}};

	return libos_cross(d->stack, &c);
}

int lib_device_up(struct lib_device *d, int up)
{
	struct crossing c = {.fn = FN_DEVICE_UP, .a = {d->index, up}};

	return libos_cross(d->stack, &c);
}

int lib_device_mtu(struct lib_device *d, int mtu)
{
	struct crossing c = {.fn = FN_DEVICE_MTU, .a = {d->index, mtu}};

	return libos_cross(d->stack, &c);
}

int lib_device_deliver(struct lib_device *d, const void *data, size_t n)
{
	struct crossing c = {.fn = FN_DELIVER, .a = {d->index, n}, .p = {(void *)data}};

	return libos_cross(d->stack, &c);
}

int lib_device_index(struct lib_device *d) { return d->index; }

static int address(struct lib_device *d, const char *text, int add)
{
	struct crossing c = {.fn = FN_ADDRESS, .a = {d->index, add}, .p = {(void *)text}};

	return libos_cross(d->stack, &c);
}

int lib_address_add(struct lib_device *d, const char *text) { return address(d, text, 1); }

int lib_address_del(struct lib_device *d, const char *text) { return address(d, text, 0); }

static int route(struct lib_stack *s, const char *text, int add)
{
	struct crossing c = {.fn = FN_ROUTE, .a = {add}, .p = {(void *)text}};

	return libos_cross(s, &c);
}

int lib_route_add(struct lib_stack *s, const char *text) { return route(s, text, 1); }

int lib_route_del(struct lib_stack *s, const char *text) { return route(s, text, 0); }

int lib_sysctl_get(struct lib_stack *s, const char *name, char *buf, size_t size)
{
	struct crossing c = {.fn = FN_SYSCTL_GET, .a = {size}, .p = {(void *)name, buf}};

	return libos_cross(s, &c);
}

int lib_sysctl_set(struct lib_stack *s, const char *name, const char *value)
{
	struct crossing c = {.fn = FN_SYSCTL_SET, .p = {(void *)name, (void *)value}};

	return libos_cross(s, &c);
}

int lib_sysctl_follow(struct lib_stack *s, const char *dir)
{
	struct crossing c = {.fn = FN_FOLLOW, .p = {(void *)(dir ? dir : "/proc/sys")}};

	return libos_cross(s, &c);
}

const char *lib_version(void)
{
	static char version[32];

	libos_version(version, sizeof(version));
	return version;
}
