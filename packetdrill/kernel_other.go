//go:build !linux || !(amd64 || arm64)

package packetdrill

import "errors"

// Kernel runs scripts against the host's kernel; on Linux only.
type Kernel struct{}

// Name implements Backend.
func (Kernel) Name() string { return "kernel" }

// Check tells what is missing to run scripts on the kernel.
func (Kernel) Check() error {
	return errors.New("scripts run on the kernel of Linux (x86-64, arm64) only")
}

// Run implements Backend.
func (k Kernel) Run(*Settings, func(System) bool) error { return k.Check() }
