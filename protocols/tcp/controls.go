package tcp

import "github.com/libos-go/libos/protocols/tcp/congestion"

// controls are the congestion controls of a wiring, the default one first.
type controls struct {
	list  []congestion.Algorithm
	index func(name string) int // place in list, -1 for none
}

// search is the index of a wiring without a generated switch.
func search(list []congestion.Algorithm) func(string) int {
	return func(name string) int {
		for i := range list {
			if list[i].Name == name {
				return i
			}
		}
		return -1
	}
}

// named is the congestion control of that name, nil if there is none.
func (c *controls) named(name string) *congestion.Algorithm {
	if i := c.index(name); i >= 0 {
		return &c.list[i]
	}
	return nil
}

// preset is the one that connections begin with, nil if there is none at all.
func (c *controls) preset() *congestion.Algorithm {
	if len(c.list) == 0 {
		return nil
	}
	return &c.list[0]
}

func (c *controls) names() []string {
	names := make([]string, len(c.list))
	for i := range c.list {
		names[i] = c.list[i].Name
	}
	return names
}
