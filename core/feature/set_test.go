package feature

import (
	"strings"
	"testing"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// built is a binary with IPv4, UDP and TCP as a module, but without IPv6.
func built() []Symbol {
	return []Symbol{
		{Name: "IPV4", Value: "y", Bool: true},
		{Name: "IPV6", Value: "n", Bool: true},
		{Name: "UDP", Value: "y", Bool: true},
		{Name: "TCP", Value: "m", Bool: true},
		{Name: "CONG", Value: "cubic"},
		{Name: "SLAB_KB", Value: "256", Static: true, Where: "allocator/Kconfig.toml:14"},
	}
}

// What a .config does not name is as in the binary, what it names counts.
func TestAConfigNarrowsTheBinary(t *testing.T) {
	s, err := Read("b.config", "# a comment\n\nCONFIG_IPV4=y\n# CONFIG_UDP is not set\nCONFIG_TCP=m\nCONFIG_CONG=\"re\\\"no\"\nCONFIG_SLAB_KB=256\n# CONFIG_GONE is not set\n", built())
	if err != nil {
		t.Fatal(err)
	}
	for symbol, want := range map[string]bool{"IPV4": true, "IPV6": false, "UDP": false, "TCP": true} {
		if s.On(symbol) != want {
			t.Errorf("%s: on %v, want %v", symbol, !want, want)
		}
	}
	if got := s.Text("CONG"); got != `re"no` {
		t.Errorf("CONG is %q", got)
	}
}

// Every refusal names file and line, and the cure.
func TestWhatABinaryCannotBeIsRefused(t *testing.T) {
	for text, want := range map[string][]string{
		"CONFIG_IPV6=y":               {"b.config:2: CONFIG_IPV6=y", "not built in", "union"},
		"CONFIG_SLAB_KB=512":          {"b.config:2: CONFIG_SLAB_KB=512", "built with 256", "static (allocator/Kconfig.toml:14)"},
		"CONFIG_TCP=y":                {"b.config:2: CONFIG_TCP=y", "built with m", "set it to m"},
		"CONFIG_SCTP=y":               {"b.config:2: CONFIG_SCTP", "does not know"},
		"CONFIG_UDP=maybe":            {"b.config:2: CONFIG_UDP", "maybe is neither y nor n nor m"},
		"CONFIG_CONG=\"reno":          {"b.config:2: CONFIG_CONG", "quoted string"},
		"hello":                       {"b.config:2:", "no line of a .config"},
		"CONFIG_SLAB_KB":              {"b.config:2:", "no line of a .config"},
		"# CONFIG_SLAB_KB is not set": {"b.config:2: CONFIG_SLAB_KB=n", "static"},
	} {
		_, err := Read("b.config", "CONFIG_IPV4=y\n"+text+"\n", built())
		if err == nil {
			t.Errorf("%q was taken", text)
			continue
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %q lacks %q", text, err, w)
			}
		}
	}
}

// Entries whose symbol is off leave the wiring, and the dispatch tables of the
// binary lead to the new places of the others.
func TestNarrowLeavesOutAndRenumbers(t *testing.T) {
	s, err := Read("b.config", "# CONFIG_IPV4 is not set\n", []Symbol{
		{Name: "IPV4", Value: "y", Bool: true}, {Name: "IPV6", Value: "y", Bool: true}, {Name: "UDP", Value: "y", Bool: true}, {Name: "LOOPBACK", Value: "n", Bool: true}})
	if err != nil {
		t.Fatal(err)
	}
	full := &core.Wiring{
		Networks:   []core.NetworkEntry{{Network: core.NetworkProtocol{Name: "ipv4"}}, {Network: core.NetworkProtocol{Name: "ipv6"}}},
		Protocols:  []core.ProtocolEntry{{Protocol: core.Protocol{Name: "ping"}}, {Protocol: core.Protocol{Name: "ping6"}}, {Protocol: core.Protocol{Name: "udp"}}},
		Loopback:   func() core.Device { return nil },
		EtherType:  func(e wire.EtherType) int { return map[wire.EtherType]int{0x800: 0, 0x86dd: 1}[e] },
		IPProtocol: func(n uint8) int { return int(n) - 1 },
		SocketKind: func(_, typ, _ int) int { return typ },
	}
	w := Narrow(full, s, Owners{Networks: []string{"IPV4", "IPV6"}, Protocols: []string{"IPV4", "IPV6", "UDP"}, Loopback: "LOOPBACK"})
	if len(w.Networks) != 1 || w.Networks[0].Network.Name != "ipv6" {
		t.Errorf("networks: %v", w.Networks)
	}
	if len(w.Protocols) != 2 || w.Protocols[0].Protocol.Name != "ping6" || w.Protocols[1].Protocol.Name != "udp" {
		t.Errorf("protocols: %v", w.Protocols)
	}
	if w.Loopback != nil {
		t.Error("the loopback device is off and there")
	}
	if a, b := w.EtherType(0x800), w.EtherType(0x86dd); a != -1 || b != 0 {
		t.Errorf("IPv4 leads to %d and IPv6 to %d, want -1 and 0", a, b)
	}
	for n, want := range map[uint8]int{0: -1, 1: -1, 2: 0, 3: 1} {
		if got := w.IPProtocol(n); got != want {
			t.Errorf("protocol %d leads to %d, want %d", n, got, want)
		}
	}
	if got := w.SocketKind(0, 2, 0); got != 1 {
		t.Errorf("the socket of UDP leads to %d, want 1", got)
	}
	if w.Name != "b.config" || w.Config != s.Config {
		t.Errorf("the wiring is named %q", w.Name)
	}
}

// A switch over the names of all values leads to the places of those that are on.
func TestAnIndexFollowsWhatIsChosen(t *testing.T) {
	s := Built("x", "", []Symbol{{Name: "A", Value: "y"}, {Name: "B", Value: "n"}, {Name: "C", Value: "y"}})
	names := func(name string) int { return strings.Index("abc", name) }
	narrowed, whole := Index(s, names, "A", "B", "C"), Index(s, names, "A", "C")
	for name, want := range map[string]int{"a": 0, "b": -1, "c": 1, "d": -1} {
		if got := narrowed(name); got != want {
			t.Errorf("%s leads to %d, want %d", name, got, want)
		}
	}
	if got := whole("b"); got != 1 {
		t.Errorf("where all are on, the switch's 1 became %d", got)
	}
}

// Of the values for a protocol those of symbols that are on are made.
func TestChosenKeepsTheOrder(t *testing.T) {
	s := Built("x", "", []Symbol{{Name: "A", Value: "y"}, {Name: "B", Value: "n"}, {Name: "C", Value: "m"}})
	of := func(symbol string) Choice[string] {
		return Choice[string]{Symbol: symbol, Make: func() string { return symbol }}
	}
	if got := strings.Join(Chosen(s, of("C"), of("B"), of("A")), " "); got != "C A" {
		t.Errorf("chosen: %s", got)
	}
}
