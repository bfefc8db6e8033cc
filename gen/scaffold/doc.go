// Package scaffold writes the beginning of a protocol, a device or a congestion
// control of one's own: a Go module outside of this tree with code that works, a
// test in virtual time, the program of a module and a Kconfig.toml. The files are
// templates in templates/.
package scaffold
