package sim

import (
	"github.com/libos-go/libos/cmd/other" // want `sim imports cmd/other: only cmd may`
	"github.com/libos-go/libos/gen/layer" // want `sim imports gen/layer: only gen and cmd may`
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/wiring"
)

var X = other.X + layer.X + len(host.Started) + len(wiring.Cache)
