package shared

import "github.com/libos-go/libos/protocols/tcp" // want `protocol internal imports protocol tcp, but its Kconfig entry does not depend on it`

const X = tcp.X
