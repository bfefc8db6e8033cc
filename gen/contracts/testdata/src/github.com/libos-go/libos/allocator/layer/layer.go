package layer

import "github.com/libos-go/libos/core/tables" // want `allocator/layer imports core/tables: allocator may import nothing of ours`

var X = tables.Sizes[0]
