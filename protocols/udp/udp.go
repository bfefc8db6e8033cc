package udp

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Sysctls are the settings of UDP.
type Sysctls struct {
	RmemMin int32 `sysctl:"net.ipv4.udp_rmem_min" default:"4096" range:"4096.." unit:"bytes" help:"Receive memory that each socket can use even when memory is short."`
	WmemMin int32 `sysctl:"net.ipv4.udp_wmem_min" default:"4096" range:"4096.." unit:"bytes" help:"Send memory that each socket can use even when memory is short."`
}

// Protocol describes UDP to a wiring.
func Protocol() core.Protocol {
	return core.Protocol{
		Name:    "udp",
		Numbers: []uint8{wire.ProtoUDP},
		Sockets: []core.SocketKind{
			{Family: core.AFInet, Type: core.SockDgram, Protocol: 0},
			{Family: core.AFInet, Type: core.SockDgram, Protocol: int(wire.ProtoUDP)},
			{Family: core.AFInet6, Type: core.SockDgram, Protocol: 0},
			{Family: core.AFInet6, Type: core.SockDgram, Protocol: int(wire.ProtoUDP)},
		},
		NewHandler: func(env core.Env) core.Handler { return &handler{env: env} },
	}
}

// handler is UDP of one instance.
type handler struct {
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

// Counters implements core.Handler: the lines Udp of /proc/net/snmp and Udp6 of
// /proc/net/snmp6.
func (h *handler) Counters() []core.Counters {
	out := make([]core.Counters, 2)
	for i, group := range []string{"Udp", "Udp6"} {
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

// Timer implements core.Handler: UDP sets none.
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
