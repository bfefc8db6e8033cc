// Command library is compiled as liblibos-VERSION.so (libosbuild library, make
// library): the stack of a configuration for C programs. Without cgo it is an empty program.
//
// libos.h is what users read. A call goes from calls.c through crossing.c into
// enter.go, once, and comes back with actions that crossing.c performs.
package main

func main() {}
