package main

import (
	"runtime/debug"
	"testing"
)

// What modules need is linked in by package cmd/libos/modules alone, which this
// configuration lacks.
func TestABinaryWithoutModulesHasNothingOfThem(t *testing.T) {
	b, ok := debug.ReadBuildInfo()
	if !ok || len(b.Deps) == 0 {
		t.Fatal("the binary does not tell what it was built of")
	}
	cobra := false
	for _, d := range b.Deps {
		cobra = cobra || d.Path == "github.com/spf13/cobra"
		for _, path := range []string{"github.com/hashicorp/go-plugin", "google.golang.org/grpc"} {
			if d.Path == path {
				t.Errorf("%s is linked in", path)
			}
		}
	}
	if !cobra {
		t.Error("not even cobra is known to be linked in")
	}
}
