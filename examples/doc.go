// Package examples is a folder of small complete programs on the library's public
// API: http (net/http between two stacks), udpecho (datagrams), router (a chain
// of forwarding stacks and the way through it), virtualtime (a transfer over bad
// links in virtual time, the same bytes every run), tailored (an instance that
// has only what its own .config chooses). Each is run by
// `go run ./examples/NAME`, says in its doc comment what to expect, and has a
// test that compares it. Start at http. response runs the networks beside it and sets
// what TCP reaches beside the formulas; dumbbell, fairness, bufferbloat and large are
// networks for `libos sim`, c is a C program on the shared library, programs has scripts
// that run unmodified programs on stacks. In modules are protocols, devices and a
// congestion control as third parties write them.
package examples
