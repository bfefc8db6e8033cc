package sim

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/host"
)

// Families are the address families that automatic addresses are given of.
type Families uint8

const (
	IPv4 Families = 1 << iota
	IPv6
)

// Options of a Network. The zero value of all but Wiring is usable.
type Options struct {
	// Seed of every random stream; equal seeds give equal bytes.
	Seed uint64
	// Wiring of nodes that name none.
	Wiring *core.Wiring
	// Partitions is how many parts of the network may run at once, each on a core.
	// The result does not depend on it. 0 is 1. Fewer are made where the network
	// cannot be cut: parts are joined by links with a delay only.
	Partitions int
	// Start is the civil time of the instant 0; zero is 2000-01-01 00:00 UTC.
	Start time.Time
	// Families of automatic addresses; 0 is those that the wiring has.
	Families Families
	// ByHand leaves routes to the nodes' own lists and to tasks.
	ByHand bool
	// LastPackets is how many packets a Failure shows of its node: 0 is 16, negative
	// none.
	LastPackets int
	// Log of the instances; nil discards it.
	Log *slog.Logger
}

// Network is a simulated network. Its methods are for one goroutine, and not for
// tasks, unless they say otherwise.
type Network struct {
	options Options
	nodes   []*Node
	links   []*Link
	byName  map[string]*Node
	named   map[string]*Link
	actions []timed

	segments    map[string]*Segment
	segmentList []*Segment

	subnets []*subnet
	blocks  map[*Node]*block
	parts   []*part
	ahead   [][]core.Time // ahead[i][j]: what part i does reaches part j no sooner
	errs    []error
	merged  []*Merged
	every   core.Time // between samples, 0 takes none
	built   bool
	stopped bool // Stop was called
	closed  bool

	now  atomic.Int64 // of the part that is behind
	stop atomic.Bool
}

// New makes an empty network.
func New(o Options) *Network {
	if o.Start.IsZero() {
		o.Start = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if o.LastPackets == 0 {
		o.LastPackets = 16
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Network{options: o, byName: map[string]*Node{}, named: map[string]*Link{}, segments: map[string]*Segment{}}
}

// Nodes are in the order of their making.
func (n *Network) Nodes() []*Node { return n.nodes }

// Links are in the order of their making.
func (n *Network) Links() []*Link { return n.links }

// Lookup finds a node by its name, nil if there is none.
func (n *Network) Lookup(name string) *Node { return n.byName[name] }

// LookupLink finds a link by its name, nil if there is none.
func (n *Network) LookupLink(name string) *Link { return n.named[name] }

// Options are those the network was made with.
func (n *Network) Options() Options { return n.options }

// Random is a stream of random numbers of the network's seed, for who describes it.
func (n *Network) Random(stream string) core.Source {
	return host.NewVirtual(n.options.Seed).Random("network/" + stream)
}

// wrong notes an error of the description, for Build.
func (n *Network) wrong(place, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if place != "" {
		err = fmt.Errorf("%s: %w", place, err)
	}
	n.errs = append(n.errs, err)
}

// Check tells what is wrong with the description so far.
func (n *Network) Check() error { return errors.Join(n.errs...) }
