//go:build kernelscripts

package packetdrill_test

import (
	"testing"

	"github.com/libos-go/libos/packetdrill/packetdrilltest"
)

// The kernel passes every script that says nothing of a difference. It keeps its own
// time, so nothing else should run meanwhile: `make packets`.
func TestScriptsOnTheKernel(t *testing.T) {
	packetdrilltest.RunOnKernel(t, "testdata/*.pkt", "scripts")
}
