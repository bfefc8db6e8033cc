package packetdrill_test

import (
	"testing"

	"github.com/libos-go/libos/packetdrill/packetdrilltest"
)

// The scripts of this package show the language, each a feature.
func TestScripts(t *testing.T) { packetdrilltest.Run(t, "testdata/*.pkt") }

// The same scripts pass on the kernel: they say what Linux does.
func TestScriptsOnTheKernel(t *testing.T) { packetdrilltest.RunOnKernel(t, "testdata/*.pkt") }
