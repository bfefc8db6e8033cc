// Package bpf is the classic BSD packet filter as sockets take it (SO_ATTACH_FILTER,
// socket(7); Linux net/core/filter.c): programs of struct sock_filter, checked when
// they are attached and run over a packet, with Linux's extensions (protocol, type of
// packet, interface, VLAN tag …).
//
// A program has no loops and at most [MaxLen] instructions, so that a run is bounded;
// what it loads from beyond the packet ends it with 0. Begin at program.go.
package bpf
