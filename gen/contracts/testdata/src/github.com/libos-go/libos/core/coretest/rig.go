package coretest

import (
	"testing"

	"github.com/libos-go/libos/core"
)

type Rig struct{ Domain *core.Domain }

// The helper itself is where it is made.
func New(testing.TB) *Rig { return &Rig{core.NewDomain()} }

func (r *Rig) Adopt(in *core.Instance, err error) *core.Instance { return in }

func (r *Rig) Instance() *core.Instance { return r.Adopt(core.New(core.Options{Domain: r.Domain})) }
