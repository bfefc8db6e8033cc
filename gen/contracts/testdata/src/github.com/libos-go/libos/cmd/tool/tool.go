package tool

import (
	"github.com/libos-go/libos/cmd/other"
	"github.com/libos-go/libos/examples/demo" // want `cmd/tool imports examples/demo: only examples may`
	"github.com/libos-go/libos/gen/layer"
	"github.com/libos-go/libos/wiring"
)

var X = other.X + demo.X + layer.X + len(wiring.Cache)
