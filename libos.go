// Package libos is a network stack as a library, in the configuration that
// `libosbuild defconfig` gives: [Wiring] names what instances are made of.
// The generated files here (wiring*.go) hold defconfig's wiring; a build puts
// its own in their place. The stack itself is in package core, protocols in
// protocols/NAME. Start at wiring.go.
package libos

// Version of the library.
const Version = "0.1.0"
