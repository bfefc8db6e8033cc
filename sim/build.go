package sim

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
)

// part is a piece of the network that one core runs: a Domain with a clock of its
// own.
type part struct {
	index  int
	host   *host.Virtual
	domain *core.Domain
	out    [][]*pipe.End // by part: links to it on which frames wait
	net    *Network
	told   told
	failed *Failure
	seen   []mergedFrame // of captures of all, since hand
	handed []mergedFrame
	sampler
}

// Build gives addresses and routes and makes the instances. Run calls it. All
// that is wrong with the description is told at once.
func (n *Network) Build() error { return n.BuildContext(context.Background()) }

// BuildContext is Build, which ends with an error when ctx does: a network of a
// hundred thousand nodes takes its time.
func (n *Network) BuildContext(ctx context.Context) error {
	if n.built {
		return n.Check()
	}
	if len(n.nodes) == 0 {
		n.wrong("", "the network has no nodes")
	}
	n.nameInterfaces()
	n.assignAddresses()
	if err := n.Check(); err != nil {
		return err
	}
	n.built = true
	n.partition()
	for i, x := range n.nodes {
		if err := interruption(ctx, "nodes", i, len(n.nodes)); err != nil {
			return errors.Join(err, n.Close())
		}
		if err := n.make(x); err != nil {
			return errors.Join(fmt.Errorf("%s: %w", x.where(), err), n.Close())
		}
	}
	for i, l := range n.links {
		if err := interruption(ctx, "links", i, len(n.links)); err != nil {
			return errors.Join(err, n.Close())
		}
		if err := n.connect(l); err != nil {
			return errors.Join(err, n.Close())
		}
	}
	if err := n.makeSegments(); err != nil {
		return errors.Join(err, n.Close())
	}
	if err := n.route(ctx); err != nil {
		return errors.Join(err, n.Close())
	}
	n.schedule()
	if err := n.Check(); err != nil {
		return errors.Join(err, n.Close())
	}
	for _, x := range n.nodes {
		for _, s := range x.tasks {
			x.launch(s)
		}
		x.tasks = nil
	}
	return nil
}

// interruption is the error of a construction whose context has ended: of the things
// that are made at the moment so many are done.
func interruption(ctx context.Context, things string, done, of int) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("the construction of the network was interrupted at %d of %d %s: %w", done, of, things, context.Cause(ctx))
}

// where is the node for messages.
func (x *Node) where() string {
	if x.config.Place != "" {
		return x.config.Place + ": node " + x.name
	}
	return "node " + x.name
}

func (n *Network) nameInterfaces() {
	for _, x := range n.nodes {
		taken := map[string]bool{}
		for _, p := range x.ports {
			taken[p.name] = true
		}
		next := 0
		for _, p := range x.ports {
			for p.name == "" {
				if name := "eth" + strconv.Itoa(next); !taken[name] {
					p.name = name
				}
				next++
			}
		}
	}
}

// make makes the instance of a node.
func (n *Network) make(x *Node) error {
	in, err := core.New(core.Options{Name: x.name, Wiring: x.wiring(), Domain: x.part.domain, MemoryLimit: x.config.Memory,
		Order: uint32(x.index) + 1})
	if err != nil {
		return err
	}
	x.in = in
	if x.IsRouter() {
		for _, s := range []struct {
			family Families
			name   string
		}{{IPv4, "net.ipv4.ip_forward"}, {IPv6, "net.ipv6.conf.all.forwarding"}} {
			if x.has()&s.family != 0 {
				if err := in.SetSysctl(s.name, "1"); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range x.config.Sysctls {
		if err := in.SetSysctl(s.Name, s.Value); err != nil {
			if s.Place != "" {
				return fmt.Errorf("%s: %w", s.Place, err)
			}
			return err
		}
	}
	return nil
}

// connect makes the devices of a link.
func (n *Network) connect(l *Link) error {
	c := *l.pipeConfig()
	a, b := l.ends[0], l.ends[1]
	var f *ferry
	if a.node.part != b.node.part {
		f = &ferry{parts: [2]*part{a.node.part, b.node.part}}
		c.Ferry = f
	}
	ends := [2]core.Device{}
	ends[0], ends[1] = pipe.New(c)
	if f != nil {
		f.ends = ends
	}
	for i, p := range l.ends {
		p.device = ends[i]
		if err := p.attach(); err != nil {
			return fmt.Errorf("%slink %s: %w", prefix(l.config.Place), l.name, err)
		}
		if err := p.qdisc(l.config.Qdisc[i]); err != nil {
			return fmt.Errorf("%slink %s: %w", prefix(l.config.Place), l.name, err)
		}
	}
	return nil
}

func prefix(place string) string {
	if place == "" {
		return ""
	}
	return place + ": "
}

// qdisc gives the port's interface a root discipline, if there is one.
func (p *port) qdisc(t Text) error {
	if t.Text == "" {
		return nil
	}
	words := append([]string{"qdisc", "add", "dev", p.name, "root"}, strings.Fields(t.Text)...)
	if _, err := tc.Run(p.node.in, words); err != nil {
		return fmt.Errorf("%sinterface %s of %s: %w", prefix(t.Place), p.name, p.node.name, err)
	}
	return nil
}

// attach gives the port's node its device.
func (p *port) attach() error {
	in := p.node.in
	ifc, err := in.AddDevice(p.device, p.name)
	if err != nil {
		return err
	}
	p.ifc = ifc
	texts := make([]string, len(p.prefixes))
	for i, a := range p.prefixes {
		texts[i] = a.String()
	}
	return ifc.Configure(texts...)
}

// Stop ends all tasks: their calls fail, and they record what they have. No virtual
// time passes, and nothing runs after it.
func (n *Network) Stop() error {
	if n.stopped {
		return nil
	}
	n.stopped = true
	var errs []error
	for _, p := range n.parts {
		errs = append(errs, p.host.Close())
	}
	return errors.Join(errs...)
}

// Close ends all tasks and instances. It returns what instances still held: each
// such report is a leak.
func (n *Network) Close() error {
	if n.closed {
		return nil
	}
	errs := []error{n.Stop()}
	n.closed = true
	for _, p := range n.parts {
		errs = append(errs, p.domain.Close())
	}
	return errors.Join(errs...)
}
