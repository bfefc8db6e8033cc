package build

import (
	"os"
	"strings"
	"testing"
)

// A union has what any of its configurations has; a static symbol must agree.
func TestUnionHoldsWhatAnyConfigurationChose(t *testing.T) {
	b := repository(t)
	b.target(t, "four", "tinyconfig")
	b.target(t, "six", "tinyconfig", "IPV6=y", "IPV4=n", "SLAB_KB=512")
	if _, err := b.configuration([]string{"four", "six"}); err == nil {
		t.Error("configurations that differ on a static symbol were united")
	} else {
		for _, want := range []string{"six/.config:", "four/.config:", "SLAB_KB is 512, but 256", "allocator/Kconfig.toml:", "static"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %q lacks %q", err, want)
			}
		}
	}
	b.target(t, "six", "tinyconfig", "IPV6=y", "IPV4=n")
	c, err := b.configuration([]string{"four", "six"})
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, s := range c.symbols {
		values[s.Name] = s.Value
	}
	for symbol, want := range map[string]string{"IPV4": "y", "IPV6": "y", "UDP": "y", "TCP": "n", "SLAB_KB": "256"} {
		if values[symbol] != want {
			t.Errorf("%s=%s in the union, want %s", symbol, values[symbol], want)
		}
	}
	// Where there is no TCP, its static symbols have no say.
	b.target(t, "tcp", "tinyconfig", "TCP=y", "TCP_ECN=y")
	if _, err := b.configuration([]string{"four", "tcp"}); err != nil {
		t.Error(err)
	}
	b.target(t, "plain", "tinyconfig", "TCP=y", "TCP_ECN=n")
	if _, err := b.configuration([]string{"four", "plain", "tcp"}); err == nil || !strings.Contains(err.Error(), "TCP_ECN is y, but n in ") {
		t.Errorf("configurations whose TCP differs: %v", err)
	}
	if text, err := os.ReadFile(b.ConfigPath("four+six")); err != nil || string(text) != c.text {
		t.Errorf("the union's own .config: %v\n%s", err, text)
	}
	if _, err := b.configuration([]string{"four", "four"}); err == nil {
		t.Error("a union of a build with itself")
	}
}
