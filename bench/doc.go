// Command bench measures this stack and its peers side by side and prints the ratio, one line a figure.
//
// Here live the harness (table.go, run.go, report.go, measure.go), the drivers of each figure (drive_*.go), which see
// only net.Conn and so treat both sides alike, and one file a side and figure (peer_*.go). No stack code lives here.
// bench is a Go module of its own, so that no peer becomes a dependency of the library. Start reading at table.go.
package main
