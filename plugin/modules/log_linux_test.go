package modules_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/modules"
)

// A module that is unloaded, or ended with its manager, is no loss.
func TestACleanEndIsNoWarning(t *testing.T) {
	for _, end := range []string{"unload", "close"} {
		var said strings.Builder
		m := modules.New(modules.Options{Dirs: []string{build(t)}, Log: slog.New(slog.NewTextHandler(&said, nil))})
		rig := coretest.New(t, host.NewRealTime())
		in := rig.Instance("a", networks())
		if err := m.Attach(in, "udp"); err != nil {
			t.Fatal(err)
		}
		echo(t, in)
		if end == "unload" {
			if err := m.Unload("udp"); err != nil {
				t.Fatal(err)
			}
		}
		m.Close()
		text := said.String()
		if strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") || !strings.Contains(text, `level=INFO msg="module unloaded" module=udp`) {
			t.Errorf("%s: %s", end, text)
		}
	}
}
