package rigs

import (
	"testing"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
)

func TestByHand(t *testing.T) {
	in, err := core.New(core.Options{}) // want `a test's own instance: make it by Instance or Adopt of a coretest.Rig, which fails the test by what is left in its slabs`
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()                        // want `the error of \(\*github.com/libos-go/libos/core.Instance\).Close is where leaks are told: look at it, or let the coretest.Rig close`
	other, err := libos.New(core.Options{}) // want `a test's own instance`
	_, _ = other, err
	make := core.NewDomain // want `a test's own Domain`
	_ = make().Close()     // want `the error of \(\*github.com/libos-go/libos/core.Domain\).Close`
}

func TestByRig(t *testing.T) {
	r := coretest.New(t)
	in := r.Instance()
	r.Adopt(core.New(core.Options{Domain: r.Domain}))
	r.Adopt(libos.New(core.Options{Domain: r.Domain}))
	if err := in.Close(); err != nil {
		t.Error(err)
	}
}

type adopter struct{}

func (adopter) Adopt(in *core.Instance, err error) *core.Instance { return in }

func TestByAnotherAdopt(t *testing.T) {
	adopter{}.Adopt(core.New(core.Options{})) // want `a test's own instance`
	r := coretest.New(t)
	r.Adopt(made(), nil)
}

func made() *core.Instance {
	in, _ := core.New(core.Options{}) // want `a test's own instance`
	return in
}
