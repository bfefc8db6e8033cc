// Package congestion is the contract between TCP and its congestion controls:
// plain values without pointers go in (Event) and come out (Decision), so that
// an algorithm can be linked in or served from another process.
//
// The algorithms themselves are neighbours (protocols/tcp/reno, …/cubic); loss
// detection and retransmission are TCP's own and not here. Start reading at
// congestion.go; shim.go carries every crossing as bytes.
package congestion
