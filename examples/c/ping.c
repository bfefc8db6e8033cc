/*
 * Two stacks in one process ping each other over a link of 5 ms, in the caller's
 * virtual time: a clock that jumps from event to event. The host is single-threaded:
 * who waits runs the world until it is woken.
 *
 *   make library
 *   gcc -Wall -Wextra -Ibuild/default examples/c/ping.c build/default/liblibos.so -Wl,-rpath,build/default -o build/ping
 *   build/ping
 */
#include <arpa/inet.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libos.h"

#define DELAY 5000000 /* of the link, in ns */

struct frame {
	struct frame *next;
	uint64_t when;
	int to;
	size_t n;
	unsigned char data[];
};

static struct {
	uint64_t now;
	struct lib_stack *stack[2];
	uint64_t deadline[2];
	struct lib_device *device[2];
	struct frame *first, **last; /* in flight, oldest first: all take the same time */
} world = {.deadline = {LIB_NEVER, LIB_NEVER}, .last = &world.first};

/* There is one world: what a function is told and need not know is passed over. */
#define UNUSED __attribute__((unused))

static uint64_t now(UNUSED void *context) { return world.now; }

static void arm(void *side, UNUSED struct lib_stack *stack, uint64_t when) { world.deadline[(intptr_t)side] = when; }

static void transmit(void *side, UNUSED struct lib_device *d, const void *data, size_t n)
{
	struct frame *f = malloc(sizeof(*f) + n);

	f->next = NULL;
	f->when = world.now + DELAY;
	f->to = !(intptr_t)side;
	f->n = n;
	memcpy(f->data, data, n);
	*world.last = f;
	world.last = &f->next;
}

/* step lets the next thing happen: 0 if there is none. */
static int step(void)
{
	struct frame *f = world.first;
	int i = world.deadline[1] < world.deadline[0];

	if (f && f->when <= world.deadline[i]) {
		if (!(world.first = f->next))
			world.last = &world.first;
		if (f->when > world.now)
			world.now = f->when;
		lib_device_deliver(world.device[f->to], f->data, f->n);
		free(f);
		return 1;
	}
	if (world.deadline[i] == LIB_NEVER)
		return 0;
	if (world.deadline[i] > world.now)
		world.now = world.deadline[i];
	world.deadline[i] = LIB_NEVER;
	lib_run_timers(world.stack[i]);
	return 1;
}

static int park(UNUSED void *context, struct lib_waiter *w)
{
	while (!*lib_waiter_user(w))
		if (!step())
			return -1; /* nothing will ever happen */
	*lib_waiter_user(w) = NULL;
	return 0;
}

static void wake(UNUSED void *context, struct lib_waiter *w) { *lib_waiter_user(w) = w; }

static void seed(void *side, void *buf, size_t n) { memset(buf, 1 + (intptr_t)side, n); }

static void die(int side, const char *what)
{
	char text[256];

	lib_error(world.stack[side], text, sizeof(text));
	fprintf(stderr, "%s: %s\n", what, text);
	exit(1);
}

static void build(int side, const char *name, const char *address)
{
	struct lib_host host = {.size = sizeof(host), .context = (void *)(intptr_t)side, .now = now, .arm = arm, .park = park, .wake = wake, .random = seed};
	struct lib_options options = {.size = sizeof(options), .name = name};
	unsigned char hwaddr[6] = {2, 0, 0, 0, 0, 1 + side};
	char error[256];

	world.stack[side] = lib_init(&host, &options, error, sizeof(error));
	if (!world.stack[side]) {
		fprintf(stderr, "%s: %s\n", name, error);
		exit(1);
	}
	world.device[side] = lib_device_add(world.stack[side], "eth0", 1500, hwaddr, transmit, host.context);
	if (!world.device[side] || lib_address_add(world.device[side], address) < 0 || lib_device_up(world.device[side], 1) < 0)
		die(side, name);
}

static void ping(int from, const char *to)
{
	struct sockaddr_in a = {.sin_family = AF_INET};
	int fd = lib_socket(world.stack[from], AF_INET, SOCK_DGRAM, IPPROTO_ICMP);

	inet_pton(AF_INET, to, &a.sin_addr);
	for (int seq = 1; seq <= 3; seq++) {
		struct icmphdr h = {.type = ICMP_ECHO, .un.echo.sequence = htons(seq)}, answer;
		uint64_t start = world.now;
		long n = lib_sendto(world.stack[from], fd, &h, sizeof(h), 0, (struct sockaddr *)&a, sizeof(a));

		if (n == sizeof(h))
			n = lib_recvfrom(world.stack[from], fd, &answer, sizeof(answer), 0, NULL, NULL);
		if (n != sizeof(answer) || answer.type != ICMP_ECHOREPLY) {
			fprintf(stderr, "ping %s: %s\n", to, n < 0 ? strerror(-n) : "a strange answer");
			exit(1);
		}
		printf("%s: seq=%d time=%.3f ms\n", to, ntohs(answer.un.echo.sequence), (world.now - start) / 1e6);
	}
	lib_close(world.stack[from], fd);
}

int main(void)
{
	char error[256];
	int failed = 0;

	build(0, "left", "10.0.0.1/24");
	build(1, "right", "10.0.0.2/24");
	ping(0, "10.0.0.2");
	ping(1, "10.0.0.1");
	for (int side = 0; side < 2; side++)
		if (lib_exit(world.stack[side], error, sizeof(error)) < 0) {
			fprintf(stderr, "%s\n", error);
			failed = 1;
		}
	for (struct frame *f = world.first, *next; f; f = next) {
		next = f->next;
		free(f);
	}
	printf("libos %s, %.3f ms of virtual time\n", lib_version(), world.now / 1e6);
	return failed;
}
