package build

import "testing"

// The wiring, constants, main and sysctl page that are checked in are those
// that the generator makes of defconfig.
func TestCheckedInFilesAreDefconfigs(t *testing.T) {
	t.Parallel()
	drifted, err := repository(t).CheckIn(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range drifted {
		t.Errorf("%s is not what the generator writes: run `make generate-checked-in` and commit it", f)
	}
}
