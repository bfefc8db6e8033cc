// Package timer holds the instants a host counts in and the wheel that keeps
// every deadline of a Domain: a hierarchical timing wheel, exact to 1 ns and
// deterministic. It has no clock, no goroutine and no lock; who drives it calls
// Advance. Tasks, hosts and the policy of each protocol's timers live elsewhere.
// Start with Wheel in wheel.go; place.go says where a deadline lies in it.
package timer
