// Package capi is what a C host needs beside the stack: a core.Host whose wishes
// (transmit, arm, wake, log) become a list of actions, which C code performs after
// Go has returned. Go never calls C. The exported functions and the C side of a
// crossing are in capi/library, which is compiled as liblibos-VERSION.so; this
// package is plain Go and knows no C.
//
// What does not live here: system calls (posix) and the stack (core). Start with
// actions.go, then host.go, then library/crossing.c.
package capi
