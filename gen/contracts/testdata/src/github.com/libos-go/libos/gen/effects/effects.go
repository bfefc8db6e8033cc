// Package effects is a room of the generator, which contract C4 does not cover.
package effects

import _ "image/png"

func init() {}
