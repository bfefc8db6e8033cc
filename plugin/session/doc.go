// Package session carries the messages of core/remote between the stack and a
// module in another process. A [Session] is the stack's end for the instances of
// one Domain, a [Server] the module's; a [Link] moves the bytes: shared-memory
// rings (package ring), or a stream of batches where those do not exist.
//
// Messages of one direction arrive in order. A call of the stack (Send of what
// may be too large, Counters, Close) waits inside the entry and works on what the
// module sends meanwhile; a call of the module (Output inside such a call, Route,
// Spawn) waits for the lane of answers, which is never behind other messages.
//
// In real time messages are told and the stack goes on. In lockstep, for virtual
// time, the stack waits after each until the module has worked on it and all that
// came of it is done, so that a run is the same as with the protocol linked in.
//
// Start reading at host.go for the stack, where stub.go is what the core sees of a
// protocol, and at server.go for the module.
package session
