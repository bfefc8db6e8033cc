// Package control is the control socket of a running libos: the protocol, the
// client that subcommands use and the server that `libos up` runs. What an
// operation does lives with the subcommand that registers it; only sockets
// (dial, listen, accept) and the list of instances are served here.
//
// A request is one line of JSON. The answer is any number of lines {"event":…}
// and one {"done":true} or {"error":…}; operations that carry bytes answer
// {"stream":…} and go on with the bytes themselves. Start reading at protocol.go.
package control
