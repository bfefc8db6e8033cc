// Package core is the network stack's trunk: what every protocol and every
// device shares, and nothing that belongs to one of them.
//
// A [Domain] is one state machine: lock, slabs, timing wheel and run queue. An
// [Instance] is one network stack (a host or a router) and lives in a Domain.
// An [Interface] is a network device of an instance, driven by a [Device].
// Network protocols (core/ipv4, core/ipv6) plug in by [Network], transports by
// [Transport] (in process) or by the narrow [Handler] contract that can also
// be served from another process. A [Wiring] value says which of them an
// instance has. The caller's clock, tasks and randomness come in by [Host].
//
// Wire formats live in core/wire, the timing wheel in core/timer, longest
// prefix match in core/fib, sysctls in core/sysctl. Start reading at
// domain.go (the three doors), then interface.go, protocol.go and socket.go.
package core
