package netlink

import (
	"github.com/libos-go/libos/core"
)

// Protocols of AF_NETLINK (include/uapi/linux/netlink.h).
const (
	protoRoute    = 0
	protoSockDiag = 4
	protoGeneric  = 16
)

// Protocol describes AF_NETLINK to a wiring.
func Protocol() core.Protocol {
	return core.Protocol{
		Name: "netlink",
		Sockets: []core.SocketKind{
			{Family: core.AFNetlink, Type: core.SockRaw, Protocol: protoRoute},
			{Family: core.AFNetlink, Type: core.SockDgram, Protocol: protoRoute},
			{Family: core.AFNetlink, Type: core.SockRaw, Protocol: protoSockDiag},
			{Family: core.AFNetlink, Type: core.SockDgram, Protocol: protoSockDiag},
			{Family: core.AFNetlink, Type: core.SockRaw, Protocol: protoGeneric},
			{Family: core.AFNetlink, Type: core.SockDgram, Protocol: protoGeneric},
		},
		New: func(in *core.Instance, _ core.SysctlView) core.Transport {
			return &transport{in: in}
		},
	}
}

// transport is AF_NETLINK of one instance.
type transport struct {
	in      *core.Instance
	sockets []*endpoint // in the order of their opening
	cause   *request    // the one that is being carried out
}

// Input frees what nobody can send here: there is no protocol number.
func (t *transport) Input(batch []*core.Packet) {
	for _, p := range batch {
		p.Free()
	}
}

// Error has nothing to tell.
func (t *transport) Error(*core.ErrorReport) {}

func (t *transport) NewEndpoint(s *core.Socket) (core.Endpoint, error) {
	_, _, protocol := s.Kind()
	e := &endpoint{t: t, s: s, protocol: protocol, most: firstFill}
	t.sockets = append(t.sockets, e)
	return e, nil
}

func (t *transport) Close() { t.sockets = nil }

// holder is the socket of a protocol with a number, nil if there is none.
func (t *transport) holder(protocol int, pid uint32) *endpoint {
	for _, e := range t.sockets {
		if e.protocol == protocol && e.pid == pid {
			return e
		}
	}
	return nil
}
