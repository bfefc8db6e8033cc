package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/libos-go/libos/gen/kconfig"
)

// The make targets around a build: which configuration each works on, and that
// symbols can be set on the way.
func TestMakeWorksOnTheBuildItNames(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("make is not installed")
	}
	dir := copyModule(t)
	run := func(args ...string) string {
		t.Helper()
		c := exec.Command("make", args...)
		c.Dir = dir
		// as typed in a shell, whatever make runs this test
		c.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
			return strings.HasPrefix(v, "MAKE") || strings.HasPrefix(v, "KCONFIG_") || strings.HasPrefix(v, "BUILD=")
		})
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("make %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	config := func(file string, lines ...string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range lines {
			if !strings.Contains(string(data), "\n"+l+"\n") {
				t.Errorf("%s has no line %q:\n%s", file, l, data)
			}
		}
	}
	exists := func(file string, want bool) {
		t.Helper()
		if _, err := os.Stat(filepath.Join(dir, file)); (err == nil) != want {
			t.Errorf("%s there: %v, want %v", file, err == nil, want)
		}
	}
	run("tiny_defconfig", "set", "CONFIG_SLAB_KB=512", "all")
	config("build/tiny/.config", "CONFIG_SLAB_KB=512", "# CONFIG_TCP is not set")
	exists("build/libosbuild", true)
	exists("build/tiny/libos", true)
	exists(".config", false)
	if out := run("BUILD=tiny"); !strings.Contains(out, "build/tiny/libos is up to date") {
		t.Errorf("make BUILD=tiny after that:\n%s", out)
	}
	run("set", "CONFIG_TCP=n", "CONFIG_SLAB_KB=1024")
	config(".config", "# CONFIG_TCP is not set", "CONFIG_SLAB_KB=1024")
	if out := run("-s", "get", "SYMBOL=SLAB_KB"); strings.TrimSpace(out) != "1024" {
		t.Errorf("make get: %q", out)
	}
	if out := run("-s", "explain", "SYMBOL=TCP"); !strings.Contains(out, "the user set it to n") {
		t.Errorf("make explain:\n%s", out)
	}
	if err := os.WriteFile(filepath.Join(dir, "small"), []byte("CONFIG_SLAB_KB=128\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	run("merge", "FILES=configs/tiny_defconfig small")
	config(".config", "CONFIG_SLAB_KB=128", "# CONFIG_TCP is not set", "CONFIG_UDP=y")
	for _, target := range kconfig.TargetHelp() {
		run("-n", target[0])
	}
	for _, target := range []string{"menuconfig", "diffconfig", "tiny.config", "mod2yes", "yes2mod", "mod2no"} {
		run("-n", target)
	}
	out, err := exec.Command("make", "-C", dir, "tinyconfig", "allnoconfig").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "run make once for each") {
		t.Errorf("two configurations in one command line: %v\n%s", err, out)
	}
}
