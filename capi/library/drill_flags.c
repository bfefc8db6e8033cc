//go:build cgo

/* What packetdrill's flags say, and what tun0 of this network namespace says. */

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "drill.h"

#define DEVICE "tun0"

void drill_fail(const char *what, const char *why)
{
	fprintf(stderr, "packetdrill_interface_init: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

/* bits is the length of a mask. */
static int bits(const unsigned char *mask, int n)
{
	int count = 0;

	for (int i = 0; i < n; i++)
		count += __builtin_popcount(mask[i]);
	return count;
}

static void take(char *to, size_t size, int family, const void *address, const void *mask, int n)
{
	char text[INET6_ADDRSTRLEN];

	if (!*to && inet_ntop(family, address, text, sizeof(text)))
		snprintf(to, size, "%s/%d", text, bits(mask, n));
}

/* surroundings takes the addresses and the MTU of tun0: 0 if there is none. */
static int surroundings(struct drill_flags *f)
{
	struct ifaddrs *list, *i;
	struct ifreq r = {.ifr_name = DEVICE};
	int fd;

	if (!if_nametoindex(DEVICE))
		return 0;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		if (!f->mtu && ioctl(fd, SIOCGIFMTU, &r) == 0)
			f->mtu = r.ifr_mtu;
		close(fd);
	}
	if (getifaddrs(&list) < 0)
		return 1;
	for (i = list; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, DEVICE) || !i->ifa_addr || !i->ifa_netmask)
			continue;
		if (i->ifa_addr->sa_family == AF_INET) {
			take(f->local, sizeof(f->local), AF_INET, &((struct sockaddr_in *)i->ifa_addr)->sin_addr, &((struct sockaddr_in *)i->ifa_netmask)->sin_addr, 4);
		} else if (i->ifa_addr->sa_family == AF_INET6) {
			struct in6_addr *a = &((struct sockaddr_in6 *)i->ifa_addr)->sin6_addr;

			if (!IN6_IS_ADDR_LINKLOCAL(a))
				take(f->local6, sizeof(f->local6), AF_INET6, a, &((struct sockaddr_in6 *)i->ifa_netmask)->sin6_addr, 16);
		}
	}
	freeifaddrs(list);
	return 1;
}

static void copy(char *to, size_t size, const char *word, const char *value)
{
	if (!*value || strlen(value) >= size)
		drill_fail(word, "write an address, as in local=192.168.0.1/16 or gateway=192.168.0.2");
	strcpy(to, value);
}

static long number(const char *word, const char *value, long least, long most)
{
	char *end, why[80];
	long n = strtol(value, &end, 10);

	if (!*value || *end || n < least || n > most) {
		snprintf(why, sizeof(why), "write a number from %ld to %ld", least, most);
		drill_fail(word, why);
	}
	return n;
}

/* flag reads one word: name=value. */
static void flag(struct drill_flags *f, char *word)
{
	char whole[128], *value = strchr(word, '=');

	snprintf(whole, sizeof(whole), "%s", word);
	if (value)
		*value++ = 0;
	if (!value)
		drill_fail(whole, "write NAME=VALUE; names are local, local6, gateway, gateway6, mtu, patience, sysctl, seed");
	else if (!strcmp(word, "local"))
		copy(f->local, sizeof(f->local), whole, value);
	else if (!strcmp(word, "local6"))
		copy(f->local6, sizeof(f->local6), whole, value);
	else if (!strcmp(word, "gateway"))
		copy(f->gateway, sizeof(f->gateway), whole, value);
	else if (!strcmp(word, "gateway6"))
		copy(f->gateway6, sizeof(f->gateway6), whole, value);
	else if (!strcmp(word, "mtu"))
		f->mtu = number(whole, value, 68, 65535);
	else if (!strcmp(word, "patience"))
		f->patience = number(whole, value, 1, 1000000000) * 1000000000ULL;
	else if (!strcmp(word, "seed"))
		f->seed = number(whole, value, 0, 0x7fffffff);
	else if (!strcmp(word, "sysctl") && (!strcmp(value, "yes") || !strcmp(value, "no")))
		f->follow = *value == 'y';
	else
		drill_fail(whole, "it is not known; names are local, local6, gateway, gateway6, mtu, patience, sysctl (yes or no), seed");
}

static void or_default(char *to, const char *value)
{
	if (!*to)
		strcpy(to, value);
}

void drill_flags_read(struct drill_flags *f, const char *text)
{
	char *copy = strdup(text ? text : ""), *rest = copy, *word;
	int tun;

	*f = (struct drill_flags){.follow = -1, .patience = 8000 * 1000000000ULL};
	if (!copy)
		drill_fail("flags", "no memory");
	while ((word = strsep(&rest, ", \t\n")))
		if (*word)
			flag(f, word);
	free(copy);
	tun = surroundings(f);
	if (f->follow < 0)
		f->follow = tun;
	if (!f->mtu)
		f->mtu = 1500;
	or_default(f->local, "192.168.0.1/16");
	or_default(f->gateway, "192.168.0.2");
	or_default(f->local6, "fd3d:fa7b:d17d::1/48");
	or_default(f->gateway6, "fd3d:fa7b:d17d::2");
}
