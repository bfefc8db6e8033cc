// Package scan reads the Go packages that a configuration chose and finds, by
// type, what they offer the wiring: protocols, networks, device kinds,
// algorithms, commands, sysctl structs and slab caches. It emits nothing and
// knows nothing of Kconfig. Start at scan.go (what is looked for), then
// describe.go (the values read out of a description) and sysctl.go.
package scan
