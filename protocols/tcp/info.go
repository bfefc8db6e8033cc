package tcp

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/wire"
)

// sizeofInfo is struct tcp_info (include/uapi/linux/tcp.h) up to
// tcpi_total_rto_time; what follows is of AccECN.
const sizeofInfo = 248

// infoInfinite is TCP_INFINITE_SSTHRESH.
const infoInfinite = 0x7fffffff

// infoWriter writes the fields of struct tcp_info one behind the other.
type infoWriter []byte

func (w *infoWriter) u16(v ...uint16) {
	for _, x := range v {
		*w = binary.NativeEndian.AppendUint16(*w, x)
	}
}

func (w *infoWriter) u32(v ...uint32) {
	for _, x := range v {
		*w = binary.NativeEndian.AppendUint32(*w, x)
	}
}

func (w *infoWriter) u64(v ...uint64) {
	for _, x := range v {
		*w = binary.NativeEndian.AppendUint64(*w, x)
	}
}

// info is TCP_INFO (net/ipv4/tcp.c, tcp_get_info). Windows and counts are packets
// where Linux's are: the stack counts bytes, and remembers how they were cut.
func (c *conn) info() []byte {
	w := make(infoWriter, 0, sizeofInfo)
	now, n := c.now(), &c.tally
	if c.state == stateListen {
		return c.listenerInfo(w)
	}
	options := byte(bit(c.is(flagTimestamps)) | bit(c.is(flagSACK))<<1 | bit(c.is(flagScaling))<<2 | bit(c.ecn())<<3 | bit(c.is(flagCapable))<<4)
	limited := byte(bit(n.limited || !c.cong.filled))
	w = append(w, byte(c.state), c.avoidance(), c.snd.retries, c.probes, c.rtt.backoff, options, c.snd.scale|c.rcv.scale<<4, limited)
	mss := max(uint32(c.snd.mss), 1)
	ssthresh, cwnd := uint32(infoInfinite), c.cong.cwnd/mss
	if c.cong.ssthresh != 0 && c.cong.ssthresh < congestion.Infinite {
		ssthresh = c.cong.ssthresh / mss
	}
	if c.cong.cwnd == 0 { // no connection yet
		cwnd, mss = 10, 536
	}
	mtu, advmss := uint32(0), uint32(0)
	if c.route != nil {
		mtu, advmss = uint32(c.route.MTU), uint32(c.offeredMSS())
		if c.is(flagTimestamps) {
			advmss -= wire.TCPTimestampSize
		}
	}
	ato := uint32(0)
	if n.dataIn > 0 {
		ato = uint32(delayedAck / time.Microsecond)
	}
	since := func(t core.Time) uint32 { return uint32(now.Sub(t) / time.Millisecond) }
	out, sacked, lost, again := c.packets()
	variation := c.rtt.variation
	if c.rtt.smoothed == 0 {
		variation = 250_000
	}
	room := uint32(space(c.rcv.limit))
	spaceRead := c.rcv.tune.most
	if spaceRead == 0 {
		spaceRead = min(room, 10*advmss)
	}
	w.u32(uint32(c.rtt.timeout()/time.Microsecond), ato, mss, uint32(c.rcv.mss),
		out, sacked, lost, again, 0,
		since(core.Time(c.snd.lastAt)), 0, since(n.dataAt), since(n.ackAt),
		mtu, room, c.rtt.smoothed, variation, ssthresh, cwnd,
		advmss, duplicateThreshold, c.rcv.tune.rtt, spaceRead, c.resent)
	acked := c.snd.total // the SYN counts where it opened the connection
	if n.passive {
		acked = max(acked, 1) - 1
	} else {
		acked += uint64(bit(c.is(flagDone)))
	}
	w.u64(c.pacing(), c.mostPacing(), acked, n.taken+uint64(c.rcv.queue.bytes)+uint64(bit(c.is(flagFinReceived))))
	smallest := c.rtt.smallest
	if smallest == 0 { // no sample yet
		smallest = math.MaxUint32
	}
	w.u32(n.segsOut, n.segsIn, uint32(max(c.snd.queue.end().Sub(c.snd.max), 0)), smallest, n.dataIn, n.dataOut)
	busy, window, buffer := n.busy.times(now)
	w.u64(n.rate, busy, window, buffer)
	w.u32(c.snd.log.acked+sacked, n.marked)
	w.u64(n.sent, n.resent)
	w.u32(n.dsacks, n.reordered, n.outOfOrder, c.snd.window, uint32(max(c.rcv.adv.Sub(c.rcv.nxt), 0)), 0)
	w.u16(n.timeouts, n.recoveries)
	inTimeouts := n.timeoutTime
	if n.timeoutAt != 0 {
		inTimeouts += now.Sub(n.timeoutAt)
	}
	w.u32(uint32(inTimeouts / time.Millisecond))
	return w
}

// listenerInfo is that of a listening socket: how many connections wait, and how
// many may.
func (c *conn) listenerInfo(w infoWriter) []byte {
	w = append(w, byte(c.state), 0, 0, 0, 0, 0, 0, 0)
	w.u32(0, 0, 0, 0, uint32(len(c.listener.ready)), uint32(c.listener.backlog))
	w = w[:sizeofInfo]
	binary.NativeEndian.PutUint32(w[80:], 10)
	binary.NativeEndian.PutUint32(w[88:], duplicateThreshold)
	binary.NativeEndian.PutUint64(w[104:], math.MaxUint64)
	binary.NativeEndian.PutUint64(w[112:], math.MaxUint64)
	return w
}

// avoidance is tcpi_ca_state: Open, Disorder, CWR, Recovery or Loss.
func (c *conn) avoidance() byte {
	switch {
	case c.rec.active:
		return 3
	case c.rec.timedOut:
		return 4
	case c.rec.marked:
		return 2
	case c.rec.duplicates > 0 || len(c.rec.board.blocks) > 0:
		return 1
	}
	return 0
}

// packets are packets_out, sacked_out, lost_out and retrans_out of Linux.
func (c *conn) packets() (out, sacked, lost, again uint32) {
	r, l, una := &c.rec, &c.snd.log, c.snd.una
	out = l.count(una, c.snd.max)
	if c.state.in(setOpening) {
		return uint32(bit(c.snd.outstanding())), 0, 0, uint32(min(c.snd.retries, 1))
	}
	in := func(to wire.Seq) (n uint32) {
		for _, b := range r.board.blocks {
			if !b.Start.LT(to) {
				break
			}
			n += l.count(b.Start, wire.MinSeq(b.End, to))
		}
		return n
	}
	sacked = in(c.snd.max)
	if !c.is(flagSACK) {
		sacked = min(r.duplicates, max(out, 1)-1)
	}
	switch {
	case r.timedOut:
		if r.point.GT(una) {
			lost = l.count(una, r.point) - in(r.point)
		}
		if c.snd.nxt.GT(una) {
			to := wire.MinSeq(c.snd.nxt, r.point)
			again = l.count(una, to) - in(to)
		}
	case r.active && c.is(flagSACK):
		if n := r.board.lostBytes(una, uint32(c.snd.mss)); n > 0 {
			lost = (n + uint32(c.snd.mss) - 1) / uint32(c.snd.mss)
		}
		if r.next.GT(una) {
			again = l.count(una, r.next) - in(r.next)
		}
		lost = max(lost, 1)
	case r.active:
		lost, again = 1, uint32(bit(r.next.GT(una)))
	}
	return out, sacked, lost, again
}

// pacing is the rate that Linux would pace at: twice the window a round trip in slow
// start, 1.2 times it later (net/ipv4/tcp_input.c, tcp_update_pacing_rate). Nothing
// is paced here.
func (c *conn) pacing() uint64 {
	if c.rtt.smoothed == 0 || c.cong.cwnd == 0 {
		return math.MaxUint64
	}
	percent := uint64(120)
	if c.cong.cwnd < c.cong.ssthresh/2 {
		percent = 200
	}
	return uint64(c.cong.cwnd) * 1_000_000 / uint64(c.rtt.smoothed) * percent / 100
}

// mostPacing is SO_MAX_PACING_RATE as it was set.
func (c *conn) mostPacing() uint64 {
	if o := c.options(); o != nil && o.MaxPacingRate != 0 {
		return o.MaxPacingRate
	}
	return math.MaxUint64
}
