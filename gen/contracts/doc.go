// Package contracts holds the house rules that a compiler does not: no mutable
// package-level state, no registration by side effect, no clock, goroutine or
// global randomness inside the core, imports that only point downwards, and no
// test that leaves memory in the slabs unseen.
// Each rule is one go/analysis analyzer; docs of the rule stand on its Doc
// string. What does not live here: style, formatting, go vet's checks.
// Start reading at [Analyzers] and scope.go (which rule covers which folder).
package contracts
