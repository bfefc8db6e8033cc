// Package fib finds the longest prefix that holds an address: the table behind
// every route look-up, for IPv4 and IPv6, from a host's handful of routes to a
// million. What a route is, metrics and source-address selection live elsewhere;
// here a value hangs on a prefix. Start with Table in table.go; node.go draws the
// trie, update.go changes it, pool.go keeps its memory.
package fib
