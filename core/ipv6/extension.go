package ipv6

import (
	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// hopByHop looks at the hop-by-hop options, which every node on the way does
// (RFC 8200 §4.3). If it returns false, p is gone.
func (n *network) hopByHop(p *core.Packet) bool {
	if !p.Linearize() {
		n.drop(p, inDiscards)
		return false
	}
	h, err := wire.ParseIPv6(p.Linear())
	if err != nil {
		n.drop(p, inTruncatedPkts)
		return false
	}
	w := wire.WalkIPv6(h)
	if !w.Next() {
		n.problem(p, w.Problem)
		return false
	}
	return n.options(p, &w)
}

// options looks at the options of the walker's header. The options known here
// are padding and the router alert (RFC 2711); for the others the type says
// what to do.
func (n *network) options(p *core.Packet, w *wire.IPv6Walker) bool {
	o := w.Options()
	for o.Next() {
		if o.Type == wire.IPv6OptRouterAlert && w.Header == wire.ProtoHopByHop {
			if len(o.Data) != 2 {
				n.drop(p, inHdrErrors)
				return false
			}
			p.Flags |= core.FlagRouterAlert
			continue
		}
		if bad := o.Unknown(); bad.Err != 0 {
			n.problem(p, bad)
			return false
		}
	}
	if o.Problem.Err != 0 {
		n.problem(p, o.Problem)
		return false
	}
	return true
}

// problem answers p with what the problem asks for, counts and frees it.
func (n *network) problem(p *core.Packet, what wire.IPv6Problem) {
	n.count.inc(inHdrErrors)
	if what.Report && (what.Always || !p.Dst.IsMulticast()) {
		n.sendError(p, wire.ICMPv6ParameterProblem, what.Code, what.Pointer)
	}
	p.Free()
}

// extensions goes along the extension headers of a packet that is for this
// instance and returns the packet, which is another one after reassembly, with
// what is behind them. The packet is nil when p is gone: dropped, or waiting
// for its other fragments.
func (n *network) extensions(p *core.Packet) (*core.Packet, upperLayer) {
	for {
		if !p.Linearize() {
			n.drop(p, inDiscards)
			return nil, upperLayer{}
		}
		h, err := wire.ParseIPv6(p.Linear())
		if err != nil {
			n.drop(p, inTruncatedPkts)
			return nil, upperLayer{}
		}
		w := wire.WalkIPv6(h)
		for w.Next() {
			switch w.Header {
			case wire.ProtoDestination:
				if !n.options(p, &w) {
					return nil, upperLayer{}
				}
			case wire.ProtoRouting: // type 0 is refused like any unknown one (RFC 5095)
				if bad := w.UnknownRouting(); bad.Err != 0 {
					n.problem(p, bad)
					return nil, upperLayer{}
				}
			}
		}
		switch {
		case w.Problem.Err != 0:
			n.problem(p, w.Problem)
			return nil, upperLayer{}
		case w.Fragment == 0:
			return p, upperLayer{protocol: w.Header, offset: w.Offset, nextAt: w.NextAt}
		}
		if p = n.fragment(p, h, w.Fragment); p == nil {
			return nil, upperLayer{}
		}
		if u, ok := findUpper(p.Linear()); ok && u.offset == headerSize {
			return p, u // nothing left to look at, and it may be too long to be linear
		}
	}
}

// upperLayer is what lies behind the headers of a packet of which only the
// beginning may be there.
type upperLayer struct {
	protocol wire.Protocol
	offset   int  // from the start of the IPv6 header
	nextAt   int  // of the field that names protocol
	later    bool // b is a fragment other than the first: there is no upper-layer header
}

// findUpper goes along the headers of b, which starts with an IPv6 header and
// may be cut off; ok is false when the end comes first.
func findUpper(b []byte) (u upperLayer, ok bool) {
	if len(b) < headerSize {
		return u, false
	}
	u = upperLayer{protocol: b[6], offset: headerSize, nextAt: 6}
	for range wire.IPv6MaxExtHeaders + 1 {
		size := 8
		switch u.protocol {
		case wire.ProtoHopByHop, wire.ProtoRouting, wire.ProtoDestination:
			if len(b) < u.offset+2 {
				return u, false
			}
			size += int(b[u.offset+1]) * 8
		case wire.ProtoFragment:
			if len(b) < u.offset+8 {
				return u, false
			}
			if wire.IPv6Fragment(b[u.offset:]).Offset() > 0 {
				u.later = true
			}
		default:
			return u, u.offset <= len(b)
		}
		u.protocol, u.nextAt = b[u.offset], u.offset
		u.offset += size
		if u.later {
			return u, u.offset <= len(b)
		}
		if u.offset > len(b) {
			return u, false
		}
	}
	return u, false
}
