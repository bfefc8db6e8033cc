// Package qdisc holds what queueing disciplines share: a queue of packets that
// knows its bytes (queue.go), the counters of tc -s (counter.go), iproute2's units
// (units.go) and the reading of a command's words (words.go). The disciplines live
// in folders of their own; the contract is core.Qdisc; package tc is the command
// language. A newcomer starts with core/qdisc.go and package fifo.
package qdisc
