package tcp

import (
	"slices"
	"syscall"

	"github.com/libos-go/libos/core/congestion"
)

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

// with is the list with one more at its end. The first stays what connections
// begin with.
func (c *controls) with(a congestion.Algorithm) *controls {
	first, more := c, append(slices.Clone(c.list), a)
	at := search(more)
	return &controls{list: more, index: func(name string) int {
		if i := first.index(name); i >= 0 {
			return i
		}
		return at(name)
	}}
}

// without is the list without the one of that name.
func (c *controls) without(name string) *controls {
	rest := slices.DeleteFunc(slices.Clone(c.list), func(a congestion.Algorithm) bool { return a.Name == name })
	return &controls{list: rest, index: search(rest)}
}

// AddCongestionControl gives the instance one more congestion control, which
// tcp_congestion_control and TCP_CONGESTION can name from now on. EEXIST if it has
// one of that name, EINVAL if the name is none (at most 15 bytes). Inside an entry.
func (d *door) AddCongestionControl(a congestion.Algorithm) error {
	if a.Name == "" || len(a.Name) > 15 || a.New == nil {
		return syscall.EINVAL
	}
	if d.controls.named(a.Name) != nil {
		return syscall.EEXIST
	}
	d.use(d.controls.with(a))
	return nil
}

// RemoveCongestionControl takes away what AddCongestionControl gave. ENOENT if
// there is none of that name, EBUSY while a connection uses it or new ones would.
// Inside an entry.
func (d *door) RemoveCongestionControl(name string) error {
	if err := d.CongestionControlIdle(name); err != nil {
		return err
	}
	d.use(d.controls.without(name))
	return nil
}

// CongestionControlIdle is the error that RemoveCongestionControl would have now.
// Inside an entry.
func (d *door) CongestionControlIdle(name string) error {
	if d.controls.named(name) == nil {
		return syscall.ENOENT
	}
	if s, ok := d.view.Block().(*Sysctls); ok && s.Congestion == name {
		return syscall.EBUSY
	}
	if d.CongestionControlUsers(name) > 0 {
		return syscall.EBUSY
	}
	return nil
}

// PresetCongestionControl is what connections begin with unless told otherwise.
func (d *door) PresetCongestionControl() (a congestion.Algorithm, ok bool) {
	if p := d.controls.preset(); p != nil {
		return *p, true
	}
	return a, false
}

// CongestionControlUsers is how many connections use a congestion control. Inside
// an entry.
func (d *door) CongestionControlUsers(name string) int {
	n := 0
	if d.t != nil {
		d.t.demux.each(func(r reference) {
			if c := d.t.at(r); c != nil && c.cong.control != nil && c.cong.name == name {
				n++
			}
		})
	}
	return n
}

func (d *door) use(c *controls) {
	d.controls = c
	if d.t != nil {
		d.t.controls = c
	}
}
