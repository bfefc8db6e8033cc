package core_test

import (
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
)

func TestErrandsAreDoneByWhoCarries(t *testing.T) {
	d := coretest.New(t, host.NewVirtual(1)).Domain
	var done []string
	var a, b core.Errand
	a.Run = func() {
		done = append(done, "a")
		d.Do(func() { // outside of the entry, and no more of the carrying
			if d.Errand(&b) {
				t.Error("an errand is taken by an entry that does none")
			}
		})
	}
	b.Run = func() { done = append(done, "b") }
	d.Do(func() {
		if d.Errand(&a) {
			t.Error("an errand is taken by an entry that does none")
		}
	})
	d.Carry(func() {
		for _, e := range []*core.Errand{&b, &a, &b} {
			if !d.Errand(e) {
				t.Error("an errand is not taken")
			}
		}
		if len(done) != 0 {
			t.Errorf("%v done inside the entry", done)
		}
	})
	d.Carry(func() { d.Errand(&b) }) // again
	if got := len(done); got != 3 || done[0] != "b" || done[1] != "a" || done[2] != "b" {
		t.Errorf("done: %v", done)
	}
}
