// Package sysctl holds the tables by which an instance's settings are read and
// written under Linux's names (net.ipv4.tcp_sack). A protocol declares its
// settings as the tagged fields of a struct of its own:
//
//	type Sysctls struct {
//		SACK bool `sysctl:"net.ipv4.tcp_sack" default:"1" help:"Selective acknowledgements (RFC 2018)."`
//	}
//
// The generator turns such structs into static [Table] values; [Of] does the
// same by reflection for wirings written by hand. Values live in blocks (one
// struct value) that instances share until one of them writes. Start at
// table.go; of.go reads the tags.
package sysctl
