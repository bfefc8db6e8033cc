// Package emit writes the Go code of a configuration: option constants, the
// wiring with its dispatch switches, sysctl and slab tables, main, and the page
// of all sysctls. It reads no files and decides nothing that is not in its
// input, so the same input gives the same bytes. Start at emit.go, then
// features.go (which package feeds which entry) and wiring.go.
package emit
