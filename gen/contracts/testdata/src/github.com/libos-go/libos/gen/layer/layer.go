package layer

import "github.com/libos-go/libos/host" // want `gen/layer imports host: gen may import core`

var X = len(host.Started)
