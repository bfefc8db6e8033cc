package impair_test

import (
	"testing"

	"github.com/libos-go/libos/core/impair"
)

func TestEveryNthFrameIsLost(t *testing.T) {
	l := impair.Every{N: 3}.Start()
	for i := 1; i <= 12; i++ {
		if lost := l.Lose(nil); lost != (i%3 == 0) {
			t.Errorf("frame %d: lost is %v", i, lost)
		}
	}
	if (impair.Every{}).Check() == nil {
		t.Error("every 0-th frame is taken")
	}
}
