/*
 * A program that drives the stack as packetdrill does: the library is opened at run
 * time, time is looked at in a loop, packets are sniffed, a call that blocks is in
 * another thread. It plays the other side of a connection: handshake, data, close.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packetdrill.h"

static struct packetdrill_interface i;

struct packet {
	unsigned char ip[20];
	unsigned char tcp[20]; /* with options behind, as far as data goes */
	unsigned char rest[2000];
};

static unsigned sum(const void *p, size_t n, unsigned s)
{
	const unsigned char *b = p;

	for (size_t k = 0; k < n; k++)
		s += k & 1 ? b[k] : b[k] << 8;
	return s;
}

static unsigned fold(unsigned s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

static void put(unsigned char *p, unsigned v, int n)
{
	while (n--) {
		p[n] = v;
		v >>= 8;
	}
}

static unsigned get(const unsigned char *p, int n)
{
	unsigned v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static unsigned tcp_sum(const unsigned char *p, size_t n) { return fold(sum(p + 12, 8, 6 + (n - 20)) + sum(p + 20, n - 20, 0)); }

static void inject(int flags, unsigned seq, unsigned ack, const char *data)
{
	struct packet p = {.ip = {0x45, [8] = 64, [9] = 6, [12] = 192, 0, 2, 1, 192, 168, 0, 1}};
	size_t n = 40 + strlen(data);

	put(p.ip + 2, n, 2);
	put(p.ip + 10, fold(sum(p.ip, 20, 0)), 2);
	put(p.tcp, 40000, 2);
	put(p.tcp + 2, 8080, 2);
	put(p.tcp + 4, seq, 4);
	put(p.tcp + 8, ack, 4);
	p.tcp[12] = 0x50;
	p.tcp[13] = flags;
	put(p.tcp + 14, 32792, 2);
	memcpy(p.rest, data, strlen(data));
	put(p.tcp + 16, tcp_sum(p.ip, n), 2);
	assert(i.netdev_send(i.userdata, &p, n) == 0);
}

/* sniff takes the next TCP segment, which must have these flags. */
static long long sniff(int flags, unsigned *seq, unsigned *ack, char *data)
{
	unsigned char b[2048];
	long long when;
	size_t n = sizeof(b), head;

	assert(i.netdev_receive(i.userdata, b, &n, &when) == 0);
	assert(n >= 40 && b[0] == 0x45 && get(b + 2, 2) == n && b[9] == 6);
	assert(tcp_sum(b, n) == 0 && fold(sum(b, 20, 0)) == 0);
	if (b[33] != flags) {
		printf("flags %#x, expected %#x\n", b[33], flags);
		exit(1);
	}
	*seq = get(b + 24, 4);
	*ack = get(b + 28, 4);
	head = 20 + (b[32] >> 4) * 4;
	if (data) {
		memcpy(data, b + head, n - head);
		data[n - head] = 0;
	}
	return when;
}

static long long usecs(void)
{
	struct timeval tv;

	assert(i.gettimeofday(i.userdata, &tv, NULL) == 0);
	return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* wait lets time pass as the program does: sleep until shortly before, then look. */
static void wait(long long until)
{
	long long now = usecs();

	if (until - now > 20)
		i.usleep(i.userdata, until - now - 20);
	while (usecs() < until)
		;
}

struct blocked {
	int fd, result;
	char data[100];
	volatile int over;
};

static void *accepting(void *p)
{
	struct blocked *b = p;
	struct sockaddr_in a;
	socklen_t n = sizeof(a);

	b->result = i.accept(i.userdata, b->fd, (void *)&a, &n);
	assert(n == sizeof(a) && a.sin_port == htons(40000));
	b->over = 1;
	return NULL;
}

static void *reading(void *p)
{
	struct blocked *b = p;

	b->result = i.read(i.userdata, b->fd, b->data, sizeof(b->data));
	b->over = 1;
	return NULL;
}

enum { FIN = 1, SYN = 2, PSH = 8, ACK = 16 };

int main(int argc, char **argv)
{
	void *so = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND);
	void (*init)(const char *, struct packetdrill_interface *);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(8080)};
	struct tcp_info info;
	struct blocked b = {0};
	socklen_t n = sizeof(info);
	unsigned seq, ack, theirs, mine = 1000;
	long long when, start;
	char data[2048];
	pthread_t t;
	size_t size = sizeof(data);

	if (!so) {
		printf("%s\n", dlerror());
		return 1;
	}
	init = dlsym(so, "packetdrill_interface_init");
	init(argc > 2 ? argv[2] : NULL, &i);
	for (void **f = (void **)&i; f < (void **)(&i + 1); f++)
		assert(*f);
	assert(sizeof(i) == 33 * sizeof(void *));

	/* time passes by itself */
	start = usecs();
	for (int k = 0; k < 1000; k++)
		usecs();
	assert(usecs() == start + 1001);
	wait(start + 100000);

	b.fd = i.socket(i.userdata, AF_INET, SOCK_STREAM, 0);
	assert(b.fd >= 0 && i.bind(i.userdata, b.fd, (void *)&a, sizeof(a)) == 0 && i.listen(i.userdata, b.fd, 1) == 0);
	assert(pthread_create(&t, NULL, accepting, &b) == 0);
	inject(SYN, mine++, 0, "");
	sniff(SYN | ACK, &theirs, &ack, NULL);
	assert(ack == mine);
	theirs++;
	wait(start + 200000);
	inject(ACK, mine, theirs, "");
	pthread_join(t, NULL);
	assert(b.result >= 0);
	printf("accepted\n");

	b.fd = b.result;
	b.over = 0;
	assert(pthread_create(&t, NULL, reading, &b) == 0);
	wait(start + 300000);
	assert(!b.over);
	inject(PSH | ACK, mine, theirs, "hello");
	mine += 5;
	pthread_join(t, NULL);
	assert(b.result == 5 && !memcmp(b.data, "hello", 5));
	sniff(ACK, &seq, &ack, NULL);
	assert(ack == mine);
	assert(i.write(i.userdata, b.fd, "world", 5) == 5);
	when = sniff(PSH | ACK, &seq, &ack, data);
	assert(seq == theirs && !strcmp(data, "world"));

	/* nobody acknowledges it: it comes again, and virtual time has passed */
	assert(sniff(PSH | ACK, &seq, &ack, data) > when + 100000);
	assert(seq == theirs);
	inject(ACK, mine, theirs += 5, "");
	memset(&info, 0, sizeof(info));
	assert((argc > 3 ? getsockopt(b.fd, IPPROTO_TCP, TCP_INFO, &info, &n) : i.getsockopt(i.userdata, b.fd, IPPROTO_TCP, TCP_INFO, &info, &n)) == 0);
	assert(info.tcpi_state == TCP_ESTABLISHED && info.tcpi_unacked == 0);
	printf("data\n");

	/* a call of the driver itself that nothing can end does not hang */
	assert(i.read(i.userdata, b.fd, data, 1) == -1 && errno == EAGAIN);
	size = sizeof(data);
	assert(i.netdev_receive(i.userdata, data, &size, &when) == 0 && size == 0);

	assert(i.close(i.userdata, b.fd) == 0);
	sniff(FIN | ACK, &seq, &ack, NULL);
	assert(seq == theirs);
	inject(FIN | ACK, mine, theirs + 1, "");
	sniff(ACK, &seq, &ack, NULL);
	assert(ack == mine + 1);
	assert(i.close(i.userdata, b.fd) == -1 && errno == EBADF);
	i.free(i.userdata);
	printf("closed\n");
	return 0;
}
