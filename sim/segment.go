package sim

import (
	"fmt"
	"slices"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/device/segment"
)

// SegmentKind is what joins the ports of a segment.
type SegmentKind uint8

const (
	Switch SegmentKind = iota // a learning bridge
	Hub                       // one medium that all share in turn
	Radio                     // a channel with positions, ranges and losses
)

// SegmentConfig describes an Ethernet with any number of nodes. All of them run in
// one part.
type SegmentConfig struct {
	// Place is where the segment is described, for messages.
	Place string
	Kind  SegmentKind
	// Cable is what leads from each port to a switch, or how the medium of a hub is.
	segment.Cable
	// Radio is the channel of a radio; its name is the segment's.
	Radio segment.RadioConfig
	// MTU in bytes of IP packet; 0 is 1500.
	MTU int
	// Cost of the segment for automatic routes; 0 is 1.
	Cost int
}

// PortConfig describes a node's port of a segment.
type PortConfig struct {
	// Place is where the port is described, for messages.
	Place string
	// Interface is its name; "" is the next free ethN.
	Interface string
	// Addresses by hand; without, it gets some.
	Addresses []Text
	// Cable replaces the segment's for this port of a switch.
	Cable *segment.Cable
	// Qdisc is the root queueing discipline, in the words of tc(8).
	Qdisc Text
	// Position of the station of a radio; nil is the node's X and Y.
	Position segment.Path
	// Detached is a port that is plugged into nothing until an action does so.
	Detached bool
}

// Segment is an Ethernet with any number of ports.
type Segment struct {
	net    *Network
	name   string
	config SegmentConfig
	subnet *subnet
	medium segment.Medium
	trunks []*trunk
}

// trunk joins a switch to another one.
type trunk struct {
	to    *Segment
	cable segment.Cable
	place string
	made  *segment.Trunk
	ways  [2]queued // to it, and back
}

// now is what waits before a trunk, on the way to its switch or back. Inside an entry.
func (t *trunk) now(way int, at core.Time) queueNow {
	w := t.made.Way(way == 1, at)
	return queueNow{limit: w.Rate, frames: w.Frames, bytes: w.Rest, sent: float64(w.Bytes), drops: w.Drops}
}

// eachTrunk calls f for the trunks between switches that have ports, in their order,
// with the part that runs both.
func (n *Network) eachTrunk(f func(*part, *Segment, *trunk)) {
	for _, s := range n.segmentList {
		for _, t := range s.trunks {
			if t.made != nil && len(s.subnet.ports) > 0 {
				f(s.subnet.ports[0].node.part, s, t)
			}
		}
	}
}

// Segment adds a segment. Names are unique.
func (n *Network) Segment(name string, c SegmentConfig) *Segment {
	s := &Segment{net: n, name: name, config: c, subnet: &subnet{name: name, place: c.Place, cost: max(1, c.Cost)}}
	switch {
	case n.built:
		n.wrong(c.Place, "segment %s: the network is built: segments are added before that", name)
		return s
	case name == "":
		n.wrong(c.Place, "a segment has no name")
	case n.segments[name] != nil:
		n.wrong(c.Place, "there is a segment %s already%s: names are unique", name, at(n.segments[name].config.Place))
		return s
	}
	p := segment.PortConfig{Name: name, MTU: c.MTU, Cable: c.Cable}
	if err := p.Check(); err != nil {
		n.wrong(c.Place, "segment %s: %w", name, err)
	}
	if c.Kind == Radio {
		s.config.Radio.Name = name
		if err := s.config.Radio.Check(); err != nil {
			n.wrong(c.Place, "segment %s: %w", name, err)
		}
	}
	n.segments[name] = s
	n.segmentList = append(n.segmentList, s)
	n.subnets = append(n.subnets, s.subnet)
	return s
}

// LookupSegment finds a segment by its name, nil if there is none.
func (n *Network) LookupSegment(name string) *Segment { return n.segments[name] }

// Segments are in the order of their making.
func (n *Network) Segments() []*Segment { return n.segmentList }

// Name of the segment.
func (s *Segment) Name() string { return s.name }

// Config is what the segment was made from.
func (s *Segment) Config() *SegmentConfig { return &s.config }

// Nodes are those with a port of the segment at the beginning.
func (s *Segment) Nodes() (out []*Node) {
	for _, p := range s.subnet.ports {
		if p.segment == s {
			out = append(out, p.node)
		}
	}
	return out
}

// Attach gives a node a port of the segment.
func (s *Segment) Attach(x *Node, c PortConfig) {
	n := s.net
	switch {
	case n.built:
		n.wrong(c.Place, "segment %s: the network is built: ports are added before that", s.name)
		return
	case x == nil:
		n.wrong(c.Place, "segment %s: a port has no node", s.name)
		return
	}
	p := n.port(x, s.subnet, c.Interface, c.Addresses, c.Place)
	p.segment, p.config = s, c
}

// Trunk joins the switch s to the switch to: their ports are then one Ethernet.
func (s *Segment) Trunk(to *Segment, cable segment.Cable, place string) {
	n := s.net
	switch {
	case to == nil || to.net != n || to == s:
		n.wrong(place, "segment %s: a trunk leads to another switch of the network", s.name)
		return
	case s.config.Kind != Switch || to.config.Kind != Switch:
		n.wrong(place, "segments %s and %s: trunks join switches", s.name, to.name)
		return
	case s.subnet == to.subnet:
		n.wrong(place, "segments %s and %s are joined already: %w", s.name, to.name, segment.ErrLoop)
		return
	}
	s.trunks = append(s.trunks, &trunk{to: to, cable: cable, place: place})
	// One Ethernet is one subnet.
	old := to.subnet
	for _, p := range old.ports {
		p.subnet = s.subnet
	}
	s.subnet.ports = append(s.subnet.ports, old.ports...)
	n.subnets = slices.DeleteFunc(n.subnets, func(x *subnet) bool { return x == old })
	for _, x := range n.segmentList {
		if x.subnet == old {
			x.subnet = s.subnet
		}
	}
}

// makeSegments makes media, ports and trunks.
func (n *Network) makeSegments() error {
	for _, s := range n.segmentList {
		c := &s.config
		switch c.Kind {
		case Hub:
			s.medium = segment.NewHub(segment.HubConfig{Name: s.name, Rate: c.Rate, Delay: c.Delay})
		case Radio:
			s.medium = segment.NewRadio(c.Radio)
		default:
			s.medium = segment.NewSwitch(segment.SwitchConfig{Name: s.name})
		}
		for _, p := range s.subnet.ports {
			if p.segment != s {
				continue
			}
			if err := s.connect(p); err != nil {
				return fmt.Errorf("%ssegment %s: %w", prefix(c.Place), s.name, err)
			}
		}
	}
	for _, s := range n.segmentList {
		for _, t := range s.trunks {
			a, b := s.medium.(*segment.Switch), t.to.medium.(*segment.Switch)
			var err error
			if t.made, err = segment.Join(a, b, t.cable); err != nil {
				return fmt.Errorf("%ssegments %s and %s: %w", prefix(t.place), s.name, t.to.name, err)
			}
		}
	}
	return nil
}

// connect makes the device of a port.
func (s *Segment) connect(p *port) error {
	c := segment.PortConfig{Name: s.name + "/" + p.node.name + "/" + p.name, MTU: s.config.MTU, Cable: s.config.Cable, QueueLen: s.config.QueueLen,
		Position: p.config.Position}
	if p.config.Cable != nil {
		c.Cable = *p.config.Cable
	}
	if c.Position == nil {
		c.Position = segment.At(segment.Point{X: p.node.config.X, Y: p.node.config.Y})
	}
	if err := c.Check(); err != nil {
		return err
	}
	port := segment.NewPort(c)
	p.device = port
	if s.config.Kind != Hub { // where each port has a cable or losses of its own
		p.toward = new(queued)
	}
	if !p.config.Detached {
		if err := port.Plug(s.medium); err != nil {
			return err
		}
	}
	if err := p.attach(); err != nil {
		return err
	}
	if err := port.Err(); err != nil {
		return err
	}
	return p.qdisc(p.config.Qdisc)
}

// plug carries out "NODE plug INTERFACE SEGMENT" and "NODE unplug INTERFACE".
func (x *Node) plug(verb string, words []string) (func() error, error) {
	want := 1
	if verb == "plug" {
		want = 2
	}
	if len(words) != want {
		return nil, fmt.Errorf("write NODE plug INTERFACE SEGMENT or NODE unplug INTERFACE")
	}
	p := x.port(words[0])
	if p == nil {
		return nil, x.noInterface(words[0])
	}
	port, ok := p.device.(*segment.Port)
	if !ok {
		return nil, fmt.Errorf("interface %s of %s is an end of link %s, which is not unplugged: write link %s down", p.name, x.name, p.subnet.name, p.subnet.name)
	}
	if verb == "unplug" {
		return func() error { x.in.Domain().Do(port.Unplug); return nil }, nil
	}
	s := x.net.segments[words[1]]
	if s == nil {
		return nil, fmt.Errorf("there is no segment %s", words[1])
	}
	return func() (err error) {
		x.in.Domain().Do(func() { err = port.Plug(s.medium) })
		return err
	}, nil
}
