package packetdrill_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/packetdrill"
)

func seeds(f *testing.F) {
	files, err := filepath.Glob("testdata/*.pkt")
	if err != nil || len(files) == 0 {
		f.Fatalf("no scripts to begin with: %v", err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(b))
	}
}

// Whatever a script says, the parser gives a script or an error with its line.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := packetdrill.Parse("x.pkt", text, map[string]string{"WORD": "1"})
		var e *packetdrill.Error
		switch {
		case err != nil && (!errors.As(err, &e) || e.Line < 1):
			t.Errorf("an error without a line: %v", err)
		case err == nil && len(s.Events) == 0:
			t.Error("a script without events")
		}
	})
}

// Whatever a script does, it passes or fails; and it leaves nothing in the slabs,
// which would be a failure of line 1.
func FuzzRun(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		s := packetdrill.Defaults()
		runs, err := packetdrill.Prepare("x.pkt", text, s, packetdrill.IPv4)
		if err != nil || len(runs[0].Settings.InitScripts) > 0 || len(runs[0].Script.Events) > 200 {
			return
		}
		res := packetdrill.Run(runs[0].Script, runs[0].Settings, &packetdrill.Virtual{Wiring: libos.Wiring, Debug: true}, nil)
		if res.Passed != (len(res.Failures) == 0) {
			t.Errorf("passed %v with %d failures", res.Passed, len(res.Failures))
		}
	})
}
