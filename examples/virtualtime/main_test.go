package main

import (
	"bytes"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/libos-go/libos/examples/internal/expect"
)

func TestItPrintsWhatItsCommentSays(t *testing.T) {
	expect.ButFigures(t, func(out io.Writer) error {
		r, _, err := transfer(1, 1<<20)
		fmt.Fprintln(out, r)
		return err
	})
}

func TestTheSameSeedGivesTheSameRunAndAnotherOneDoesNot(t *testing.T) {
	var runs [3]Result
	var files [3][]byte
	for i, seed := range []uint64{1, 1, 2} {
		var err error
		if runs[i], files[i], err = transfer(seed, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	if runs[0] != runs[1] || !bytes.Equal(files[0], files[1]) {
		t.Errorf("twice with seed 1:\n%v\n%v", runs[0], runs[1])
	}
	if runs[0].Sum == runs[2].Sum {
		t.Errorf("seeds 1 and 2 gave the same: %v", runs[0])
	}
}

// 1 MiB takes 0.84 s at 10 Mbit/s, and frames are lost.
func TestTheLineIsAsSlowAndBadAsItSays(t *testing.T) {
	r, _, err := transfer(1, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if r.Bytes != 1<<20 || r.Took < 840*time.Millisecond || r.Took > 10*time.Second || r.Resent == 0 {
		t.Error(r)
	}
}
