// Command library is compiled as liblibos-VERSION.so (libosbuild library, make
// library): the stack of a configuration for C programs, and packetdrill's interface.
// Without cgo it is an empty program.
//
// libos.h is what users read. A call goes from calls.c through crossing.c into
// enter.go, once, and comes back with actions that crossing.c performs. packetdrill.c
// is a host in virtual time on top of libos.h.
package main

func main() {}
