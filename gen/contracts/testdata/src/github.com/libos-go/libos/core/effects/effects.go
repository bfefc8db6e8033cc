package effects

import (
	_ "embed"
	_ "image/png" // want `blank import of image/png acts by side effect`
	"fmt"
)

type T struct{}

func (*T) String() string { return "" }

func (*T) init() {}

func register() int { return 0 }

var (
	_ fmt.Stringer = (*T)(nil)
	_              = len("x")
	_              = func() int { return register() }
	_              = register() // want `the initialiser of a blank variable calls a function`
)

func init() {} // want `func init runs by mere import`
