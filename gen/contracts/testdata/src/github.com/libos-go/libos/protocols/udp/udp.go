package udp

import (
	"github.com/libos-go/libos/protocols/internal/shared"
	"github.com/libos-go/libos/protocols/tcp" // want `protocol udp imports protocol tcp, but its Kconfig entry does not depend on it`
	"github.com/libos-go/libos/protocols/udp/wire"
)

const X = shared.X + tcp.X + wire.X
