package command

import (
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/sim/tomlplace"
)

func environment() *Env {
	return &Env{Build: Build{Wiring: func() *core.Wiring {
		return &core.Wiring{Name: "test", Devices: []core.DeviceKind{pipe.Kind()}}
	}}}
}

func TestSizes(t *testing.T) {
	for _, x := range []struct {
		text string
		want int64
	}{{"0", 0}, {"1500", 1500}, {"64K", 64 << 10}, {"64 KiB", 64 << 10}, {"2MB", 2 << 20}, {"3g", 3 << 30},
		{"", -1}, {"-1", -1}, {"1T", -1}, {"9223372036854775807K", -1}, {"K", -1}} {
		n, err := ParseSize(x.text)
		if x.want < 0 {
			if err == nil {
				t.Errorf("%q: %d, want an error", x.text, n)
			}
		} else if err != nil || n != x.want {
			t.Errorf("%q: %d, %v, want %d", x.text, n, err, x.want)
		}
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, x := range [][2]string{
		{Thousands(0), "0"}, {Thousands(999), "999"}, {Thousands(1000), "1,000"}, {Thousands(-1234567), "-1,234,567"},
		{Bytes(1023), "1023 B"}, {Bytes(64 << 20), "64.0 MiB"}, {Bits(2.5e9), "2.50 Gbit/s"}, {Bits(10), "10.00 bit/s"},
	} {
		if x[0] != x[1] {
			t.Errorf("%s, want %s", x[0], x[1])
		}
	}
}

func FuzzHostFile(f *testing.F) {
	f.Add("[[instance]]\nname = \"a\"\nroutes = [\"default via 10.0.0.1\"]\n[[instance.device]]\nlink = \"l\"\naddresses = \"::1/64\"\n[[instance.device]]\nlink = \"l\"\n[[link]]\nname = \"l\"\nrate = 5\n")
	f.Add("[[instance]]\nsysctl.\"a.b\" = true\ndevice = [{kind=\"pipe\", mtu = [1]}]")
	f.Add("link = [{name=\"\"}]\n[[instance]]\n[[instance]]\nmemory='''1\n'''")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := environment().ParseHostFile("dir/x.toml", text)
		if err == nil && len(h.Instances) == 0 {
			t.Error("no instance and no error")
		}
		if err != nil && !strings.HasPrefix(err.Error(), "x.toml:") {
			t.Errorf("the error does not name the file: %v", err)
		}
		var any map[string]any
		if _, err := toml.Decode(text, &any); err == nil {
			for key, line := range tomlplace.Locate(text) {
				if line < 1 || line > strings.Count(text, "\n")+1 {
					t.Errorf("%s: line %d of %q", key, line, text)
				}
			}
		}
	})
}
