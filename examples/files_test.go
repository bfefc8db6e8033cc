package examples

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/sim/file"
)

// Every simulation among the examples can be read, built and run.
func TestTheSimulationsRun(t *testing.T) {
	files, err := filepath.Glob("*/*.toml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		t.Run(filepath.ToSlash(f), func(t *testing.T) {
			d, err := file.Read(f, file.Options{Wiring: libos.Wiring()})
			if err != nil {
				t.Fatal(err)
			}
			if d.Until == 0 {
				t.Error("the file does not say until when")
			}
			until := 2 * time.Second
			if len(d.Network.Nodes()) > 1000 {
				until = 1010 * time.Millisecond // the first packets of ten thousand connections
			}
			if err := d.Network.Run(until); err != nil {
				t.Error(err)
			}
			if d.Network.Packets() == 0 {
				t.Errorf("nothing was sent in %v", until)
			}
			if err := d.Network.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
