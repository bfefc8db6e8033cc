package layer

import (
	"github.com/libos-go/libos/host" // want `gen/layer imports host: gen may import core`
	"github.com/libos-go/libos/sim/tomlplace"
)

var X = len(host.Started) + tomlplace.X
