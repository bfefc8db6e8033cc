package libos

import "github.com/libos-go/libos/core"

func New(o core.Options) (*core.Instance, error) { return core.New(o) }
