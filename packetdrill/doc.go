// Package packetdrill runs packetdrill scripts: packets that arrive, packets that
// are expected, and system calls with their results, each at its time. It is an
// interpreter of its own, written from the language's description.
//
// A script is parsed (parse.go, packet.go) and run (run.go) on a [System]: an
// instance of this stack in virtual time (virtual.go), or the host's kernel in a
// network namespace (kernel_linux.go), which shows that a script is right. What the
// language knows is in tables: calls.go, structs.go, tcp_options.go, icmp.go,
// constants.go, settings.go. docs/packetdrill.md describes it for authors; start at
// run.go.
package packetdrill
