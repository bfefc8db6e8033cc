// Package guest runs unmodified programs on an instance: their sockets are the
// stack's, everything else is the kernel's.
//
// Package trap stops the calls that open, name and configure sockets. What a program
// gets for a socket is one end of an AF_UNIX pair; the other end is here, and a pump
// carries bytes and datagrams between it and the stack's socket. So read, write,
// poll, select, epoll, sendfile, splice, dup, fork, exec and the passing of
// descriptors are native calls that nobody stops. A socket is known by the inode of
// the program's end, whatever numbers it has in which process.
//
//	guest.go     Guest and Program: the sockets of an instance, the programs on it
//	socket.go    the pair, and how the program's end looks to poll(2)
//	ends.go      our ends of connections
//	outlet.go    from a program's connections to the stack
//	inlet.go     and back
//	stream.go    connect, listen, accept
//	datagram.go  the pump of datagrams, whose addresses the pair cannot carry
//	dispatch.go  which call is answered by what
package guest
