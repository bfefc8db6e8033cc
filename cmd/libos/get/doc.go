// Package get is `libos get`: Go's HTTP client on the sockets of an instance.
// Start at get.go.
package get
