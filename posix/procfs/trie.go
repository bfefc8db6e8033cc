package procfs

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// trie is fib_trie: the routes of IPv4 as leaves of a trie for each table. What joins them
// is drawn with one bit a node, whichever way the stack holds them (fib_trie_seq_show,
// net/ipv4/fib_trie.c).
func (p *page) trie() {
	all := slices.DeleteFunc(p.in.RoutesLocked(), func(e core.RouteEntry) bool { return !e.Prefix.Addr.Is4() })
	shared := !p.in.HasRules(false) // main and local are one then
	for _, table := range p.in.Tables(false) {
		leaves := make(map[uint32][]core.RouteEntry)
		for _, e := range all {
			if of := e.Table; of == table || shared && isMainOrLocal(of) && isMainOrLocal(table) {
				leaves[e.Prefix.Addr.V4()] = append(leaves[e.Prefix.Addr.V4()], e)
			}
		}
		switch table {
		case core.TableMain:
			p.WriteString("Main:\n")
		case core.TableLocal:
			p.WriteString("Local:\n")
		default:
			fmt.Fprintf(p, "Id %d:\n", table)
		}
		var keys []uint32
		for k := range leaves {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		if len(keys) > 0 {
			p.node(keys, leaves, 0)
		}
	}
}

func isMainOrLocal(table uint32) bool { return table == core.TableMain || table == core.TableLocal }

// fork is the first bit in which some of sorted keys differ, 32 for a single one.
func fork(keys []uint32) int { return bits.LeadingZeros32(keys[0] ^ keys[len(keys)-1]) }

// node draws keys, which are sorted, below depth others.
func (p *page) node(keys []uint32, leaves map[uint32][]core.RouteEntry, depth int) {
	indent := strings.Repeat("   ", depth)
	at := fork(keys)
	if at == 32 {
		fmt.Fprintf(p, "%s  |-- %v\n", indent, wire.FromV4(keys[0]))
		list := leaves[keys[0]]
		slices.SortStableFunc(list, func(a, b core.RouteEntry) int { return cmp.Compare(b.Prefix.Bits, a.Prefix.Bits) })
		for i := range list {
			fmt.Fprintf(p, "%s     /%d %s %s\n", indent, list[i].Prefix.Bits, scopeName(list[i].Scope), typeName(list[i].Type))
		}
		return
	}
	split, _ := slices.BinarySearchFunc(keys, uint32(1), func(k, _ uint32) int {
		if k<<at>>31 == 1 {
			return 0
		}
		return -1
	})
	full := 0
	for _, child := range [...][]uint32{keys[:split], keys[split:]} {
		if fork(child) == at+1 && len(child) > 1 {
			full++
		}
	}
	fmt.Fprintf(p, "%s  +-- %v/%d 1 %d 0\n", indent, wire.FromV4(uint32(uint64(keys[0])>>(32-at)<<(32-at))), at, full)
	p.node(keys[:split], leaves, depth+1)
	p.node(keys[split:], leaves, depth+1)
}

func scopeName(s core.Scope) string {
	switch s {
	case core.ScopeUniverse:
		return "universe"
	case core.ScopeSite:
		return "site"
	case core.ScopeLink:
		return "link"
	case core.ScopeHost:
		return "host"
	case core.ScopeNowhere:
		return "nowhere"
	}
	return fmt.Sprintf("scope=%d", s)
}

func typeName(t core.RouteType) string {
	names := [...]string{"UNSPEC", "UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT", "THROW"}
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("type %d", t)
}

// softnet is softnet_stat: what came in, of one processor, which has no queues of its own.
func (p *page) softnet() {
	var frames uint64
	for _, ifc := range p.in.Interfaces() {
		frames += ifc.StatsNow().RxPackets
	}
	v := [15]uint32{0: uint32(frames)}
	for i, x := range v {
		if i > 0 {
			p.WriteByte(' ')
		}
		fmt.Fprintf(p, "%08x", x)
	}
	p.WriteByte('\n')
}
