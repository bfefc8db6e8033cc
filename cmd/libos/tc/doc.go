// Package tc is `libos tc`: the queueing disciplines of an instance, as tc(8) sets
// and shows them. The language is core/qdisc/tc. Start at tc.go.
package tc
