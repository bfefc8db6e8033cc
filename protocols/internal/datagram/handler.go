package datagram

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Flavour is what sets a protocol of the family apart from its sibling.
type Flavour struct {
	Groups [2]string // of the SNMP counters, for IPv4 and IPv6
	// Coverage: the header's length field is that of what the checksum covers,
	// and a checksum is mandatory (RFC 3828 §3.1).
	Coverage bool
}

// New makes the handler of one instance.
func New(env core.Env, f Flavour) core.Handler { return &handler{env: env, Flavour: f} }

// handler is a protocol of one instance.
type handler struct {
	Flavour
	env      core.Env
	sockets  table // by number
	ports    table // by local port
	flows    table // connected sockets by both addresses and ports
	key      [2]uint64
	counters [2]*counters // IPv4 and IPv6, made when the first datagram comes or goes
}

// counters are the SNMP counters of one address family (RFC 4113 and Linux's).
type counters struct {
	inDatagrams, noPorts, inErrors, outDatagrams           uint64
	rcvbufErrors, sndbufErrors, inCsumErrors, ignoredMulti uint64
}

func (h *handler) of(a wire.Addr) *counters {
	i := 1
	if a.Is4() {
		i = 0
	}
	if h.counters[i] == nil {
		h.counters[i] = new(counters)
	}
	return h.counters[i]
}

// Counters implements core.Handler: the flavour's lines of /proc/net/snmp and
// /proc/net/snmp6.
func (h *handler) Counters() []core.Counters {
	out := make([]core.Counters, 2)
	for i, group := range h.Groups {
		c := h.counters[i]
		if c == nil {
			c = new(counters)
		}
		out[i] = core.Counters{Group: group,
			Names: []string{"InDatagrams", "NoPorts", "InErrors", "OutDatagrams", "RcvbufErrors", "SndbufErrors", "InCsumErrors", "IgnoredMulti"},
			Values: []uint64{c.inDatagrams, c.noPorts, c.inErrors, c.outDatagrams, c.rcvbufErrors, c.sndbufErrors,
				c.inCsumErrors, c.ignoredMulti}}
	}
	return out
}

// Timer implements core.Handler: there are none.
func (h *handler) Timer(uint64) {}

// Event implements core.Handler.
func (h *handler) Event(e *core.Event) {
	switch e.Kind {
	case core.EventReceiveDropped:
		c, n := h.of(e.Addr), uint64(e.Count)
		c.inDatagrams -= n
		c.rcvbufErrors += n
		c.inErrors += n
	case core.EventReceiveIgnored:
		c, n := h.of(e.Addr), uint64(e.Count)
		c.inDatagrams -= n
		c.ignoredMulti += n
	case core.EventSendDropped:
		h.of(e.Addr).sndbufErrors += uint64(e.Count)
	}
}

// Close implements core.Handler.
func (h *handler) Close() {
	h.sockets, h.ports, h.flows = table{}, table{}, table{}
}
