package sim_test

import (
	"context"
	"errors"
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/sim"
)

// patience is a context that ends when it has been asked so often.
type patience struct {
	context.Context
	left int
}

func (p *patience) Err() error {
	if p.left--; p.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestAConstructionIsInterrupted(t *testing.T) {
	for _, x := range []struct {
		after int
		want  string
	}{
		{0, "the construction of the network was interrupted at 0 of 5 nodes: context canceled"},
		{7, "the construction of the network was interrupted at 2 of 4 links: context canceled"},
		{12, "the construction of the network was interrupted at 3 of 5 nodes' routes: context canceled"},
	} {
		n := sim.New(sim.Options{Seed: 1, Wiring: libos.Wiring()})
		chain(n, 3, sim.LinkConfig{})
		err := n.BuildContext(&patience{context.Background(), x.after})
		if !errors.Is(err, context.Canceled) || err.Error() != x.want {
			t.Errorf("%v, want %s", err, x.want)
		}
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	}
}
