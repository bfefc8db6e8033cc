// Package fifo holds the disciplines that every build with NET_SCHED has: pfifo and
// bfifo, a queue with a limit in packets or bytes, pfifo_fast with its three bands,
// and the setting net.core.default_qdisc. Start reading at fifo.go.
package fifo
