/*
 * The surroundings of packetdrill: it runs in a network namespace, makes tun0 there,
 * and its scripts write settings below /proc/sys. The stack takes addresses, MTU
 * and settings from there. Where no namespace can be made, it says so and why.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "packetdrill.h"

static struct packetdrill_interface i;

static void need(int ok, const char *what)
{
	if (ok)
		return;
	printf("no namespace: %s: %s\n", what, strerror(errno));
	exit(0);
}

static unsigned fold(unsigned s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return ~s & 0xffff;
}

static unsigned sum(const unsigned char *b, size_t n)
{
	unsigned s = 0;

	for (size_t k = 0; k < n; k++)
		s += k & 1 ? b[k] : b[k] << 8;
	return s;
}

static void put(unsigned char *p, unsigned v)
{
	p[0] = v >> 8;
	p[1] = v;
}

/* answer sends a SYN with options and returns those of the answer: MSS, and bits for SACK,
 * timestamps and window scale. */
static unsigned answer(int port, int *mss)
{
	unsigned char b[2048], p[60] = {0x45, [3] = 60, [8] = 64, 6, [12] = 192, 0, 2, 1, 10, 7, 0, 1,
		[32] = 0xa0, 2, 0x80, 0, [40] = 2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
	size_t n = sizeof(b), head;
	long long when;
	unsigned has = 0;

	put(p + 20, port);
	put(p + 22, 8080);
	put(p + 10, fold(sum(p, 20)));
	put(p + 36, fold(sum(p + 12, 8) + 6 + 40 + sum(p + 20, 40)));
	assert(i.netdev_send(i.userdata, p, sizeof(p)) == 0);
	assert(i.netdev_receive(i.userdata, b, &n, &when) == 0);
	assert(n >= 44 && b[9] == 6 && b[33] == 0x12 && !memcmp(b + 12, "\x0a\x07\x00\x01", 4)); /* a SYN-ACK of 10.7.0.1 */
	head = 20 + (b[32] >> 4) * 4;
	for (size_t k = 40; k < head; k += b[k] < 2 ? 1 : b[k + 1]) {
		if (b[k] == 2)
			*mss = b[k + 2] << 8 | b[k + 3];
		has |= b[k] == 4 ? 1 : b[k] == 8 ? 2 : b[k] == 3 ? 4 : 0;
	}
	return has;
}

static void setting(const char *name, const char *value)
{
	FILE *f = fopen(name, "w");

	need(f != NULL, name);
	assert(fputs(value, f) >= 0 && fclose(f) == 0);
}

int main(int argc, char **argv)
{
	struct ifreq r = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "tun0"};
	void (*init)(const char *, struct packetdrill_interface *);
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(8080)};
	struct sockaddr_in6 a6 = {.sin6_family = AF_INET6};
	int fd, mss = 0, tun;
	void *so;

	assert(argc == 2);
	need(unshare(CLONE_NEWNET) == 0, "unshare");
	tun = open("/dev/net/tun", O_RDWR);
	need(tun >= 0 && ioctl(tun, TUNSETIFF, &r) == 0, "/dev/net/tun");
	need(system("ip addr add 10.7.0.1/24 dev tun0 && ip addr add 2001:db8:7::1/64 dev tun0 nodad && ip link set tun0 mtu 1400 up") == 0, "ip");
	setting("/proc/sys/net/ipv4/tcp_sack", "0");

	so = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | RTLD_DEEPBIND);
	if (!so) {
		printf("%s\n", dlerror());
		return 1;
	}
	init = (void (*)(const char *, struct packetdrill_interface *))dlsym(so, "packetdrill_interface_init");
	init("gateway=10.7.0.9,gateway6=2001:db8:7::9", &i);

	/* the addresses are those of tun0, and no others */
	fd = i.socket(i.userdata, AF_INET6, SOCK_DGRAM, 0);
	assert(fd >= 0 && inet_pton(AF_INET6, "fd3d:fa7b:d17d::1", &a6.sin6_addr) == 1);
	assert(i.bind(i.userdata, fd, (void *)&a6, sizeof(a6)) == -1 && errno == EADDRNOTAVAIL);
	assert(inet_pton(AF_INET6, "2001:db8:7::1", &a6.sin6_addr) == 1 && i.bind(i.userdata, fd, (void *)&a6, sizeof(a6)) == 0);
	assert(i.close(i.userdata, fd) == 0);

	/* the MTU is that of tun0, and a setting of before holds */
	fd = i.socket(i.userdata, AF_INET, SOCK_STREAM, 0);
	assert(fd >= 0 && i.bind(i.userdata, fd, (void *)&a, sizeof(a)) == 0 && i.listen(i.userdata, fd, 10) == 0);
	assert(answer(1000, &mss) == (2 | 4) && mss == 1360);

	/* a script changes settings in between, by itself and by a command */
	setting("/proc/sys/net/ipv4/tcp_sack", "1");
	assert(answer(1001, &mss) == (1 | 2 | 4));
	assert(system("echo 0 > /proc/sys/net/ipv4/tcp_timestamps; echo 0 > /proc/sys/net/ipv4/tcp_window_scaling") == 0);
	assert(answer(1002, &mss) == 1);

	/* what the stack sends does not leave by the kernel's device */
	assert(fcntl(tun, F_SETFL, O_NONBLOCK) == 0);
	for (unsigned char b[2048]; read(tun, b, sizeof(b)) > 0;)
		assert(b[0] >> 4 == 6 || b[9] != 6);
	i.free(i.userdata);
	printf("addresses, MTU and settings are those of the namespace\n");
	return 0;
}
