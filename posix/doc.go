// Package posix is the system-call layer over a stack: a [Process] is one table of
// file descriptors with the calls of socket(7), epoll(7), pipe(7) and their kin, at
// the level of 64-bit Linux's ABI. Addresses, option values and control messages are
// bytes in that layout, numbers are Linux's, errors are [syscall.Errno]. The one
// other error is that of a host whose tasks alone may block, for a call from
// elsewhere (host.ErrNotTask).
//
// Every call that can block is an [Op]: it is begun, tells what it waits for, and is
// continued. The methods of Process drive one to its end by core.Host.Park; who has
// another way to wait (a C program's scheduler) drives it by Op.Continue.
//
// What does not live here: the protocols and their options (core, protocols), and
// who maps a program's system calls to these methods.
//
// Start with process.go for the table, op.go for how calls wait, object.go for what
// a descriptor can be.
package posix
