package packetdrill_test

import (
	"testing"

	"github.com/libos-go/libos/packetdrill/packetdrilltest"
)

// The scripts of this package show the language, each a feature.
func TestScripts(t *testing.T) { packetdrilltest.Run(t, "testdata/*.pkt") }

// The same scripts pass on the kernel: they say what Linux does.
func TestScriptsOnTheKernel(t *testing.T) { packetdrilltest.RunOnKernel(t, "testdata/*.pkt") }

// The suite of protocols: scripts/tcp, scripts/udp, scripts/ip, scripts/icmp.
func TestSuite(t *testing.T) { packetdrilltest.Run(t, "scripts") }

// The kernel passes every script of the suite.
func TestSuiteOnTheKernel(t *testing.T) {
	if testing.Short() {
		t.Skip("the suite takes the kernel's real time: run without -short")
	}
	packetdrilltest.RunOnKernel(t, "scripts")
}
