package sim

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
)

// LinkConfig describes a point-to-point link. The zero value is ideal: what is sent
// has arrived.
type LinkConfig struct {
	// Place is where the link is described, for messages.
	Place string
	// Wire holds for both directions, AToB and BToA replace it for one.
	pipe.Wire
	AToB, BToA *pipe.Wire
	// Ethernet has frames with hardware addresses, and neighbours to be asked for;
	// without it the link carries bare IP packets.
	Ethernet bool
	// MTU in bytes of IP packet; 0 is 1500.
	MTU int
	// Offload passes super-segments whole on an ideal link.
	Offload bool
	// Cost of the link for automatic routes; 0 is 1.
	Cost int
	// Addresses of the ends ("10.0.0.1/24"); an end without gets some.
	Addresses [2][]Text
	// Interfaces are the names of the ends; "" is the next free ethN.
	Interfaces [2]string
	// Qdisc is the root queueing discipline of each end in the words of tc(8), such
	// as "fq_codel limit 1000". Frames then wait there, and not on the wire: it paces
	// its interfaces.
	Qdisc [2]Text
	// Down is a link that is not there until SetUp.
	Down bool
}

// Link is a point-to-point link.
type Link struct {
	net    *Network
	name   string
	index  int
	config LinkConfig
	ends   [2]*port
	subnet *subnet
	least  [2]time.Duration // what a frame takes from an end at least, ever
}

// port is where a node meets a link.
type port struct {
	node     *Node
	name     string // of the interface, set by Build at the latest
	given    []Text // addresses by hand
	prefixes []wire.Prefix
	subnet   *subnet
	segment  *Segment // that it is a port of, nil at a link
	config   PortConfig
	device   core.Device
	ifc      *core.Interface
	queue    queued
	toward   *queued // of the way from a switch or over a radio to here
}

// subnet is what hears a broadcast: a link, or a segment with its ports.
type subnet struct {
	name  string
	place string
	ports []*port
	cost  int
	base  uint32        // of automatic addresses
	bits  int           // of their IPv4 prefix, 0 where addresses are by hand
	owner *Node         // in whose block they lie, nil if they have a route of their own
	delay time.Duration // the least of the two directions
}

// Link adds a link from a to b. Names are unique; "" makes one of the nodes'.
func (n *Network) Link(name string, a, b *Node, c LinkConfig) *Link {
	if name == "" && a != nil && b != nil {
		name = a.name + "-" + b.name
	}
	l := &Link{net: n, name: name, index: len(n.links), config: c}
	switch {
	case n.built:
		n.wrong(c.Place, "link %s: the network is built: links are added before that", name)
		return l
	case a == nil || b == nil:
		n.wrong(c.Place, "link %s: an end has no node", name)
		return l
	case a.net != n || b.net != n:
		n.wrong(c.Place, "link %s: its nodes are of another network", name)
		return l
	case a == b:
		n.wrong(c.Place, "link %s joins %s with itself: a link has two nodes", name, a.name)
		return l
	case n.named[name] != nil:
		n.wrong(c.Place, "there is a link %s already%s: names are unique", name, at(n.named[name].config.Place))
		return l
	}
	if c.Cost < 0 {
		n.wrong(c.Place, "link %s: cost %d is negative; 0 is 1", name, c.Cost)
	}
	if err := l.pipeConfig().Check(); err != nil {
		n.wrong(c.Place, "%w", err)
	}
	s := &subnet{name: name, place: c.Place, cost: max(1, c.Cost)}
	for i, x := range []*Node{a, b} {
		l.ends[i] = n.port(x, s, c.Interfaces[i], c.Addresses[i], c.Place)
	}
	l.subnet = s
	n.subnets = append(n.subnets, s)
	n.links = append(n.links, l)
	n.named[name] = l
	return l
}

// port joins x to a subnet.
func (n *Network) port(x *Node, s *subnet, name string, given []Text, place string) *port {
	p := &port{node: x, name: name, given: given, subnet: s}
	if name != "" {
		for _, o := range x.ports {
			if o.name == name {
				n.wrong(place, "%s: node %s has an interface %s already", s.name, x.name, name)
			}
		}
	}
	x.ports = append(x.ports, p)
	s.ports = append(s.ports, p)
	return p
}

// Name of the link.
func (l *Link) Name() string { return l.name }

// Config is what the link was made from.
func (l *Link) Config() *LinkConfig { return &l.config }

// Node is the node at end 0 or 1.
func (l *Link) Node(end int) *Node { return l.ends[end].node }

// Interface is the interface at end 0 or 1, nil before Build.
func (l *Link) Interface(end int) *core.Interface { return l.ends[end].ifc }

// Counters of what was sent by end 0 or 1, while nothing runs.
func (l *Link) Counters(end int) pipe.Counters { return l.end(end).Counters() }

// end is the device of end 0 or 1.
func (l *Link) end(i int) *pipe.End { return l.ends[i].device.(*pipe.End) }

// SetUp mends or cuts the link at both ends, from the instant at on.
func (l *Link) SetUp(at time.Duration, up bool) {
	word := map[bool]string{false: " down", true: " up"}[up]
	l.net.Do(at, Text{Text: "link " + l.name + word})
}

// wire is what frames of an end meet.
func (l *Link) wire(end int) *pipe.Wire {
	w := &l.config.Wire
	if d := [2]*pipe.Wire{l.config.AToB, l.config.BToA}[end]; d != nil {
		w = d
	}
	return w
}

func (l *Link) pipeConfig() *pipe.Config {
	c := &l.config
	p := &pipe.Config{Name: l.name, Raw: !c.Ethernet, MTU: c.MTU, Offload: c.Offload}
	for i, to := range []**pipe.Wire{&p.AToB, &p.BToA} {
		w := *l.wire(i)
		if c.Qdisc[i].Text != "" {
			w.Pace = max(1, w.Pace)
		}
		*to = &w
	}
	return p
}

// ferry brings the frames of a link that is cut over to the other part.
type ferry struct {
	ends  [2]core.Device
	parts [2]*part
}

// Waiting implements pipe.Ferry.
func (f *ferry) Waiting(e *pipe.End) {
	from, to := f.parts[0], f.parts[1]
	if from.net.closed { // it would not land
		return
	}
	if e == f.ends[1] {
		from, to = to, from
	}
	from.out[to.index] = append(from.out[to.index], e)
}
