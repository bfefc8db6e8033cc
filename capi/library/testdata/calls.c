/*
 * System calls of a stack in real time: a thread is its timer, others wait in calls. All
 * is sent over the loopback device. Every part ends with a stack that leaves nothing.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "libos.h"

/* world is a host in real time. */
struct world {
	struct lib_stack *stack;
	pthread_t timer;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	uint64_t deadline;
	int over;
};

#define UNUSED __attribute__((unused))

static uint64_t now(UNUSED void *context)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void arm(void *context, UNUSED struct lib_stack *stack, uint64_t when)
{
	struct world *w = context;

	pthread_mutex_lock(&w->mutex);
	w->deadline = when;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
}

static void *timer(void *context)
{
	struct world *w = context;

	pthread_mutex_lock(&w->mutex);
	while (!w->over) {
		if (w->deadline <= now(w)) {
			w->deadline = LIB_NEVER;
			pthread_mutex_unlock(&w->mutex);
			lib_run_timers(w->stack);
			pthread_mutex_lock(&w->mutex);
		} else if (w->deadline == LIB_NEVER) {
			pthread_cond_wait(&w->changed, &w->mutex);
		} else {
			struct timespec t = {w->deadline / 1000000000, w->deadline % 1000000000};

			pthread_cond_timedwait(&w->changed, &w->mutex, &t);
		}
	}
	pthread_mutex_unlock(&w->mutex);
	return NULL;
}

static struct lib_stack *start(struct world *w)
{
	struct lib_host host = {.size = sizeof(host), .context = w, .now = now, .arm = arm, .park = lib_thread_park, .wake = lib_thread_wake};
	pthread_condattr_t a;
	char why[256];

	*w = (struct world){.deadline = LIB_NEVER};
	pthread_mutex_init(&w->mutex, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &a);
	pthread_condattr_destroy(&a);
	w->stack = lib_init(&host, NULL, why, sizeof(why));
	if (!w->stack) {
		printf("%s\n", why);
		exit(1);
	}
	assert(pthread_create(&w->timer, NULL, timer, w) == 0);
	return w->stack;
}

/* stop ends the timer and the stack, of which nothing may be left. */
static void stop(struct world *w)
{
	char why[1024] = "";
	int result;

	pthread_mutex_lock(&w->mutex);
	w->over = 1;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->mutex);
	pthread_join(w->timer, NULL);
	result = lib_exit(w->stack, why, sizeof(why));
	if (result != 0 || *why) {
		printf("lib_exit: %d %s\n", result, why);
		exit(1);
	}
	pthread_mutex_destroy(&w->mutex);
	pthread_cond_destroy(&w->changed);
}

static struct sockaddr_in v4(int port) { return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}; }

static struct sockaddr_in6 v6(int port) { return (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT}; }

static int receiver(struct lib_stack *s, int port)
{
	struct sockaddr_in a = v4(port);
	int fd = lib_socket(s, AF_INET, SOCK_DGRAM, 0);

	assert(fd >= 0 && lib_bind(s, fd, (void *)&a, sizeof(a)) == 0);
	return fd;
}

static int sender(struct lib_stack *s, int port)
{
	struct sockaddr_in a = v4(port);
	int fd = lib_socket(s, AF_INET, SOCK_DGRAM, 0);

	assert(fd >= 0 && lib_connect(s, fd, (void *)&a, sizeof(a)) == 0);
	return fd;
}

/* pair is a connection. */
static void pair(struct lib_stack *s, int port, int *client, int *server)
{
	struct sockaddr_in a = v4(port);
	int listener = lib_socket(s, AF_INET, SOCK_STREAM, 0);

	*client = lib_socket(s, AF_INET, SOCK_STREAM, 0);
	assert(lib_bind(s, listener, (void *)&a, sizeof(a)) == 0 && lib_listen(s, listener, 1) == 0);
	assert(lib_connect(s, *client, (void *)&a, sizeof(a)) == 0);
	*server = lib_accept4(s, listener, NULL, NULL, 0);
	assert(*server >= 0 && lib_close(s, listener) == 0);
}

static void epoll(struct lib_stack *s)
{
	int ep = lib_epoll_create1(s, 0), rx = receiver(s, 7), tx = sender(s, 7), end = lib_eventfd(s, 0, 0);
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789abcdefULL}, out[4];
	char b[10];

	assert(lib_epoll_ctl(s, ep, EPOLL_CTL_ADD, rx, &e) == 0);
	assert(lib_epoll_ctl(s, ep, EPOLL_CTL_ADD, rx, &e) == -EEXIST);
	e = (struct epoll_event){.events = EPOLLIN, .data.fd = end};
	assert(lib_epoll_ctl(s, ep, EPOLL_CTL_ADD, end, &e) == 0);
	assert(lib_epoll_wait(s, ep, out, 4, 20) == 0);
	assert(lib_write(s, tx, "x", 1) == 1);
	assert(lib_epoll_wait(s, ep, out, 4, -1) == 1 && out[0].data.u64 == 0x123456789abcdefULL && out[0].events == EPOLLIN);
	assert(lib_epoll_wait(s, ep, out, 4, 0) == 0); /* an edge is told of once */
	assert(lib_read(s, rx, b, sizeof(b)) == 1);
	assert(lib_write(s, end, &(uint64_t){1}, 8) == 8 && lib_write(s, tx, "y", 1) == 1);
	assert(lib_epoll_wait(s, ep, out, 4, -1) == 2);
	assert(lib_epoll_ctl(s, ep, EPOLL_CTL_DEL, rx, NULL) == 0 && lib_epoll_ctl(s, ep, EPOLL_CTL_DEL, rx, NULL) == -ENOENT);
	assert(lib_close(s, rx) == 0 && lib_close(s, tx) == 0 && lib_close(s, end) == 0 && lib_close(s, ep) == 0);
	printf("epoll\n");
}

static void splice_bytes(struct lib_stack *s)
{
	int client, server, p[2];
	char b[100] = "";

	pair(s, 80, &client, &server);
	assert(lib_pipe2(s, p, 0) == 0);
	assert(lib_write(s, client, "through a pipe", 14) == 14);
	assert(lib_splice(s, server, NULL, p[1], NULL, 100, 0) == 14);
	assert(lib_splice(s, p[0], NULL, server, NULL, 7, 0) == 7);
	assert(lib_splice(s, p[0], NULL, server, NULL, 100, 0) == 7);
	assert(lib_recvfrom(s, client, b, 14, MSG_WAITALL, NULL, NULL) == 14 && !strcmp(b, "through a pipe"));
	assert(lib_splice(s, client, NULL, server, NULL, 1, 0) == -EINVAL); /* one of them is a pipe */
	assert(lib_close(s, p[0]) == 0 && lib_close(s, p[1]) == 0 && lib_close(s, client) == 0 && lib_close(s, server) == 0);
	printf("splice\n");
}

static void messages(struct lib_stack *s)
{
	int rx = receiver(s, 9), tx = sender(s, 9), one = 1, ttl = 9;
	char a[3] = "", b[100] = "";
	union { struct cmsghdr h; char room[256]; } control;
	struct sockaddr_in from;
	struct iovec v[2] = {{a, 2}, {b, 100}};
	struct msghdr m = {.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = v, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = sizeof(control)};
	struct mmsghdr many[3];
	struct iovec w[3];
	char text[3][10] = {"one", "two", "three"};
	struct timespec none = {0, 0};
	struct cmsghdr *c;

	assert(lib_setsockopt(s, rx, IPPROTO_IP, IP_PKTINFO, &one, 4) == 0 && lib_setsockopt(s, tx, IPPROTO_IP, IP_TTL, &ttl, 4) == 0);
	assert(lib_setsockopt(s, rx, IPPROTO_IP, IP_RECVTTL, &one, 4) == 0);
	assert(lib_write(s, tx, "hello", 5) == 5);
	assert(lib_recvmsg(s, rx, &m, 0) == 5 && !strcmp(a, "he") && !strcmp(b, "llo"));
	assert(m.msg_namelen == sizeof(from) && from.sin_addr.s_addr == htonl(INADDR_LOOPBACK) && m.msg_flags == 0);
	for (c = CMSG_FIRSTHDR(&m), one = 0; c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_type == IP_PKTINFO)
			one |= ((struct in_pktinfo *)CMSG_DATA(c))->ipi_addr.s_addr == htonl(INADDR_LOOPBACK) ? 1 : 4;
		if (c->cmsg_type == IP_TTL)
			one |= *(int *)CMSG_DATA(c) == 9 ? 2 : 4;
	}
	assert(one == 3);
	m = (struct msghdr){.msg_iov = v, .msg_iovlen = 1};
	assert(lib_sendmsg(s, tx, &(struct msghdr){.msg_iov = (struct iovec[]){{"lo", 2}, {"ng", 2}}, .msg_iovlen = 2}, 0) == 4);
	assert(lib_recvmsg(s, rx, &m, MSG_TRUNC) == 4 && m.msg_flags == (MSG_TRUNC | MSG_CTRUNC));
	one = 0;
	assert(lib_setsockopt(s, rx, IPPROTO_IP, IP_PKTINFO, &one, 4) == 0 && lib_setsockopt(s, rx, IPPROTO_IP, IP_RECVTTL, &one, 4) == 0);
	assert(lib_recvmsg(s, rx, NULL, 0) == -EFAULT);

	for (int i = 0; i < 3; i++) {
		w[i] = (struct iovec){text[i], strlen(text[i])};
		many[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &w[i], .msg_iovlen = 1}};
	}
	assert(lib_sendmmsg(s, tx, many, 3, 0) == 3 && many[2].msg_len == 5);
	memset(text, 0, sizeof(text));
	for (int i = 0; i < 3; i++) {
		w[i].iov_len = 4;
		many[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &w[i], .msg_iovlen = 1, .msg_name = &from, .msg_namelen = sizeof(from)}};
	}
	assert(lib_recvmmsg(s, rx, many, 3, MSG_WAITFORONE, NULL) == 3);
	assert(!strcmp(text[0], "one") && !strcmp(text[1], "two") && !memcmp(text[2], "thre", 5));
	assert(many[0].msg_len == 3 && many[2].msg_len == 4 && many[2].msg_hdr.msg_flags == MSG_TRUNC && many[1].msg_hdr.msg_namelen == sizeof(from));
	assert(lib_write(s, tx, "a", 1) == 1 && lib_write(s, tx, "b", 1) == 1);
	assert(lib_recvmmsg(s, rx, many, 3, 0, &none) == 1 && lib_recvmmsg(s, rx, many, 3, MSG_DONTWAIT, NULL) == 1);
	assert(lib_recvmmsg(s, rx, many, 3, MSG_DONTWAIT, NULL) == -EAGAIN && lib_recvmmsg(s, rx, NULL, 1, 0, NULL) == -EFAULT);
	assert(lib_recvmmsg(s, rx, many, 3, 0, &(struct timespec){0, -1}) == -EINVAL);
	assert(lib_close(s, rx) == 0 && lib_close(s, tx) == 0);
	printf("messages\n");
}

static void ipv6(struct lib_stack *s)
{
	int listener = lib_socket(s, AF_INET6, SOCK_STREAM, 0), client = lib_socket(s, AF_INET6, SOCK_STREAM, 0), server;
	struct sockaddr_in6 a = v6(443), from;
	socklen_t n = sizeof(from);
	char b[10];

	assert(lib_bind(s, listener, (void *)&a, sizeof(a)) == 0 && lib_listen(s, listener, 1) == 0);
	assert(lib_connect(s, client, (void *)&a, sizeof(a)) == 0);
	server = lib_accept4(s, listener, (void *)&from, &n, SOCK_NONBLOCK);
	assert(server >= 0 && n == sizeof(from) && from.sin6_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&from.sin6_addr));
	assert(lib_read(s, server, b, 1) == -EAGAIN);
	n = sizeof(from);
	assert(lib_getpeername(s, client, (void *)&from, &n) == 0 && from.sin6_port == htons(443));
	assert(lib_bind(s, lib_socket(s, AF_INET6, SOCK_DGRAM, 0), (void *)&a, 5) == -EINVAL);
	printf("ipv6\n"); /* and lib_exit ends what is open */
}

static void readiness(struct lib_stack *s)
{
	int client, server, t = lib_timerfd_create(s, CLOCK_MONOTONIC, 0), file = memfd_create("file", 0);
	struct itimerspec v = {.it_value = {0, 20000000}, .it_interval = {0, 10000000}}, old;
	struct timeval little = {0, 1000};
	uint64_t ticks = 0, before = now(NULL);
	fd_set in, out;
	off_t at = 3;
	char b[100] = "";

	pair(s, 81, &client, &server);
	FD_ZERO(&in);
	FD_SET(server, &in);
	assert(lib_select(s, server + 1, &in, NULL, NULL, &little) == 0 && !FD_ISSET(server, &in));
	assert(lib_timerfd_settime(s, t, 0, &v, &old) == 0 && old.it_value.tv_nsec == 0);
	FD_ZERO(&out);
	FD_SET(client, &out);
	FD_SET(t, &in);
	FD_SET(server, &in);
	assert(lib_select(s, FD_SETSIZE, &in, &out, NULL, NULL) == 1 && FD_ISSET(client, &out) && !FD_ISSET(t, &in));
	FD_SET(t, &in);
	assert(lib_select(s, FD_SETSIZE, &in, NULL, NULL, NULL) == 1 && FD_ISSET(t, &in) && now(NULL) >= before + 20000000);
	assert(lib_read(s, t, &ticks, sizeof(ticks)) == sizeof(ticks) && ticks >= 1);
	assert(lib_timerfd_gettime(s, t, &old) == 0 && old.it_interval.tv_nsec == 10000000 && old.it_value.tv_nsec <= 10000000);
	assert(lib_timerfd_settime(s, server, 0, &v, NULL) == -EINVAL && lib_timerfd_settime(s, t, 0, NULL, NULL) == -EFAULT);
	FD_SET(99, &in);
	assert(lib_select(s, 100, &in, NULL, NULL, NULL) == -EBADF && lib_select(s, -1, NULL, NULL, NULL, NULL) == -EINVAL);

	assert(file >= 0 && write(file, "of a file", 9) == 9 && lseek(file, 5, SEEK_SET) == 5);
	assert(lib_sendfile(s, client, file, &at, 2) == 2 && at == 5 && lseek(file, 0, SEEK_CUR) == 5);
	assert(lib_sendfile(s, client, file, NULL, 100) == 4 && lseek(file, 0, SEEK_CUR) == 9 && lib_sendfile(s, client, file, NULL, 100) == 0);
	assert(lib_sendfile(s, 99, file, &(off_t){0}, 1) == -EBADF && lib_sendfile(s, client, -1, &(off_t){0}, 1) == -EBADF);
	assert(lib_recvfrom(s, server, b, 6, MSG_WAITALL, NULL, NULL) == 6 && !strcmp(b, "a file"));
	close(file);
	printf("select, timers and files\n");
}

/* What two threads do at once, in one stack. */
struct worker {
	struct lib_stack *s;
	int port;
	pthread_t thread;
};

enum { ROUNDS = 200 };

/* interfaces changes lo by requests with a struct, and with pointers in it. */
static void interfaces(struct lib_stack *s)
{
	int fd = lib_socket(s, AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = {.ifr_name = "lo", .ifr_mtu = 3000}, list[4];
	struct ifconf all = {.ifc_len = sizeof(list), .ifc_req = list};
	struct sockaddr_in *address = (void *)&r.ifr_addr;
	struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = "lo"};

	assert(lib_ioctl(s, fd, SIOCSIFMTU, &r) == 0);
	r.ifr_mtu = 0;
	assert(lib_ioctl(s, fd, SIOCGIFMTU, &r) == 0 && r.ifr_mtu == 3000);
	memset(&r.ifr_addr, 0, sizeof(r.ifr_addr));
	strcpy(r.ifr_name, "lo:1");
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = inet_addr("10.1.2.3");
	assert(lib_ioctl(s, fd, SIOCSIFADDR, &r) == 0);
	assert(lib_ioctl(s, fd, SIOCGIFCONF, &all) == 0 && all.ifc_len == 2 * sizeof(*list));
	assert(strcmp(list[1].ifr_name, "lo:1") == 0);
	all.ifc_len = sizeof(*list);
	assert(lib_ioctl(s, fd, SIOCGIFCONF, &all) == 0 && all.ifc_len == sizeof(*list));
	assert(lib_ioctl(s, fd, SIOCGIFCONF, NULL) == -EFAULT);
	for (int i = 0; i < 3; i++)
		((struct sockaddr_in *)((struct sockaddr *[]){&route.rt_dst, &route.rt_gateway, &route.rt_genmask})[i])->sin_family = AF_INET;
	((struct sockaddr_in *)&route.rt_dst)->sin_addr.s_addr = inet_addr("10.77.0.0");
	((struct sockaddr_in *)&route.rt_genmask)->sin_addr.s_addr = inet_addr("255.255.0.0");
	assert(lib_ioctl(s, fd, SIOCADDRT, &route) == 0 && lib_ioctl(s, fd, SIOCADDRT, &route) == -EEXIST);
	route.rt_dev = "none";
	assert(lib_ioctl(s, fd, SIOCDELRT, &route) == -ENODEV);
	route.rt_dev = "lo";
	assert(lib_ioctl(s, fd, SIOCDELRT, &route) == 0);
	lib_close(s, fd);
}

static void *echo(void *p)
{
	struct worker *w = p;
	int client, server;
	char b[1000], c[1000];

	pair(w->s, w->port, &client, &server);
	for (int i = 0; i < ROUNDS; i++) {
		memset(b, i, sizeof(b));
		assert(lib_write(w->s, client, b, sizeof(b)) == sizeof(b));
		assert(lib_recvfrom(w->s, server, c, sizeof(c), MSG_WAITALL, NULL, NULL) == sizeof(c) && !memcmp(b, c, sizeof(b)));
	}
	assert(lib_close(w->s, client) == 0 && lib_read(w->s, server, b, 1) == 0 && lib_close(w->s, server) == 0);
	return NULL;
}

/* One thread waits in a read until another writes. */
static void *waiting(void *p)
{
	struct worker *w = p;
	char b[10];

	for (int i = 0; i < ROUNDS; i++)
		assert(lib_read(w->s, w->port, b, sizeof(b)) == 1);
	return NULL;
}

static void threads(struct lib_stack *s)
{
	struct worker w[2] = {{.s = s, .port = 1000}, {.s = s, .port = 1001}};
	int rx = receiver(s, 5000), tx = sender(s, 5000);
	struct worker r = {.s = s, .port = rx};

	for (int i = 0; i < 2; i++)
		assert(pthread_create(&w[i].thread, NULL, echo, &w[i]) == 0);
	assert(pthread_create(&r.thread, NULL, waiting, &r) == 0);
	for (int i = 0; i < ROUNDS; i++)
		assert(lib_write(s, tx, "x", 1) == 1);
	for (int i = 0; i < 2; i++)
		pthread_join(w[i].thread, NULL);
	pthread_join(r.thread, NULL);
	printf("threads\n");
}

int main(void)
{
	void (*parts[])(struct lib_stack *) = {epoll, splice_bytes, messages, ipv6, interfaces, readiness, threads};
	struct world w;
	size_t before = 0;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		parts[i](start(&w));
		stop(&w);
	}
	for (int i = 0; i < 20; i++) { /* no memory of C is left either */
		start(&w);
		receiver(w.stack, 1);
		assert(lib_write(w.stack, sender(w.stack, 1), "x", 1) == 1);
		stop(&w);
		if (i == 9)
			before = mallinfo2().uordblks;
	}
	if (mallinfo2().uordblks > before + 1000)
		printf("%zu bytes are left of 10 stacks\n", mallinfo2().uordblks - before);
	printf("nothing left\n");
	return 0;
}
