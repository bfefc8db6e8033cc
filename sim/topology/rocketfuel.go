package topology

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rocketfuel is the project that mapped ISPs (Spring, Mahajan, Wetherall: Measuring
// ISP Topologies with Rocketfuel, SIGCOMM 2002). Of its files are read: the weights
// and latencies between places (weights.intra, latencies.intra), and the maps of
// routers (.cch).

// ReadRocketfuel reads weights.intra and, if it is not nil, latencies.intra: a line
// is two places and a number, which is a weight, or milliseconds. A link is met once
// in each direction; the first one counts. Weights become costs in tenths, so that
// 2.5 is 25.
func ReadRocketfuel(weightFile string, weights []byte, latencyFile string, latencies []byte) (*Graph, error) {
	g := &Graph{Name: weightFile}
	ids, edges := map[string]int{}, map[[2]int]int{}
	node := func(name string) int {
		v, ok := ids[name]
		if !ok {
			v = g.AddNode(strings.ReplaceAll(name, "+", " "), Router)
			ids[name] = v
		}
		return v
	}
	err := intra(weightFile, weights, func(line int, a, b string, w float64) error {
		if a == b {
			return nil
		}
		x, y := node(a), node(b)
		if len(g.Nodes) > MaxNodes || len(g.Edges) >= MaxEdges {
			return fmt.Errorf("%s:%d: more than %d nodes or %d links", weightFile, line, MaxNodes, MaxEdges)
		}
		if _, known := edges[pair(x, y)]; !known {
			edges[pair(x, y)] = g.Connect(x, y, Link{Cost: max(1, uint64(w*10+0.5))})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = intra(latencyFile, latencies, func(line int, a, b string, ms float64) error {
		x, okA := ids[a]
		y, okB := ids[b]
		e, ok := edges[pair(x, y)]
		if a == b {
			return nil
		}
		if !okA || !okB || !ok {
			return fmt.Errorf("%s:%d: %s has no link between %s and %s", latencyFile, line, weightFile, a, b)
		}
		if g.Edges[e].Delay == 0 {
			g.Edges[e].Delay = time.Duration(ms * float64(time.Millisecond))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(g.Nodes) == 0 {
		return nil, fmt.Errorf("%s:1: there are no links in it", weightFile)
	}
	g.UniqueNames()
	return g, g.Check()
}

func intra(file string, data []byte, each func(line int, a, b string, v float64) error) error {
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		f := strings.Fields(text)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 3 {
			return fmt.Errorf("%s:%d: %d words; a line is two places and a number", file, line, len(f))
		}
		v, err := strconv.ParseFloat(f[2], 64)
		if err != nil || !(v >= 0 && v <= 1e9) {
			return fmt.Errorf("%s:%d: %q is not a number from 0 to 1e9", file, line, f[2])
		}
		if err := each(line, f[0], f[1], v); err != nil {
			return err
		}
	}
	return nil
}

// ReadCCH reads a map of routers (.cch): a line
//
//	uid @place [+] [bb] (neighbours) [&externals] -> <uid> … {-euid} … =name rn
//
// is a router of the ISP. Its links to others of the ISP become edges; addresses
// outside of it (euid) are left out. Attributes are place, backbone ("bb") and
// radius (rn, how many hops from the ISP's backbone).
func ReadCCH(file string, data []byte) (*Graph, error) {
	b := newBuilder(file)
	type link struct {
		line     int
		from, to string
	}
	var links []link
	line := 0
	for text := range strings.Lines(string(data)) {
		line++
		f := strings.Fields(text)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") || strings.HasPrefix(f[0], "-") {
			continue // nothing, or a router outside
		}
		uid := f[0]
		if _, err := strconv.ParseUint(uid, 10, 64); err != nil {
			return nil, b.fail(line, "%q where a router's number is expected", uid)
		}
		attrs := map[string]string{}
		arrow := false
		for _, w := range f[1:] {
			switch {
			case w == "->":
				arrow = true
			case strings.HasPrefix(w, "@"):
				attrs["place"] = strings.ReplaceAll(w[1:], "+", " ")
			case w == "bb":
				attrs["backbone"] = "bb"
			case strings.HasPrefix(w, "="):
				attrs["label"] = strings.TrimSuffix(w[1:], "!")
			case strings.HasPrefix(w, "<"):
				to, ok := strings.CutSuffix(w[1:], ">")
				if !ok || !arrow {
					return nil, b.fail(line, "%q is no neighbour after the ->", w)
				}
				if len(links) == 2*MaxEdges {
					return nil, b.fail(line, "more than %d links", MaxEdges)
				}
				links = append(links, link{line, uid, to})
			case len(w) > 1 && w[0] == 'r' && strings.Trim(w[1:], "0123456789") == "":
				attrs["radius"] = w[1:]
			case w == "+", strings.HasPrefix(w, "("), strings.HasPrefix(w, "&"), strings.HasPrefix(w, "{"):
			default:
				return nil, b.fail(line, "%q is nothing that a line of a .cch file has", w)
			}
		}
		if !arrow {
			return nil, b.fail(line, "router %s has no ->", uid)
		}
		if err := b.node(line, uid, attrs); err != nil {
			return nil, err
		}
		b.g.Nodes[len(b.g.Nodes)-1].Kind = Router
	}
	met := map[[2]int]bool{}
	for _, l := range links {
		a := b.ids[l.from]
		c, ok := b.ids[l.to]
		if !ok {
			return nil, b.fail(l.line, "neighbour <%s>: there is no router with that number", l.to)
		}
		if p := pair(a, c); a != c && !met[p] {
			met[p] = true
			if len(b.g.Edges) == MaxEdges {
				return nil, b.fail(l.line, "more than %d links", MaxEdges)
			}
			b.g.Connect(a, c, Link{})
		}
	}
	return b.end()
}
