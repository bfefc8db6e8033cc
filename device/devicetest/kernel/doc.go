// Package kernel has the tests that need the host's own kernel at the other end
// of a link: each makes a network namespace of its own, which ends with it.
//
// It is for tests of TUN/TAP drivers and never touches interfaces or addresses
// outside of its namespaces. Where it may not make one, tests skip and say why.
// Start reading at kernel_linux.go.
package kernel
