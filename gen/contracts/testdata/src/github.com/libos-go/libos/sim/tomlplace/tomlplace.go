package tomlplace

import "github.com/libos-go/libos/host" // want `sim/tomlplace imports host: it may import nothing of ours`

var X = len(host.Started)
