package tc

import (
	"fmt"
	"syscall"

	"github.com/libos-go/libos/core"
)

// Run parses words, what follows the word tc, and applies them to an instance. It
// is one entry.
func Run(in *core.Instance, words []string) (out string, err error) {
	c, err := Parse(in.Wiring(), words)
	if err != nil {
		return "", err
	}
	in.Domain().Do(func() { out, err = c.Apply(in) })
	return out, err
}

// Apply carries the command out, inside an entry: it changes an interface's
// disciplines, or is what they look like. Errors wrap the errno of Linux.
func (c *Command) Apply(in *core.Instance) (string, error) {
	var ifc *core.Interface
	if c.Dev != "" {
		for _, x := range in.Interfaces() {
			if x.Name() == c.Dev {
				ifc = x
			}
		}
		if ifc == nil {
			return "", fmt.Errorf("tc: %s has no device %q: %w", in.Name(), c.Dev, syscall.ENODEV)
		}
	}
	if c.Verb == Show {
		list := in.Interfaces()
		if ifc != nil {
			list = []*core.Interface{ifc}
		}
		return c.show(list)
	}
	if err := c.put(in, ifc); err != nil {
		return "", fmt.Errorf("tc: %w", err)
	}
	return "", nil
}

// put changes the disciplines of ifc (sch_api.c, tc_modify_qdisc).
func (c *Command) put(in *core.Instance, ifc *core.Interface) error {
	if c.Verb == Delete {
		return ifc.DropQdisc(c.Parent)
	}
	var old *core.QdiscNode
	for _, n := range ifc.Qdiscs() {
		if n.Parent == c.Parent || c.Parent != core.QdiscRoot && n.Parent.Major() == c.Parent.Major() && n.Parent != core.QdiscRoot {
			old = &n
			break
		}
	}
	if c.Kind == "noqueue" {
		return ifc.SetQdiscLocked()
	}
	same := old != nil && old.Qdisc.Config().Kind() == c.Kind && (c.Handle == 0 || c.Handle == old.Handle)
	switch {
	case c.Verb == Add && old != nil && old.Handle != 0:
		return fmt.Errorf("dev %s: there is %s at %v: write replace, or delete it first: %w", c.Dev, old.Qdisc.Config().Kind(), c.Parent, syscall.EEXIST)
	case c.Verb == Change && (old == nil || old.Handle == 0):
		return fmt.Errorf("dev %s: there is nothing to change at %v: write add: %w", c.Dev, c.Parent, syscall.ENOENT)
	case c.Verb == Change && !same && c.Handle != 0:
		return fmt.Errorf("dev %s: there is %s %v at %v: change with a handle keeps kind and handle; write replace: %w", c.Dev, old.Qdisc.Config().Kind(), old.Handle, c.Parent, syscall.EINVAL)
	case same && c.Verb != Add:
		config, err := in.Wiring().Qdisc(c.Kind).Parse(c.Options, old.Qdisc.Config())
		if err == nil {
			err = config.Check()
		}
		if err == nil {
			err = old.Qdisc.Change(config)
		}
		if err != nil {
			return fmt.Errorf("dev %s: %w: %w", c.Dev, err, syscall.EINVAL)
		}
		ifc.ResumeQdiscs()
		return nil
	}
	return ifc.PutQdisc(c.Parent, c.Handle, c.Config)
}
