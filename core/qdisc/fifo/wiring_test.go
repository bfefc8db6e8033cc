package fifo_test

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/fifo"
	"github.com/libos-go/libos/core/sysctl"
)

func fifoWiring() *core.Wiring {
	return &core.Wiring{Qdiscs: []core.QdiscKind{fifo.Packets(), fifo.Bytes(), fifo.Fast()}, Sysctls: []*sysctl.Table{sysctl.Of[fifo.Sysctls]()}}
}
