package build

import (
	"bytes"
	"testing"
)

// repository is a builder of the module's own tree.
func repository(t *testing.T) *Builder {
	t.Helper()
	var said bytes.Buffer
	b, err := New("../..", nil, &said, &said)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("said:\n%s", &said)
		}
	})
	return b
}

// The wiring, constants, main and sysctl page that are checked in are those
// that the generator makes of defconfig.
func TestCheckedInFilesAreDefconfigs(t *testing.T) {
	drifted, err := repository(t).CheckIn(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range drifted {
		t.Errorf("%s is not what the generator writes: run `make generate-checked-in` and commit it", f)
	}
}
