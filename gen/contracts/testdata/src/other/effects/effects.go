// Package effects is of another module: no rule of ours holds here.
package effects

import (
	_ "image/png"
	"time"
)

var State = map[string]time.Time{}

func init() { State["x"] = time.Now() }
