//go:build !linux

package main

// namespaces are Linux's.
func namespaces() bool { return false }
