package layer

import (
	"github.com/libos-go/libos/cmd/other" // want `core/layer imports cmd/other: only cmd may`
	"github.com/libos-go/libos/gen/layer"
	"github.com/libos-go/libos/host"
)

var y = len(host.Started) + layer.X + other.X
