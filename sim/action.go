package sim

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/qdisc/tc"
	"github.com/libos-go/libos/core/wire"
	"github.com/libos-go/libos/device/pipe"
)

// Actions
//
//	NODE sysctl NAME=VALUE…
//	NODE ip route add|replace|del ROUTE        (the words of ip-route(8))
//	NODE ip address add|del ADDRESS/BITS dev INTERFACE
//	NODE ip link set INTERFACE up|down | mtu BYTES
//	NODE tc qdisc …                            (the words of tc(8))
//	NODE plug INTERFACE SEGMENT, NODE unplug INTERFACE
//	link NAME up|down
//	link NAME [a_to_b|b_to_a] KEY VALUE…       (rate, delay, jitter, loss, …)
//
// A name or value that has spaces stands in quotes, 'such as this'.

// deed is an action that is ready: what it does on each of some nodes.
type deed struct {
	node *Node
	do   func() error
	// Of one that changes what a direction of a link does:
	link *Link
	end  int
	wire *pipe.Wire
}

// Do has an action carried out at an instant, before what else happens then. What is
// wrong with its words is told by Build, what fails when it is carried out ends the
// simulation with a Failure.
func (n *Network) Do(at time.Duration, action Text) {
	n.actions = append(n.actions, timed{at: at, text: action})
}

type timed struct {
	at    time.Duration
	text  Text
	words []string
	wrong bool   // has been told
	deeds []deed // of links: they are known before the nodes have instances
}

// parseLinks reads the actions that change links.
func (n *Network) parseLinks() {
	for i := range n.actions {
		a := &n.actions[i]
		var err error
		if a.words, err = quotedWords(a.text.Text); err == nil && n.ofLink(a.words) {
			a.deeds, err = n.parse(a.words)
		}
		if err != nil {
			a.wrong = true
			n.wrong(a.text.Place, "%q: %w", a.text.Text, err)
		}
	}
}

// quotedWords are the words of an action; what stands between two quotes, " or ', is
// of one word.
func quotedWords(text string) ([]string, error) {
	var words []string
	var word strings.Builder
	in, quote := false, rune(0)
	for _, c := range text {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '"' || c == '\'':
			in, quote = true, c
		case unicode.IsSpace(c):
			if in {
				words = append(words, word.String())
			}
			in = false
			word.Reset()
		default:
			in = true
			word.WriteRune(c)
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("a quote %c is not closed", quote)
	}
	if in {
		words = append(words, word.String())
	}
	return words, nil
}

// quotedName adds to a message about a name that names with spaces are quoted.
func (n *Network) quotedName(what, name string) error {
	for _, x := range n.nodes {
		if strings.HasPrefix(x.name, name+" ") {
			return fmt.Errorf("there is no %s %s: a name with spaces stands in quotes, such as '%s'", what, name, x.name)
		}
	}
	return fmt.Errorf("there is no %s %s", what, name)
}

// ofLink tells that an action is about a link, which a node of that name hides.
func (n *Network) ofLink(words []string) bool {
	return len(words) > 2 && words[0] == "link" && n.byName["link"] == nil
}

// schedule parses the actions and puts them on the parts' clocks.
func (n *Network) schedule() {
	for _, a := range n.actions {
		if a.deeds == nil && !a.wrong {
			var err error
			if a.deeds, err = n.parse(a.words); err != nil {
				n.wrong(a.text.Place, "%q: %w", a.text.Text, err)
			}
		}
		for _, d := range a.deeds {
			d.node.part.host.At(core.Time(a.at), func() {
				if err := d.do(); err != nil {
					d.node.fail(&Task{node: d.node, name: "action"}, fmt.Sprintf("%s%s: %v", prefix(a.text.Place), a.text.Text, err), "")
				}
			})
		}
	}
	n.actions = nil
}

func (n *Network) parse(words []string) ([]deed, error) {
	if len(words) < 3 {
		return nil, fmt.Errorf("write NODE sysctl NAME=VALUE, NODE ip …, NODE tc … or link NAME …")
	}
	if n.ofLink(words) {
		l := n.named[words[1]]
		if l == nil {
			return nil, n.quotedName("link", words[1])
		}
		return l.parse(words[2:])
	}
	x := n.byName[words[0]]
	if x == nil {
		return nil, n.quotedName("node", words[0])
	}
	var do func() error
	var err error
	switch words[1] {
	case "sysctl":
		do, err = x.sysctls(words[2:])
	case "ip":
		do, err = x.ip(words[2:])
	case "tc":
		var c *tc.Command
		if c, err = tc.Parse(x.wiring(), words[2:]); err == nil {
			if c.Dev != "" && x.port(c.Dev) == nil {
				return nil, x.noInterface(c.Dev)
			}
			do = func() error {
				_, err := tc.Run(x.in, words[2:])
				return err
			}
		}
	case "plug", "unplug":
		do, err = x.plug(words[1], words[2:])
	default:
		err = fmt.Errorf("%s is not sysctl, ip, tc, plug or unplug", words[1])
	}
	if err != nil {
		return nil, err
	}
	return []deed{{node: x, do: do}}, nil
}

// port is the node's end of a name.
func (x *Node) port(name string) *port {
	for _, p := range x.ports {
		if p.name == name {
			return p
		}
	}
	return nil
}

func (x *Node) noInterface(name string) error {
	var names []string
	for _, p := range x.ports {
		names = append(names, p.name)
	}
	return fmt.Errorf("node %s has no interface %s (interfaces: %s)", x.name, name, strings.Join(names, ", "))
}

func (x *Node) sysctls(words []string) (func() error, error) {
	for _, w := range words {
		name, _, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%s: write NAME=VALUE", w)
		}
		if _, err := x.in.Sysctl(name); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return func() error {
		for _, w := range words {
			name, value, _ := strings.Cut(w, "=")
			if err := x.in.SetSysctl(name, value); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// ip is a subset of ip(8).
func (x *Node) ip(words []string) (func() error, error) {
	if len(words) < 3 {
		return nil, fmt.Errorf("write ip route add ROUTE, ip address add ADDRESS/BITS dev INTERFACE or ip link set INTERFACE up")
	}
	object, verb, rest := words[0], words[1], words[2:]
	switch object {
	case "route", "r":
		return x.ipRoute(verb, strings.Join(rest, " "))
	case "address", "addr", "a":
		return x.ipAddress(verb, rest)
	case "link", "l":
		if verb == "set" {
			return x.ipLink(rest)
		}
		return nil, fmt.Errorf("ip link %s: it is ip link set", verb)
	}
	return nil, fmt.Errorf("ip %s: it is route, address or link", object)
}

func (x *Node) ipRoute(verb, text string) (func() error, error) {
	e, dev, err := core.ParseRoute(text)
	if err != nil {
		return nil, err
	}
	if dev != "" && x.port(dev) == nil {
		return nil, x.noInterface(dev)
	}
	switch verb {
	case "add", "replace", "del", "delete":
	default:
		return nil, fmt.Errorf("ip route %s: it is add, replace or del", verb)
	}
	return func() error {
		if dev != "" {
			e.Interface = x.port(dev).ifc
		}
		switch verb {
		case "del", "delete":
			return x.in.RemoveRoute(e)
		case "replace":
			for _, r := range x.in.Routes() {
				if r.Prefix == e.Prefix && r.Metric == e.Metric {
					if err := x.in.RemoveRoute(r); err != nil {
						return err
					}
				}
			}
		}
		return x.in.AddRoute(e)
	}, nil
}

func (x *Node) ipAddress(verb string, rest []string) (func() error, error) {
	if len(rest) != 3 || rest[1] != "dev" {
		return nil, fmt.Errorf("write ip address %s ADDRESS/BITS dev INTERFACE", verb)
	}
	a, err := wire.ParsePrefix(rest[0])
	if err != nil {
		return nil, err
	}
	p := x.port(rest[2])
	if p == nil {
		return nil, x.noInterface(rest[2])
	}
	switch verb {
	case "add":
		return func() error {
			var err error
			x.in.Domain().Do(func() {
				err = p.ifc.AddAddressLocked(&core.Address{Prefix: a, Flags: core.AddressPermanent | core.AddressNoDAD})
			})
			return err
		}, nil
	case "del", "delete":
		return func() error { return p.ifc.RemoveAddress(a.Addr) }, nil
	}
	return nil, fmt.Errorf("ip address %s: it is add or del", verb)
}

func (x *Node) ipLink(rest []string) (func() error, error) {
	if len(rest) > 0 && rest[0] == "dev" {
		rest = rest[1:]
	}
	if len(rest) < 2 {
		return nil, fmt.Errorf("write ip link set INTERFACE up, down or mtu BYTES")
	}
	p := x.port(rest[0])
	if p == nil {
		return nil, x.noInterface(rest[0])
	}
	switch {
	case rest[1] == "up" || rest[1] == "down":
		return func() error { return p.ifc.SetUp(rest[1] == "up") }, nil
	case rest[1] == "mtu" && len(rest) == 3:
		mtu, err := strconv.Atoi(rest[2])
		if err != nil || mtu < 68 || mtu > 65535 {
			return nil, fmt.Errorf("mtu %s is not in 68..65535", rest[2])
		}
		return func() error { return p.ifc.SetMTU(mtu) }, nil
	}
	return nil, fmt.Errorf("ip link set %s %s: it is up, down or mtu BYTES", rest[0], rest[1])
}

// parse reads what is to become of a link.
func (l *Link) parse(words []string) ([]deed, error) {
	if len(words) == 1 && (words[0] == "up" || words[0] == "down") {
		var out []deed
		for i, p := range l.ends {
			out = append(out, deed{node: p.node, do: func() error {
				p.node.in.Domain().Do(func() { l.end(i).SetLinkUp(words[0] == "up") })
				return nil
			}})
		}
		return out, nil
	}
	ends := []int{0, 1}
	switch words[0] {
	case "a_to_b":
		ends, words = ends[:1], words[1:]
	case "b_to_a":
		ends, words = ends[1:], words[1:]
	}
	if len(words) == 0 || len(words)%2 != 0 {
		return nil, fmt.Errorf("write link %s up, down, or KEY VALUE …", l.name)
	}
	change := func(w *pipe.Wire) error {
		for k := 0; k < len(words); k += 2 {
			if err := SetWire(w, words[k], words[k+1]); err != nil {
				return err
			}
		}
		return nil
	}
	var out []deed
	for _, i := range ends {
		w := *l.wire(i)
		if err := change(&w); err != nil {
			return nil, err
		}
		out = append(out, deed{node: l.ends[i].node, link: l, end: i, wire: &w, do: func() error {
			var err error
			l.ends[i].node.in.Domain().Do(func() {
				w := l.end(i).Wire()
				if err = change(&w); err == nil {
					err = l.end(i).SetWire(w)
				}
			})
			return err
		}})
	}
	return out, nil
}
