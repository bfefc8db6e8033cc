//go:build cgo

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "_cgo_export.h"

/* The civil time of instant 0 of a host without one: 2000-01-01. */
#define YEAR2000 946684800000000000LL

static void prepare(struct lib_stack *s, struct crossing *c)
{
	c->stack = s->handle;
	c->now = s->host.now(s->host.context);
	c->wall = s->host.wall ? s->host.wall(s->host.context) : YEAR2000 + (int64_t)c->now;
	c->actions = s->actions;
	c->room = ROOM;
	c->used = 0;
	c->performing = &s->performing;
	c->queued = &s->queued;
}

/* waiter finds the waiter of a call, making it and its neighbours on first use. */
static struct lib_waiter *waiter(struct lib_stack *s, uint64_t number)
{
	struct lib_waiter **chunk = &s->waiters[number / WAITERS % CHUNKS];

	pthread_mutex_lock(&s->mutex);
	if (!*chunk) {
		*chunk = calloc(WAITERS, sizeof(**chunk));
		for (int i = 0; *chunk && i < WAITERS; i++) {
			(*chunk)[i].stack = s;
			pthread_mutex_init(&(*chunk)[i].mutex, NULL);
			pthread_cond_init(&(*chunk)[i].cond, NULL);
		}
	}
	pthread_mutex_unlock(&s->mutex);
	return *chunk ? *chunk + number % WAITERS : NULL;
}

void libos_waiters_free(struct lib_stack *s)
{
	for (int c = 0; c < CHUNKS; c++) {
		for (int i = 0; s->waiters[c] && i < WAITERS; i++) {
			pthread_mutex_destroy(&s->waiters[c][i].mutex);
			pthread_cond_destroy(&s->waiters[c][i].cond);
		}
		free(s->waiters[c]);
	}
}

static void act(struct lib_stack *s, const struct action *a)
{
	const struct lib_host *h = &s->host;
	const void *data = a + 1;

	switch (a->kind) {
	case ACT_TRANSMIT: {
		struct lib_device *d = (struct lib_device *)(uintptr_t)a->id;

		d->transmit(d->context, d, data, a->size);
		break;
	}
	case ACT_WAKE: {
		struct lib_waiter *w = waiter(s, a->id);

		if (w && h->wake)
			h->wake(h->context, w);
		break;
	}
	case ACT_LOG:
		if (h->log)
			h->log(h->context, data, a->size);
		break;
	case ACT_ARM:
		h->arm(h->context, s, a->id);
		break;
	}
}

/* perform does what Go asked for, and then what came meanwhile: whoever finds
 * another at it leaves its actions to that one, so that they stay in order. */
static void perform(struct lib_stack *s, struct crossing *c)
{
	struct crossing more;
	int32_t idle;

	for (;;) {
		for (uint32_t at = 0; at < c->used;) {
			const struct action *a = (const void *)(s->actions + at);

			at += sizeof(*a) + ((a->size + 7) & ~7u);
			act(s, a);
		}
		__atomic_store_n(&s->performing, 0, __ATOMIC_SEQ_CST);
		if (!__atomic_load_n(&s->queued, __ATOMIC_SEQ_CST))
			return;
		idle = 0;
		if (!__atomic_compare_exchange_n(&s->performing, &idle, 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			return;
		memset(&more, 0, sizeof(more));
		prepare(s, &more);
		more.fn = FN_TAKE;
		more.performer = 1;
		libos_enter(&more);
		c = &more;
	}
}

int64_t libos_cross(struct lib_stack *s, struct crossing *c)
{
	prepare(s, c);
	c->performer = 0;
	libos_enter(c);
	if (c->fn == FN_CREATE)
		s->handle = c->stack;
	if (c->performer)
		perform(s, c);
	return c->result;
}

int64_t libos_call(struct lib_stack *s, struct crossing *c)
{
	struct lib_waiter *w;

	libos_cross(s, c);
	while (c->blocked) {
		w = s->host.park ? waiter(s, c->number) : NULL;
		/* the function stays in the call, for its results */
		c->blocked = w && s->host.park(s->host.context, w) >= 0 ? FN_CONTINUE : FN_CANCEL;
		libos_cross(s, c);
	}
	return c->result;
}

void **lib_waiter_user(struct lib_waiter *w) { return &w->user; }

struct lib_stack *lib_waiter_stack(struct lib_waiter *w) { return w->stack; }

int lib_thread_park(void *context, struct lib_waiter *w)
{
	pthread_mutex_lock(&w->mutex);
	while (!w->woken)
		pthread_cond_wait(&w->cond, &w->mutex);
	w->woken = 0;
	pthread_mutex_unlock(&w->mutex);
	return 0;
}

void lib_thread_wake(void *context, struct lib_waiter *w)
{
	pthread_mutex_lock(&w->mutex);
	w->woken = 1;
	pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&w->mutex);
}
