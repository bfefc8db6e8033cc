package main

import "errors"

// errNoPython tells that there is nothing to start.
var errNoPython = errors.New("python3 is what is started: install it, on Linux on amd64 or arm64")
