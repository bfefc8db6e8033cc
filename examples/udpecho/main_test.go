package main

import (
	"testing"

	"github.com/libos-go/libos/examples/internal/expect"
)

func TestItPrintsWhatItsCommentSays(t *testing.T) { expect.ButTimes(t, run) }
