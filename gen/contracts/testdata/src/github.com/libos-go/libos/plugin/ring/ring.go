package ring

import "github.com/libos-go/libos/core/tables" // want `plugin/ring imports core/tables: it may import nothing of ours`

var X = tables.Sizes[0]
