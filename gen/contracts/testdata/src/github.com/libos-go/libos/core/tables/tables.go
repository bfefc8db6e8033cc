// Package tables exports variables for other packages to misuse.
package tables

import "errors"

var (
	ErrFull = errors.New("full")
	Sizes   = []int{64, 128}
	Ports   = [2]uint16{80, 443}
)

type Protocol struct {
	Name    string
	Numbers []uint8
	New     func() int
}

var UDP = Protocol{Name: "udp", Numbers: []uint8{17}, New: one}

func one() int { return 1 }
