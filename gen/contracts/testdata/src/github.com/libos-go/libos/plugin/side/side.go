package side

import (
	"github.com/libos-go/libos/core/tables"
	"github.com/libos-go/libos/plugin/ring"
)

var X = tables.Sizes[0] + ring.X
