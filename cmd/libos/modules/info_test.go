package modules

import (
	"bytes"
	"strings"
	"testing"

	"github.com/libos-go/libos/cmd/libos/command"
)

func TestModinfoShowsNothingThatDoesSomethingToATerminal(t *testing.T) {
	var b bytes.Buffer
	const text = "x\x1b[2J\ny\u009b"
	x := Info{Name: "x", Version: text, Description: text, License: text, Controls: []string{text},
		Protocols:  []Protocol{{Name: text, Sysctls: []Sysctl{{Name: text, Default: text, Help: text}}}},
		Devices:    []Device{{Kind: text, Alias: text, Parameters: map[string]string{text: text}}},
		Parameters: []Parameter{{Name: text, Help: text}}}
	x.show(&command.Env{Stdout: &b})
	if out := b.String(); strings.ContainsAny(out, "\x1b\u009b") || strings.Contains(out, "\ny") || !strings.Contains(out, "x [2J y") {
		t.Errorf("%q", out)
	}
}
