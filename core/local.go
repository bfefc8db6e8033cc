package core

import "syscall"

// localQueue gathers packets for a transport of the instance that runs, so that
// it is entered once for a run of packets and not once for each.
type localQueue struct {
	in        *Instance
	batch     []*Packet
	transport int
}

// maxLocalBatch bounds how many packets a transport gets at once.
const maxLocalBatch = 64

// DeliverTransport hands p, which starts at the transport header with Src, Dst,
// Protocol and Interface set, to the transport that takes its protocol number.
// It takes ownership if there is one, and returns false otherwise.
func (in *Instance) DeliverTransport(p *Packet) bool {
	i := in.wiring.IPProtocol(p.Protocol)
	if i < 0 {
		return false
	}
	d := in.domain
	q := &d.local
	if len(q.batch) > 0 && (q.in != in || q.transport != i || len(q.batch) == maxLocalBatch) {
		d.deliverLocal()
	}
	q.in, q.transport = in, i
	q.batch = append(q.batch, p)
	return true
}

// deliverLocal enters the transport with what was gathered.
func (d *Domain) deliverLocal() {
	q := &d.local
	if len(q.batch) == 0 {
		return
	}
	batch := q.batch
	q.batch = nil // what the transport sends may come back here
	q.in.transports[q.transport].Input(batch)
	clear(batch)
	q.batch = batch[:0]
}

// DeliverRaw shows p, which starts at the transport header, to raw sockets and
// tells whether one wants packets of its protocol. It borrows p.
func (in *Instance) DeliverRaw(p *Packet) bool {
	return in.raw != nil && in.raw.ReceiveRaw(p)
}

// DeliverError tells raw sockets and the transport of protocol number e.Protocol that
// a packet sent here met e.
func (in *Instance) DeliverError(e *ErrorReport) {
	if in.raw != nil {
		in.raw.ErrorRaw(e)
	}
	if i := in.wiring.IPProtocol(e.Protocol); i >= 0 {
		in.transports[i].Error(e)
	}
}

// Credible tells whether the transport of protocol number e.Protocol takes the
// packet that e quotes for one of its own. One that cannot judge believes it; one
// that can needs the 8 bytes which say what was sent.
func (in *Instance) Credible(e *ErrorReport) bool {
	i := in.wiring.IPProtocol(e.Protocol)
	if i < 0 {
		return true
	}
	j, ok := in.transports[i].(ErrorJudge)
	return !ok || len(e.Quoted) >= 8 && j.Credible(e)
}

// Output sends p, which starts at the transport header with Src (or
// unspecified), Dst and Protocol set, by p.Route or by a look-up. It takes
// ownership in any case. Errors are those of Route and of [Network.Output].
func (in *Instance) Output(p *Packet) error {
	if p.Route == nil || !p.Route.Valid() {
		q := RouteQuery{Dst: p.Dst, Src: p.Src}
		if p.Interface != nil {
			q.Interface = p.Interface.index
		}
		var s Selector
		if in.HasRules(!p.Dst.Is4()) {
			s = Selector{Protocol: p.Protocol, TOS: p.TOS}
			q.Selector = &s
		}
		r, err := in.Route(q)
		if err != nil {
			p.Free()
			return err
		}
		p.Route = r
		if p.Src.IsUnspecified() {
			p.Src = r.Src
		}
	}
	n := in.networkOf(p.Dst)
	if n < 0 {
		p.Free()
		return syscall.EAFNOSUPPORT
	}
	return in.networks[n].Output(p)
}

// LoopLocal queues p, complete with its network header, as input of this
// instance: its destination is one of our own addresses. It comes in by lo, or
// by the address's interface where there is no lo.
func (in *Instance) LoopLocal(p *Packet, r *Route) {
	ifc := in.loopback
	if ifc == nil {
		ifc = r.Interface
	}
	if !ifc.Up() {
		ifc.count().TxDropped++
		p.Free()
		return
	}
	if ifc.link == LinkLoopback {
		ifc.Transmit(p) // lo shows it in captures and counters
		return
	}
	in.LoopTo(ifc, p, PacketHost)
}

// LoopTo queues p, complete with its network header, as input of ifc without
// passing its device: a copy for ourselves of what was sent to a group or to
// everybody. It takes ownership.
func (in *Instance) LoopTo(ifc *Interface, p *Packet, typ PacketType) {
	p.Flags |= FlagLoopback
	p.Type = typ
	if p.Checksum == ChecksumPartial {
		p.Checksum = ChecksumVerified // it never leaves this memory
	}
	in.domain.run.push(ifc, p)
}
