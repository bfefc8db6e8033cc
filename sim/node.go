package sim

import (
	"strconv"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/host"
)

// Role says whether a node forwards packets of others.
type Role uint8

const (
	AutoRole Role = iota // a node with more than one link is a router
	Host
	Router
)

// Sysctl is one setting.
type Sysctl struct{ Name, Value, Place string }

// Text is a line with the place it came from, for messages.
type Text struct{ Text, Place string }

// NodeConfig describes a node. The zero value is a host or, with several links, a
// router in the network's wiring.
type NodeConfig struct {
	// Place is where the node is described ("lab.toml:12"), for messages.
	Place string
	// Wiring replaces the network's: a node of another configuration.
	Wiring *core.Wiring
	Role   Role
	// Sysctls are set before the first packet, in this order.
	Sysctls []Sysctl
	// Routes in the words of `ip route`: a node that has some gets no automatic
	// ones.
	Routes []Text
	// Memory bounds the bytes that the node may hold in slabs, 0 does not.
	Memory int64
	// X and Y are the node's place in drawings, and in metres for radio.
	X, Y float64
}

// Node is one host or router.
type Node struct {
	net    *Network
	name   string
	index  int
	config NodeConfig
	ports  []*port
	part   *part
	in     *core.Instance
	tasks  []start
	last   *lastPackets
	flows  []*flow        // in the order of Track
	named  map[string]int // how many flows of a name there were
	going  []*flow        // those that are sampled
	values []Value
	dice   map[string]int // how many streams of a name were asked for
}

// start is a task that waits for its time.
type start struct {
	name string
	at   time.Duration
	f    func(*Task)
}

// Node adds a node. Names are unique, and not empty.
func (n *Network) Node(name string, c NodeConfig) *Node {
	x := &Node{net: n, name: name, index: len(n.nodes), config: c}
	switch {
	case n.built:
		n.wrong(c.Place, "node %s: the network is built: nodes are added before that", name)
	case name == "":
		n.wrong(c.Place, "a node has no name")
	case n.byName[name] != nil:
		n.wrong(c.Place, "there is a node %s already%s: names are unique", name, at(n.byName[name].config.Place))
	}
	if c.Wiring == nil && n.options.Wiring == nil {
		n.wrong(c.Place, "node %s has no wiring: give one to the node or the network (libos.Wiring())", name)
	}
	n.nodes = append(n.nodes, x)
	n.byName[name] = x
	return x
}

func at(place string) string {
	if place == "" {
		return ""
	}
	return " (" + place + ")"
}

// Name of the node.
func (x *Node) Name() string { return x.name }

// Index counts nodes from 0.
func (x *Node) Index() int { return x.index }

// Config is what the node was made from.
func (x *Node) Config() *NodeConfig { return &x.config }

// Network is what the node is part of.
func (x *Node) Network() *Network { return x.net }

// Instance is the node's stack, nil before Build.
func (x *Node) Instance() *core.Instance { return x.in }

// IsRouter tells whether the node forwards.
func (x *Node) IsRouter() bool {
	return x.config.Role == Router || x.config.Role == AutoRole && len(x.ports) > 1
}

// Addr is the node's first address of a family (4 or 6), after Build; the zero
// address if it has none.
func (x *Node) Addr(family int) wire.Addr {
	for _, p := range x.ports {
		for _, a := range p.prefixes {
			if a.Addr.Is4() == (family == 4) {
				return a.Addr
			}
		}
	}
	return wire.Addr{}
}

// Address is the node's first IPv4 address, or its first IPv6 address if it has
// none, as text.
func (x *Node) Address() string {
	for _, family := range []int{4, 6} {
		if a := x.Addr(family); a != (wire.Addr{}) {
			return a.String()
		}
	}
	return ""
}

// Random is a stream of random numbers that depends on the seed, the node's name and
// that of the stream. Who asks for one of a name again gets another one. It is for
// who describes the network, and for the node's own tasks.
func (x *Node) Random(stream string) core.Source {
	if x.dice == nil {
		x.dice = map[string]int{}
	}
	x.dice[stream]++
	name := "node/" + x.name + "/" + stream
	if k := x.dice[stream]; k > 1 {
		name += "#" + strconv.Itoa(k)
	}
	return host.NewVirtual(x.net.options.Seed).Random(name)
}

// Go starts f on the node at an instant of virtual time.
func (x *Node) Go(name string, at time.Duration, f func(*Task)) {
	s := start{name, at, f}
	if x.net.built {
		x.launch(s)
		return
	}
	x.tasks = append(x.tasks, s)
}

// wiring is the node's.
func (x *Node) wiring() *core.Wiring {
	if x.config.Wiring != nil {
		return x.config.Wiring
	}
	return x.net.options.Wiring
}

// has tells which families the node's wiring has.
func (x *Node) has() (f Families) {
	for i := range x.wiring().Networks {
		switch x.wiring().Networks[i].Network.Family {
		case core.AFInet:
			f |= IPv4
		case core.AFInet6:
			f |= IPv6
		}
	}
	return f
}
