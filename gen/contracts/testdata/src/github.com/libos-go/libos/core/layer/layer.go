package layer

import (
	"github.com/libos-go/libos/core/tables"
	"github.com/libos-go/libos/host"          // want `core/layer imports host: core may import allocator`
	"github.com/libos-go/libos/protocols/tcp" // want `core/layer imports protocols/tcp: core may import allocator`
	"github.com/libos-go/libos/wiring"        // want `core/layer imports wiring: core may import allocator`
)

var X = tables.Sizes[0] + tcp.X + len(wiring.Cache) + len(host.Started)
