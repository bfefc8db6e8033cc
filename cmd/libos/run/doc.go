// Package run is `libos run` and `libos exec`: unmodified programs on an instance,
// one of the command's own or one of a running stack. Start at run.go; the work is
// done by package guest.
package run
