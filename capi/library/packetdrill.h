/*
 * The interface between the packetdrill program and a stack in a shared library
 * (packetdrill --so_filename=LIBRARY --so_flags=FLAGS SCRIPT). The names, the order and the
 * types of the fields are that program's, to which they are compatible in memory.
 *
 * Every function gets userdata first; otherwise they are the system calls of their names,
 * with -1 and errno for errors. Packets begin with their IP header.
 */
#ifndef LIBOS_PACKETDRILL_H
#define LIBOS_PACKETDRILL_H

#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct packetdrill_interface {
	void *userdata;
	void (*free)(void *userdata);
	int (*socket)(void *userdata, int family, int type, int protocol);
	int (*bind)(void *userdata, int fd, const struct sockaddr *, socklen_t);
	int (*listen)(void *userdata, int fd, int backlog);
	int (*accept)(void *userdata, int fd, struct sockaddr *, socklen_t *);
	int (*connect)(void *userdata, int fd, const struct sockaddr *, socklen_t);
	ssize_t (*read)(void *userdata, int fd, void *, size_t);
	ssize_t (*readv)(void *userdata, int fd, const struct iovec *, int);
	ssize_t (*recv)(void *userdata, int fd, void *, size_t, int flags);
	ssize_t (*recvfrom)(void *userdata, int fd, void *, size_t, int flags, struct sockaddr *, socklen_t *);
	ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *, int flags);
	ssize_t (*write)(void *userdata, int fd, const void *, size_t);
	ssize_t (*writev)(void *userdata, int fd, const struct iovec *, int);
	ssize_t (*send)(void *userdata, int fd, const void *, size_t, int flags);
	ssize_t (*sendto)(void *userdata, int fd, const void *, size_t, int flags, const struct sockaddr *, socklen_t);
	ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *, int flags);
	int (*fcntl)(void *userdata, int fd, int cmd, ...);
	int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
	int (*close)(void *userdata, int fd);
	int (*shutdown)(void *userdata, int fd, int how);
	int (*getsockopt)(void *userdata, int fd, int level, int name, void *, socklen_t *);
	int (*setsockopt)(void *userdata, int fd, int level, int name, const void *, socklen_t);
	int (*poll)(void *userdata, struct pollfd *, nfds_t, int milliseconds);
	/* A packet arrives at the stack: 0, or -1. */
	int (*netdev_send)(void *userdata, const void *packet, size_t);
	/* The next packet that leaves the stack, and when it did, in microseconds since 1970. The
	 * size is that of the buffer, then that of the packet: 0 if none comes. 0, or -1. */
	int (*netdev_receive)(void *userdata, void *packet, size_t *, long long *usecs);
	int (*usleep)(void *userdata, useconds_t);
	int (*gettimeofday)(void *userdata, struct timeval *, struct timezone *);
	int (*epoll_create)(void *userdata, int size);
	int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *);
	int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *, int n, int milliseconds);
	int (*pipe)(void *userdata, int fds[2]);
	int (*splice)(void *userdata, int in, loff_t *in_at, int out, loff_t *out_at, size_t, unsigned flags);
};

/*
 * packetdrill_interface_init makes a stack in virtual time and fills the struct. flags are
 * words separated by commas or spaces, NULL for none:
 *
 *   local=A/N local6=A/N       addresses of the stack: those of tun0 in this network
 *                              namespace if there is one, otherwise 192.168.0.1/16 and
 *                              fd3d:fa7b:d17d::1/48
 *   gateway=A gateway6=A       where all else is: 192.168.0.2, fd3d:fa7b:d17d::2
 *   mtu=N                      of the device: that of tun0, or 1500
 *   patience=SECONDS           of virtual time that netdev_receive waits for a packet: 8000
 *   sysctl=yes|no              follow /proc/sys/net of this namespace, before sockets are
 *                              made, connected and listened on and before packets arrive:
 *                              yes if there is a tun0
 *   seed=N                     of random numbers
 *
 * What it does not understand ends the process with a message.
 *
 * One thread drives time: the one that called this. A system call that blocks comes from another
 * one, and time stands still until all others wait; one that blocks in the first thread has
 * time pass until it ends, and fails with EAGAIN if nothing can end it. Time begins at
 * 2000-01-01, passes by a microsecond at each gettimeofday, by usleep, and by netdev_receive.
 */
void packetdrill_interface_init(const char *flags, struct packetdrill_interface *);

#endif
