package layer

import "github.com/libos-go/libos/protocols/tcp" // want `netlink/layer imports protocols/tcp: netlink may import allocator and core`

const X = tcp.X
