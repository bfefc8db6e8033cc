package tcp

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/wire"
)

// arrive processes a segment of a connection (RFC 9293 §3.10.7).
func (c *conn) arrive(s *segment) {
	c.touch()
	switch c.state {
	case stateSynSent:
		c.arriveSynSent(s)
		return
	case stateTimeWait:
		c.arriveTimeWait(s)
		return
	}
	stamped := c.is(flagTimestamps) && s.opts.Has&wire.TCPHasTimestamp != 0
	if c.is(flagTimestamps) && !stamped && s.flags&wire.TCPRst == 0 {
		return // RFC 7323 §3.2: a segment without timestamp, of a connection that has them
	}
	if stamped && s.flags&wire.TCPRst == 0 && c.rcv.stale(s.opts.TSVal, c.now()) {
		c.t.counters.pawsEstab++
		c.duplicateOf(s)
		c.answerInvalid(s, &c.t.counters.skippedPAWS)
		return
	}
	if c.state == stateSynReceived && c.listener == nil && s.flags&(wire.TCPSyn|wire.TCPAck|wire.TCPRst) == wire.TCPSyn|wire.TCPAck &&
		s.seq == c.rcv.irs && s.ack == c.snd.max { // simultaneous open: of the peer's SYN-ACK only the ACK is new
		s.flags &^= wire.TCPSyn
		s.seq = s.seq.Add(1)
	}
	// first check: sequence number
	if !c.rcv.acceptable(s.seq, s.length()) {
		if s.flags&wire.TCPRst != 0 {
			return
		}
		if s.flags&(wire.TCPSyn|wire.TCPAck) == wire.TCPSyn && c.state == stateSynReceived && s.seq == c.rcv.irs {
			if !c.answersTooOften(&c.t.counters.skippedSynRecv) {
				c.sendSyn() // our SYN-ACK was lost
			}
			return
		}
		if s.flags&wire.TCPSyn != 0 {
			c.t.counters.synChallenge++
			c.challengeACK()
			return
		}
		c.duplicateOf(s)
		c.answerInvalid(s, c.skippedSeq())
		return
	}
	// second check: RST (RFC 5961 §3.2)
	if s.flags&wire.TCPRst != 0 {
		if s.seq == c.rcv.nxt {
			c.reset()
		} else {
			c.challengeACK()
		}
		return
	}
	// fourth check: SYN (RFC 5961 §4.2)
	if s.flags&wire.TCPSyn != 0 {
		c.t.counters.synChallenge++
		c.challengeACK()
		return
	}
	// fifth check: ACK
	if s.flags&wire.TCPAck == 0 {
		return
	}
	c.lastRecv = c.now()
	c.probes = 0
	if stamped && s.seq.LEQ(c.rcv.acked) { // RFC 7323 §4.3
		c.rcv.remember(s.opts.TSVal, c.now())
	}
	if c.state == stateSynReceived {
		if s.ack.LEQ(c.snd.una) || s.ack.GT(c.snd.max) {
			c.t.sendReset(&c.tuple, s.ack, 0, wire.TCPRst)
			return
		}
		if !c.establishPassive(s) {
			return
		}
	}
	if !c.acked(s) || c.state == stateClosed {
		return
	}
	if s.flags&wire.TCPUrg != 0 { // sixth check
		c.urgentPointer(s)
	}
	if s.flags&wire.TCPCwr != 0 && c.ecn() {
		c.reducedByPeer(s.length() > 0)
	}
	// seventh check: the text
	if s.n > 0 || s.flags&wire.TCPFin != 0 {
		c.text(s)
	}
}

// skippedSeq counts answers to segments out of the window that were left out.
func (c *conn) skippedSeq() *uint64 {
	switch c.state {
	case stateSynReceived:
		return &c.t.counters.skippedSynRecv
	case stateFinWait2:
		return &c.t.counters.skippedFinWait2
	}
	return &c.t.counters.skippedSeq
}

// arriveSynSent is RFC 9293 §3.10.7.3.
func (c *conn) arriveSynSent(s *segment) {
	ok := s.flags&wire.TCPAck != 0
	wrong := ok && (s.ack.LEQ(c.snd.iss) || s.ack.GT(c.snd.max))
	if ok && !wrong && s.opts.Has&wire.TCPHasTimestamp != 0 && s.opts.TSEcr != 0 && c.t.settings().Timestamps != 0 &&
		!c.echoes(s.opts.TSEcr) { // RFC 7323 §3.2; net/ipv4/tcp_input.c, tcp_rcv_synsent_state_process
		c.t.counters.pawsActive++
		wrong = true
	}
	if wrong {
		if s.flags&wire.TCPRst == 0 {
			c.t.sendReset(&c.tuple, s.ack, 0, wire.TCPRst)
		}
		return
	}
	if s.flags&wire.TCPRst != 0 {
		if ok {
			c.reset()
		}
		return
	}
	if s.flags&wire.TCPSyn == 0 {
		return
	}
	c.synchronize(s)
	if !ok { // simultaneous open
		c.setState(stateSynReceived)
		c.snd.nxt = c.snd.iss
		c.sendSyn()
		return
	}
	if rtt := c.snd.measured(s.ack, int64(c.now())); rtt > 0 {
		c.rtt.sample(time.Duration(rtt))
	}
	c.snd.una = s.ack
	c.snd.log.ack(s.ack)
	c.snd.retries = 0
	c.timeoutsOver()
	c.snd.wl1, c.snd.wl2 = s.seq, s.ack
	c.snd.window = s.window // never scaled on a SYN
	c.snd.maxWindow = s.window
	c.established()
	c.flags |= flagAckNow
	if s.n > 0 || s.flags&wire.TCPFin != 0 {
		s.seq = s.seq.Add(1)
		c.text(s)
	}
	c.wake(core.ReadyOut | core.ReadyIn)
}

// echoes tells whether a timestamp in answer to our SYN is one that we sent.
func (c *conn) echoes(ecr uint32) bool {
	now := c.timestamp()
	since := uint32((c.now() - c.lastRecv) / core.Time(time.Millisecond))
	return now-ecr <= since
}

// synchronize takes what the peer's SYN says.
func (c *conn) synchronize(s *segment) {
	set := c.t.settings()
	c.rcv.irs = s.seq
	c.rcv.nxt = s.seq.Add(1)
	c.rcv.adv, c.rcv.acked = c.rcv.nxt, c.rcv.nxt
	if c.state == stateSynSent { // as our SYN said
		c.rcv.adv = c.rcv.nxt.Add(c.firstWindow())
	}
	c.snd.peerMSS = 536
	if !c.tuple.peer.Is4() {
		c.snd.peerMSS = 1220
	}
	if s.opts.Has&wire.TCPHasMSS != 0 {
		c.snd.peerMSS = max(s.opts.MSS, uint16(set.MinSendMSS))
	}
	if s.opts.Has&wire.TCPHasWindowScale != 0 && set.WindowScaling {
		c.flags |= flagScaling
		c.snd.scale = min(s.opts.WindowScale, wire.TCPMaxWindowScale)
	} else {
		c.rcv.scale = 0
	}
	if s.opts.Has&wire.TCPHasTimestamp != 0 && set.Timestamps != 0 {
		c.flags |= flagTimestamps
		c.rcv.remember(s.opts.TSVal, c.now())
	}
	if s.opts.Has&wire.TCPHasSACKPermitted != 0 && set.SACK {
		c.flags |= flagSACK
	}
	c.agreeECN(s)
	c.updateMSS()
	c.rcv.mss = min(c.snd.mss, 536)
}

// established begins the life of the connection proper.
func (c *conn) established() {
	c.setState(stateEstablished)
	c.flags |= flagDone
	c.rtoAt = core.Never
	lost := c.rtt.backoff // SYNs or SYN-ACKs that had no answer
	c.rtt.established()
	c.lastRecv = c.now()
	c.tally.dataAt, c.tally.ackAt, c.snd.lastAt = c.now(), c.now(), int64(c.now())
	c.rcv.quick = 8
	c.beginControl()
	if o := c.options(); o == nil || !o.SendBufferSet {
		c.snd.limit = max(c.t.settings().WMem[1], 4*int32(c.cong.cwnd))
	}
	if lost > 1 { // RFC 6928 §2: one may be chance (net/ipv4/tcp_input.c, tcp_init_transfer)
		c.cong.cwnd = min(c.cong.cwnd, uint32(c.snd.mss))
	}
	c.keepaliveChanged()
}

// tell gives the congestion control an event and takes its decision.
func (c *conn) tell(what congestion.Event) {
	if c.cong.control == nil {
		return
	}
	e, d := &c.t.event, &c.t.decision
	*e = what
	e.Now = int64(c.now())
	e.SRTT, e.MinRTT = int64(c.rtt.srtt()), int64(c.rtt.min())
	e.MSS = uint32(c.snd.mss)
	e.Cwnd, e.Ssthresh = c.cong.cwnd, c.cong.ssthresh
	e.Sent, e.Delivered = c.snd.total+uint64(uint32(c.snd.max-c.snd.una)), c.snd.total
	*d = congestion.Decision{Cwnd: e.Cwnd, Ssthresh: e.Ssthresh}
	c.cong.control.Event(e, d)
	c.cong.cwnd, c.cong.ssthresh = max(d.Cwnd, uint32(c.snd.mss)), max(d.Ssthresh, 2*uint32(c.snd.mss))
}

// stopControl ends congestion control.
func (c *conn) stopControl() {
	if x, ok := c.cong.control.(congestion.Ender); ok {
		x.End()
	}
	c.cong.control = nil
}

// startControl begins congestion control by the algorithm of that name, the
// instance's own for "".
func (c *conn) startControl(name string) {
	c.stopControl()
	a := c.t.algorithm(name)
	if a == nil {
		c.cong.cwnd, c.cong.ssthresh = congestion.InitialWindow(uint32(c.snd.mss)), congestion.Infinite
		return
	}
	c.cong.mark, c.cong.most, c.cong.filled = c.snd.una, 0, false
	c.cong.name, c.cong.control = a.Name, a.New()
	c.tell(congestion.Event{Kind: congestion.Init})
}

// acked is the fifth check of RFC 9293 §3.10.7.4: what the acknowledgement says.
// It returns false when the segment is not to be looked at further.
func (c *conn) acked(s *segment) bool {
	known := min(c.snd.maxWindow, uint32(c.snd.una-c.snd.iss)-1) // what the peer may acknowledge again
	if s.ack.GT(c.snd.max) || s.ack.LT(c.snd.una.Add(-known)) {
		c.challengeACK() // RFC 5961 §5.2
		return false
	}
	c.tally.ackAt = c.now()
	c.softErr = 0 // the peer can be reached
	window := s.window
	if s.flags&wire.TCPSyn == 0 {
		window <<= c.snd.scale
	}
	before := c.snd.window
	changed := c.snd.updateWindow(s.seq, s.ack, window)
	if changed && before == 0 {
		if c.is(flagPersist) {
			c.flags &^= flagPersist
			c.rtoAt = core.Never
			c.rtt.progress()
		} else if c.snd.retries > 0 && s.ack == c.snd.una { // what was sent into the shut window was dropped
			c.rtt.progress()
			c.goBack()
			c.rtoAt = core.Never
		}
	}
	again := s.n == 0 && !changed && s.flags&wire.TCPFin == 0 && !c.is(flagPersist)
	if c.is(flagSACK) {
		again = c.sacked(s) // RFC 6675 §2
	}
	echo := s.flags&wire.TCPEce != 0 && c.ecn() && c.snd.outstanding()
	if s.ack.LEQ(c.snd.una) {
		if s.ack != c.snd.una || !c.snd.outstanding() {
			return true
		}
		if again {
			c.duplicate()
		}
		if echo {
			c.echoed(c.snd.flight())
		}
		return true
	}
	c.advance(s, echo)
	return c.state != stateClosed
}

// advance takes the acknowledgement of new data; echo tells that it has ECE.
func (c *conn) advance(s *segment, echo bool) {
	flight, segments := c.snd.flight(), c.snd.log.acked
	n := uint32(s.ack - c.snd.una)
	sample := time.Duration(c.snd.measured(s.ack, int64(c.now())))
	timed := sample
	if c.rec.trouble() {
		sample = 0
	}
	if c.is(flagTimestamps) && s.opts.Has&wire.TCPHasTimestamp != 0 && s.opts.TSEcr != 0 {
		if sample == 0 { // else it is finer than a millisecond
			if d := int32(c.timestamp() - s.opts.TSEcr); d >= 0 {
				sample = max(time.Duration(d)*time.Millisecond, time.Microsecond)
			}
		}
		if c.rec.undo.echoed(s.opts.TSEcr) {
			if c.rec.timedOut {
				c.t.counters.lossUndo++
			} else {
				c.t.counters.fullUndo++
			}
			c.takeBack()
		}
	}
	if sample > 0 {
		c.rtt.sample(sample)
	}
	c.late()
	c.snd.acked(&c.t.slabs, n)
	c.delivered(timed, c.cong.idle())
	c.timeoutsOver()
	c.rtt.progress()
	c.rec.board.trim(s.ack)
	if c.route != nil {
		c.route.Confirm()
	}
	fast := c.rec.active
	c.progressed(n)
	if echo {
		c.tally.marked += c.snd.log.acked - segments
		c.t.counters.deliveredCE += uint64(c.snd.log.acked - segments)
		c.echoed(flight)
	}
	if !fast && !c.rec.marked {
		c.tell(congestion.Event{Kind: congestion.Ack, Acked: n, InFlight: flight, LastRTT: int64(sample), AppLimited: c.cong.idle()})
	}
	c.rtoAt = core.Never
	if c.snd.outstanding() {
		c.rtoAt = c.now().Add(c.rtt.timeout())
	}
	if o := c.options(); o != nil && !o.SendBufferSet {
		most := c.t.settings().WMem[2]
		c.snd.limit = min(max(c.snd.limit, int32(min(2*c.cong.cwnd, 1<<30))), max(most, c.snd.limit))
	}
	if c.is(flagFinQueued) && c.snd.una == c.snd.queue.end().Add(1) {
		c.finAcked()
		if c.state == stateClosed {
			return
		}
	}
	if c.extra != nil {
		c.extra.urgent.acked(s.ack)
	}
	if c.is(flagNoSpace) && c.writable() { // net/ipv4/tcp_input.c, tcp_check_space
		c.flags &^= flagNoSpace
		c.wake(core.ReadyOut)
	}
	if !c.snd.outstanding() && c.snd.queue.len() == 0 {
		c.watch(false, false)
	}
}

// text takes payload and FIN (RFC 9293 §3.10.7.4, seventh and eighth checks).
func (c *conn) text(s *segment) {
	if c.state.in(setFinWait) && c.is(flagOrphan|flagShutRead) && s.seq.Add(s.n).GT(c.rcv.nxt) {
		// data for nobody (RFC 9293 §3.6.1; RFC 1122 §4.2.2.13)
		c.t.counters.abortOnData++
		err := syscall.ECONNRESET
		if c.socket == nil {
			err = 0
		}
		c.t.sendReset(&c.tuple, wire.MaxSeq(s.ack, c.snd.una), 0, wire.TCPRst) // as where there is no connection
		c.end(err)
		return
	}
	if !c.state.in(setReceiving) {
		return
	}
	seq, n, skip := s.seq, s.n, s.skip
	if n > 0 {
		c.tally.dataAt = c.now()
	}
	fin := s.flags&wire.TCPFin != 0
	if c.is(flagTimestamps) && n >= uint32(c.rcv.mss) && s.opts.Has&wire.TCPHasTimestamp != 0 && s.opts.TSEcr != 0 {
		if d := int32(c.timestamp() - s.opts.TSEcr); d >= 0 {
			c.rcv.tune.echoed(time.Duration(d) * time.Millisecond)
		}
	}
	if d := c.rcv.nxt.Sub(seq); d > 0 { // a part is old
		c.duplicateOf(s)
		if uint32(d) > n {
			d = int32(n)
			if !fin {
				c.flags |= flagAckNow
				return
			}
		}
		seq, n, skip = seq.Add(uint32(d)), n-uint32(d), skip+uint32(d)
	}
	c.urgentByte(s, seq, n, skip)
	if over := seq.Add(n).Sub(c.rcv.adv); over > 0 { // a part is beyond the window
		c.flags |= flagAckNow
		if n -= min(uint32(over), n); n == 0 { // a zero-window probe
			return
		}
		fin = false
	}
	if n > 0 && c.ecn() {
		c.markOf(s)
	}
	if seq != c.rcv.nxt {
		c.outOfOrder(s, seq, n, skip, fin)
		return
	}
	was := c.rcv.queue.bytes
	if n > 0 {
		for c.rcv.memory() > c.rcv.limit && c.rcv.held != nil && c.rcv.held.prune(c.t) {
		}
		k, ok := pushPacket(&c.rcv.queue, &c.t.slabs, s.p, skip, n)
		c.rcv.nxt = c.rcv.nxt.Add(k)
		if !ok {
			c.t.counters.rcvQDrop++
			c.flags |= flagAckNow
			if k > 0 {
				c.wake(core.ReadyIn)
			}
			return
		}
	} else {
		c.rcv.nxt = c.rcv.nxt.Add(n)
	}
	if c.rcv.held != nil {
		c.rcv.nxt = c.rcv.held.ready(c.t, &c.rcv.queue, c.rcv.nxt)
		c.flags |= flagAckNow // RFC 5681 §4.2: a gap was filled
		if c.rcv.held.fin && c.rcv.held.finAt == c.rcv.nxt {
			fin = true
		}
		if c.rcv.held.first == nil && !c.rcv.held.fin {
			c.rcv.held = nil
		}
	}
	if size := uint32(s.p.SegmentSize); size != 0 { // merged on the way in
		n = min(n, size)
	}
	c.rcv.mss = max(c.rcv.mss, uint16(min(n, 65535)))
	if fin {
		c.finReceived()
		return
	}
	if c.rcv.queue.bytes != was {
		c.wake(core.ReadyIn)
	}
}

// outOfOrder keeps what arrived ahead of its turn and says so at once (RFC 5681
// §4.2).
func (c *conn) outOfOrder(s *segment, seq wire.Seq, n, skip uint32, fin bool) {
	c.flags |= flagAckNow
	if n == 0 && !fin {
		return
	}
	if c.rcv.held == nil {
		c.rcv.held = new(reassembly)
	}
	h := c.rcv.held
	if fin {
		h.fin, h.finAt = true, seq.Add(n)
	}
	if n == 0 {
		return
	}
	for c.rcv.memory() > c.rcv.limit {
		if h.beyond(seq) || !h.prune(c.t) { // what comes first is worth more
			c.t.counters.ofoDrop++
			return
		}
	}
	c.t.counters.ofoQueue++
	c.tally.outOfOrder += s.count()
	dup, ok := h.insert(c.t, s.p, seq, skip, n)
	if !ok {
		c.t.counters.ofoDrop++
	}
	if dup.Start != dup.End && c.t.settings().DSACK {
		c.t.counters.dsackOfoSent++
		c.rcv.dsack = dup
	}
}

// duplicateOf notes what of a segment was here before, for a D-SACK (RFC 2883).
func (c *conn) duplicateOf(s *segment) {
	end := wire.MinSeq(s.seq.Add(s.n), c.rcv.nxt)
	if s.n == 0 || end.LEQ(s.seq) || !c.is(flagSACK) || !c.t.settings().DSACK {
		return
	}
	c.t.counters.dsackOldSent++
	c.rcv.dsack = wire.SACKBlock{Start: s.seq, End: end}
	c.flags |= flagAckNow
}
