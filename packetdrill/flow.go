package packetdrill

import (
	"fmt"
	"net/netip"
	"time"
)

// flow is one conversation of the script: its live addresses and ports beside those
// that the script writes, and the mapping of its numbers.
type flow struct {
	proto                  uint8
	local, remote          netip.AddrPort // live; local is the instance under test
	localName, remoteName  uint16         // ports in the script, 0 until it says them
	known                  bool           // the instance's initial sequence number was seen
	offset                 uint32         // live = script + offset, for the instance's numbers
	again                  bool           // a SYN arrived: another initial number may follow
	stamps                 map[uint32]uint32
	firstStamp, firstLive  uint32
	over, finSent, finCame bool
	opened                 bool // a SYN went either way
}

// arrived notes a segment of the other side.
func (f *flow) arrived(s *TCPSegment) {
	if s.Flags&flagSYN != 0 && s.Flags&flagACK == 0 {
		f.again, f.opened = true, true
	}
	if s.Flags&flagRST != 0 {
		f.over = true
	}
	f.finCame = f.finCame || s.Flags&flagFIN != 0
	f.over = f.over || f.finCame && f.finSent
}

// sent notes a segment of the instance, which the script says begins at seq.
func (f *flow) sent(l *liveTCP, seq uint32) {
	if l.flags&flagSYN != 0 && (!f.known || (f.again || f.over) && l.seq-f.offset != seq) {
		f.offset, f.known, f.again = l.seq-seq, true, false
		f.over, f.finSent, f.finCame = false, false, false
		f.opened = true
	}
	if l.flags&flagRST != 0 {
		f.over = true
	}
	f.finSent = f.finSent || l.flags&flagFIN != 0
	f.over = f.over || f.finCame && f.finSent
}

// port is the script's name of a live port.
func port(name, live uint16) uint16 {
	if name != 0 {
		return name
	}
	return live
}

// socket is what the runner knows of a socket of the script.
type socket struct {
	fd        int // live
	family    int
	proto     uint8
	bound     uint16 // live local port, 0 if it has none yet
	remote    netip.AddrPort
	listening bool
}

// livePacket is a packet that the instance sent.
type livePacket struct {
	at    time.Duration
	frame []byte
}

// liveText describes a packet that was sent in the words of a script.
func (r *run) liveText(frame []byte) string {
	h, err := parseIP(frame)
	if err != nil {
		return err.Error()
	}
	prefix := "> "
	if h.tos&3 != 0 {
		prefix += "[" + ecnNames[h.tos&3] + "] "
	}
	if h.fragment {
		return fmt.Sprintf("%s(frag %s) of protocol %d", prefix, &fragSpan{h.offset, h.offset + len(h.payload), h.more}, h.proto)
	}
	var f *flow
	ports := ""
	if x, ok := r.tuple(&h); ok {
		f = r.findFlow(x)
		s, d := x.local.Port(), x.remote.Port()
		if f != nil {
			s, d = port(f.localName, s), port(f.remoteName, d)
		}
		ports = fmt.Sprintf("%d > %d ", s, d)
	}
	switch h.proto {
	case protoTCP:
		return prefix + ports + tcpText(f, h.payload)
	case protoUDP, protoUDPLite:
		return prefix + ports + udpText(h.proto == protoUDPLite, h.payload)
	case protoICMP, protoICMPv6:
		return prefix + icmpText(h.v6, h.payload)
	}
	return fmt.Sprintf("%sprotocol %d of %s > %s, %d bytes", prefix, h.proto, h.src, h.dst, len(h.payload))
}

// tuple is the flow that a packet that was sent would be of.
func (r *run) tuple(h *ipHeader) (f flow, ok bool) {
	switch h.proto {
	case protoTCP, protoUDP, protoUDPLite:
	default:
		return f, false
	}
	if h.fragment || len(h.payload) < 4 {
		return f, false
	}
	b := h.payload
	f.proto = h.proto
	f.local = netip.AddrPortFrom(h.src, uint16(b[0])<<8|uint16(b[1]))
	f.remote = netip.AddrPortFrom(h.dst, uint16(b[2])<<8|uint16(b[3]))
	return f, true
}

// findFlow finds the flow with the addresses of like.
func (r *run) findFlow(like flow) *flow {
	for i := len(r.flows) - 1; i >= 0; i-- {
		if f := r.flows[i]; f.proto == like.proto && f.local == like.local && f.remote == like.remote {
			return f
		}
	}
	return nil
}

// mostFlows bounds what a script can open.
const mostFlows = 4096

func (r *run) addFlow(f flow) *flow {
	if len(r.flows) >= mostFlows {
		r.flows = r.flows[1:]
	}
	x := &f
	r.flows = append(r.flows, x)
	return x
}

// flowIn is the flow of a packet of the script that arrives.
func (r *run) flowIn(p *Packet) *flow {
	proto := p.Body.protocol(r.wireV6())
	seg, tcp := p.Body.(*TCPSegment)
	if m, ok := p.Body.(*ICMPMessage); ok {
		if r.current != nil && (m.Quote == nil || m.Quote.proto == 0 || m.Quote.proto == r.current.proto) {
			return r.current
		}
		if m.Quote == nil || m.Quote.proto == 0 {
			return r.addressesOnly()
		}
		proto = m.Quote.proto
		for i := len(r.flows) - 1; i >= 0; i-- {
			if r.flows[i].proto == proto {
				return r.flows[i]
			}
		}
	}
	if p.Ported {
		for i := len(r.flows) - 1; i >= 0; i-- {
			f := r.flows[i]
			if f.proto == proto && port(f.localName, f.local.Port()) == p.Target && port(f.remoteName, f.remote.Port()) == p.Source {
				return f
			}
		}
		// A connected socket whose live port nobody has named yet.
		if f := r.current; f != nil && f.proto == proto && f.localName == 0 && f.remote.Port() == p.Source && !r.isBound(proto, p.Target) {
			f.localName = p.Target
			return f
		}
	} else if f := r.current; f != nil && f.proto == proto {
		opens := tcp && seg.Flags&(flagSYN|flagACK|flagRST) == flagSYN
		if !opens || !f.over {
			return f
		}
	}
	return r.newIn(p, proto)
}

// isBound tells whether a socket of the script has a local port.
func (r *run) isBound(proto uint8, port uint16) bool {
	for _, s := range r.sockets {
		if s.proto == proto && s.bound == port {
			return true
		}
	}
	return false
}

// newIn makes the flow of a first packet that arrives.
func (r *run) newIn(p *Packet, proto uint8) *flow {
	var s *socket
	for _, x := range r.order {
		if x.proto == proto && (proto != protoTCP || x.listening) {
			s = x
		}
	}
	f := flow{proto: proto}
	local, remote := uint16(r.settings.BindPort), r.nextPort()
	if s != nil {
		if s.bound == 0 {
			r.learnPort(s)
		}
		if s.bound != 0 {
			local = s.bound
		}
		if s.remote.IsValid() && proto != protoTCP {
			remote = s.remote.Port()
		}
	}
	if p.Ported {
		remote = p.Source
		f.remoteName, f.localName = p.Source, p.Target
		if s == nil || r.isBound(proto, p.Target) {
			local = p.Target
		}
	}
	f.local = netip.AddrPortFrom(r.settings.local(r.wireV6()), local)
	f.remote = netip.AddrPortFrom(r.settings.remote(r.wireV6()), remote)
	if x := r.findFlow(f); x != nil && !p.Ported {
		return x
	}
	return r.addFlow(f)
}

// nextPort is a remote port that no flow had yet.
func (r *run) nextPort() uint16 {
	r.ports++
	return 40000 + uint16(r.ports%20000)
}

// addressesOnly is a flow for packets without ports.
func (r *run) addressesOnly() *flow {
	return &flow{local: netip.AddrPortFrom(r.settings.local(r.wireV6()), 0), remote: netip.AddrPortFrom(r.settings.remote(r.wireV6()), 0)}
}

// wireV6 tells whether packets of the run are IPv6.
func (r *run) wireV6() bool { return r.settings.IPVersion == IPv6 }
