// Package packetdrill is `libos packetdrill`: it runs packetdrill scripts on an
// instance in virtual time, or on the host's kernel. The interpreter is the package
// of that name at the top. Start at packetdrill.go.
package packetdrill
