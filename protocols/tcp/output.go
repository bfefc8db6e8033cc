package tcp

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/wire"
)

const (
	maxHeader  = 60
	delayedAck = 40 * time.Millisecond // net/ipv4: TCP_DELACK_MIN
)

// refreshRoute looks the route up again when the tables have changed; false when
// there is none.
func (c *conn) refreshRoute() bool {
	if c.route != nil && c.route.Valid() {
		return true
	}
	q := core.RouteQuery{Dst: c.tuple.peer, Src: c.tuple.local, Interface: int(c.scope),
		Flow: c.t.in.Flow(c.tuple.local, c.tuple.peer, wire.ProtoTCP, c.tuple.lport, c.tuple.pport)}
	if o := c.options(); o != nil {
		q.OnLink = o.OnLink(q.Dst)
	}
	var x core.Selector
	if c.t.in.HasRules(!q.Dst.Is4()) {
		x.Protocol, x.SrcPort, x.DstPort = wire.ProtoTCP, c.tuple.lport, c.tuple.pport
		if o := c.options(); o != nil {
			x.Mark, x.TOS = o.Mark, o.TOS
		}
		q.Selector = &x
	}
	r, err := c.t.in.Route(q)
	if err != nil {
		return c.route != nil
	}
	c.route = r
	c.updateMSS()
	return true
}

// updateMSS computes the payload of a full segment (RFC 6691): of the path, of
// the peer, without the options that every segment carries.
func (c *conn) updateMSS() {
	if c.route == nil {
		return
	}
	n := c.route.MTU - networkHeader(c.tuple.peer) - wire.TCPMinSize
	if c.snd.peerMSS != 0 {
		n = min(n, int(c.snd.peerMSS))
	}
	if c.snd.mssCap != 0 {
		n = min(n, int(c.snd.mssCap))
	}
	if c.is(flagTimestamps) {
		n -= wire.TCPTimestampSize
	}
	c.snd.mss = uint16(min(max(n, leastPayload), 65535))
}

// leastPayload bounds segments from below, whatever the path says. An IPv4 link of
// 68 bytes leaves 16 beside timestamps.
const leastPayload = 8

// full is the payload of a full segment now: the SACK blocks that go with it take
// their room (RFC 6691 §3).
func (c *conn) full() uint32 {
	if k := c.sackBlocks(1); k > 0 {
		return uint32(c.snd.mss) - 4 - 8*uint32(k)
	}
	return uint32(c.snd.mss)
}

// sackBlocks is how many SACK blocks a segment with n bytes of data reports: 3
// beside timestamps and 4 alone, as the header has room (RFC 2018 §3), fewer on a
// path so narrow that no payload would be left.
func (c *conn) sackBlocks(n uint32) uint8 {
	r := &c.rcv
	if !c.is(flagSACK) || r.held == nil && r.dsack == (wire.SACKBlock{}) {
		return 0
	}
	k := 4
	if c.is(flagTimestamps) {
		k = 3
	}
	have := 0
	if r.dsack != (wire.SACKBlock{}) {
		have++
	}
	if r.held != nil {
		for _, h := range r.held.recent {
			if h != nil {
				have++
			}
		}
	}
	room := int(c.snd.mss) - 4
	if n > 0 {
		room -= leastPayload
	}
	return uint8(max(min(k, have, room/8), 0))
}

// offeredMSS is the MSS option of our SYN. There is a route.
func (c *conn) offeredMSS() uint16 {
	n := uint16(min(c.route.Interface.MTU()-networkHeader(c.tuple.peer)-wire.TCPMinSize, 65535))
	if c.extra != nil && c.extra.maxSeg != 0 { // tcp(7), TCP_MAXSEG
		n = min(n, c.extra.maxSeg)
	}
	if m := c.metric(core.MetricAdvMSS); m != 0 {
		n = uint16(min(uint32(n), m))
	}
	return n
}

// fillOptions makes the options of a segment with n bytes of data.
func (c *conn) fillOptions(o *wire.TCPOptions, n uint32, flags wire.TCPFlags) {
	*o = wire.TCPOptions{}
	switch {
	case flags&wire.TCPSyn != 0:
		o.MSS = c.offeredMSS()
		o.Has = wire.TCPHasMSS
		set := c.t.settings()
		reply := flags&wire.TCPAck != 0
		if set.WindowScaling && (!reply || c.is(flagScaling)) {
			o.Has |= wire.TCPHasWindowScale
			o.WindowScale = c.rcv.scale
		}
		if set.SACK && (!reply || c.is(flagSACK)) {
			o.Has |= wire.TCPHasSACKPermitted
		}
		if set.Timestamps != 0 && (!reply || c.is(flagTimestamps)) {
			o.Has |= wire.TCPHasTimestamp
		}
	case c.is(flagTimestamps):
		o.Has = wire.TCPHasTimestamp
	}
	if o.Has&wire.TCPHasTimestamp != 0 {
		o.TSVal, o.TSEcr = c.timestamp(), c.rcv.recent
		if flags&wire.TCPAck == 0 {
			o.TSEcr = 0
		}
	}
	if most := c.sackBlocks(n); most > 0 {
		if c.rcv.dsack != (wire.SACKBlock{}) { // RFC 2883 §4: once, and first
			o.SACK[0], o.NumSACK = c.rcv.dsack, 1
			c.rcv.dsack = wire.SACKBlock{}
		}
		if c.rcv.held != nil {
			c.rcv.held.blocks(o, most)
		}
	}
}

// send transmits n bytes from seq on with flags; false when memory is short or
// there is no route.
func (c *conn) send(seq wire.Seq, n uint32, flags wire.TCPFlags) bool {
	if !c.refreshRoute() {
		return false
	}
	t := c.t
	o, size := &t.options, wire.TCPMinSize
	stamped := flags&(wire.TCPSyn|wire.TCPAck) == wire.TCPAck && c.is(flagTimestamps) && c.sackBlocks(n) == 0 // timestamps and nothing else, as nearly always
	if stamped {
		size += wire.TCPTimestampSize
	} else {
		c.fillOptions(o, n, flags)
		size += o.Size()
	}
	p := t.in.NewPacket(core.Headroom, maxHeader)
	if p == nil {
		return false
	}
	h := wire.TCP(p.Put(size))
	f := wire.TCPFields{SrcPort: c.tuple.lport, DstPort: c.tuple.pport, Seq: seq, Flags: flags}
	scale := c.rcv.scale
	if flags&wire.TCPSyn != 0 {
		scale = 0
	}
	if flags&wire.TCPAck != 0 {
		f.Ack = c.rcv.nxt
		open := c.rcv.adv != c.rcv.acked
		f.Window = c.rcv.advertise(scale)
		switch {
		case open && f.Window == 0:
			t.counters.toZeroWindow++
		case !open && f.Window != 0 && c.state.in(setSynchronized):
			t.counters.fromZeroWindow++
		}
		c.ackAt = core.Never
		c.flags &^= flagAckNow
		if c.rcv.quick > 0 {
			c.rcv.quick--
		}
	} else {
		f.Window = uint16(c.firstWindow())
	}
	if n > 0 && seq.Add(n) == c.snd.queue.end() {
		f.Flags |= wire.TCPPsh
	}
	if c.extra != nil {
		c.extra.urgent.mark(seq, &f)
	}
	ecn := uint8(0)
	if c.ecn() && flags&wire.TCPSyn == 0 {
		var more wire.TCPFlags
		more, ecn = c.signal(seq, n)
		f.Flags |= more
	}
	h.Encode(&f, size)
	if stamped {
		wire.PutTimestamp(h[wire.TCPMinSize:], c.timestamp(), c.rcv.recent)
	} else if size > wire.TCPMinSize {
		o.Put(h[wire.TCPMinSize:])
	}
	if n > 0 && !c.snd.queue.carry(p, seq, n) {
		p.Free()
		return false
	}
	p.Src, p.Dst, p.Protocol, p.Route = c.tuple.local, c.tuple.peer, wire.ProtoTCP, c.route
	if s := c.options(); s != nil {
		p.TOS, p.HopLimit, p.PacingRate = s.TOS&^ecnBits, s.HopLimit, s.MaxPacingRate
	}
	p.TOS |= ecn
	p.Flags |= core.FlagDontFragment
	p.SetTransportHeader()
	sum := wire.PseudoHeader(p.Src, p.Dst, wire.ProtoTCP, p.Len())
	switch {
	case c.route.Interface.Offloads()&core.OffloadTxChecksum != 0 && !c.route.Local():
		h.SetChecksum(wire.Fold(sum))
		p.Checksum, p.ChecksumStart, p.ChecksumField = core.ChecksumPartial, 0, wire.TCPChecksumOffset
	case n == 0:
		h.SetChecksum(wire.Finish(wire.Sum(h, sum)))
	default:
		var x wire.Checksum
		x.AddSum(sum, 0)
		p.Sum(&x, 0)
		h.SetChecksum(x.Field())
	}
	t.counters.outSegs++
	c.tally.segsOut++
	if n > 0 {
		if c.rcv.quick > 0 && c.tally.dataIn > 0 && c.now().Sub(c.tally.dataAt) < delayedAck {
			c.rcv.quick = 0 // an answer: those to come may carry acknowledgements (net/ipv4/tcp_output.c, tcp_event_data_sent)
		}
		c.tally.dataOut++
		c.snd.lastAt = int64(c.now())
		c.tally.sent += uint64(n)
		if again := c.snd.max.Sub(seq); again > 0 {
			c.tally.resent += uint64(min(uint32(again), n))
		}
	}
	_ = t.in.Output(p) // what is lost on the way out is sent again
	return true
}

// sendSyn sends SYN, or SYN-ACK once the peer's SYN is there.
func (c *conn) sendSyn() {
	flags := wire.TCPSyn
	if c.state != stateSynReceived {
		flags |= c.askECN()
	} else if flags |= wire.TCPAck; c.ecn() {
		flags |= wire.TCPEce
	}
	if c.snd.max != c.snd.iss {
		c.snd.untime()
	}
	if c.snd.nxt != c.snd.iss {
		c.t.counters.synRetrans++
		c.t.counters.retransSegs++
	}
	c.send(c.snd.iss, 0, flags)
	if c.snd.nxt == c.snd.iss {
		c.snd.sent(1, int64(c.now()), true)
	}
	c.rtoAt = c.now().Add(c.rtt.timeout())
	c.arm()
}

// sendAck sends an acknowledgement at once.
func (c *conn) sendAck() { c.send(c.ackSeq(), 0, wire.TCPAck) }

// ackSeq is the sequence number of a segment without data: the newest that the
// peer's window allows (net/ipv4/tcp_output.c, tcp_acceptable_seq).
func (c *conn) ackSeq() wire.Seq {
	if end := c.snd.una.Add(c.snd.window); c.snd.max.GT(end) {
		return wire.MaxSeq(end, c.snd.nxt)
	}
	return c.snd.max
}

// sendReset resets the connection at the peer.
func (c *conn) sendReset() {
	c.t.counters.outRsts++
	c.send(c.ackSeq(), 0, wire.TCPRst|wire.TCPAck)
}

// acknowledge sends the acknowledgement that a batch made due, or has it wait
// (RFC 5681 §4.2: at least every second full segment).
func (c *conn) acknowledge() {
	if !c.state.in(setSynchronized | 1<<stateTimeWait) {
		return
	}
	pending := c.rcv.nxt.Sub(c.rcv.acked)
	switch {
	case c.is(flagAckNow), pending >= 2*int32(c.rcv.mss), pending > 0 && (c.rcv.quick > 0 || c.metric(core.MetricQuickAck) != 0):
		c.sendAck()
	case pending > 0 && c.ackAt == core.Never:
		c.ackAt = c.now().Add(delayedAck)
		c.t.counters.delayedACKs++
	}
}

// output sends what windows and Nagle's rule allow (RFC 9293 §3.7.4, §3.8.6).
func (c *conn) output() {
	if !c.state.in(setFlushing) {
		return
	}
	c.fillHoles(true)
	if c.snd.una == c.snd.max && c.snd.unsent() > 0 && c.t.settings().SlowStartIdle &&
		c.now().Sub(core.Time(c.snd.lastAt)) > c.rtt.timeout() && c.cong.cwnd > c.initialWindow() {
		c.tell(congestion.Event{Kind: congestion.IdleRestart})
	}
	c.sendNew()
	c.fillHoles(false)
	if c.snd.unsent() > 0 && !c.snd.outstanding() && c.rtoAt == core.Never { // RFC 9293 §3.8.6.1
		c.flags |= flagPersist
		c.rtoAt = c.now().Add(c.rtt.timeout())
	}
}

// sendNew sends from nxt on what the windows allow: data for the first time, and
// after a timeout once more.
func (c *conn) sendNew() {
	filled, shut := false, false // the congestion window, the peer's
	for {
		skipTo, room := c.rec.board.gap(c.snd.nxt)
		c.snd.nxt = skipTo // what was sacked is not sent again
		unsent := c.snd.unsent()
		fin := c.is(flagFinQueued) && c.snd.nxt.LEQ(c.snd.queue.end())
		if unsent <= 0 && !fin {
			break
		}
		full := int(c.full())
		n := min(unsent, full, room)
		if n > 0 {
			usable := c.snd.usable()
			oldest := c.snd.nxt == c.snd.una && c.snd.outstanding()
			if oldest && usable <= 0 { // the peer took its window back: this is the probe (RFC 9293 §3.8.6)
				usable = n
			}
			if usable < n && !oldest && (usable <= 0 || usable < int(c.snd.maxWindow/2)) {
				shut = true
				break // silly windows (RFC 9293 §3.8.6.2.1)
			}
			n = min(n, usable)
			if c.pipe()+uint32(n) > c.cong.cwnd && c.pipe() > 0 {
				filled = true
				break
			}
			if n < full && n == unsent && !fin && c.snd.nxt == c.snd.max && c.hold() {
				break
			}
		}
		last := n == unsent
		flags := wire.TCPAck
		if fin && last {
			flags |= wire.TCPFin
		}
		seq := c.snd.nxt
		if !c.send(seq, uint32(max(n, 0)), flags) {
			if c.rtoAt == core.Never { // try again when memory is there
				c.rtoAt = c.now().Add(c.rtt.timeout())
			}
			return
		}
		sent := uint32(max(n, 0))
		if flags&wire.TCPFin != 0 {
			sent++
		}
		if seq.LT(c.snd.max) {
			c.resentNow(sent)
		} else if n > 0 {
			c.t.counters.origDataSent++
		}
		if n < full {
			c.snd.small = wire.MaxSeq(c.snd.small, seq.Add(uint32(max(n, 0))))
		}
		if c.snd.timedAt == 0 {
			c.tally.mark = c.snd.log.acked
		}
		c.snd.sent(sent, int64(c.now()), !c.rec.trouble())
		if c.rtoAt == core.Never || c.is(flagPersist) {
			c.flags &^= flagPersist
			c.rtoAt = c.now().Add(c.rtt.timeout())
		}
		if flags&wire.TCPFin != 0 {
			break
		}
	}
	// A window without room for one more segment is what holds the sender, also where
	// there is nothing more to send (net/ipv4/tcp_output.c, tcp_write_xmit).
	c.cong.used(c.snd.una, c.snd.nxt, filled || c.pipe()+uint32(c.snd.mss) > c.cong.cwnd)
	c.watch(shut, filled)
}

// hold tells whether a segment that is not full has to wait: by Nagle's rule in
// Minshall's form (only one small segment outstanding), TCP_CORK or MSG_MORE. These two
// do not hold what a writer waits to have gone, where segments are longer than the send
// buffer (net/ipv4/tcp.c, tcp_sendmsg_locked, wait_for_space).
func (c *conn) hold() bool {
	if c.is(flagCork|flagMore) && c.writable() {
		return true
	}
	if c.extra != nil && c.extra.urgent.sending {
		return false
	}
	return !c.is(flagNoDelay) && c.snd.small.GT(c.snd.una)
}
