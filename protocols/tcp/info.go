package tcp

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
)

// tally is what TCP_INFO counts of a connection (RFC 4898).
type tally struct {
	taken   uint64 // bytes that the user took off the receive queue
	segsIn  uint32
	segsOut uint32
}

// info is struct tcp_info (include/uapi/linux/tcp.h) up to tcpi_rcv_wnd. What the
// stack does not keep of a connection is 0: the counts of segments with data,
// of the time that limits held, of what was delivered, and of bytes sent twice.
func (c *conn) info() []byte {
	ne := binary.NativeEndian
	b := make([]byte, 0, 240)
	options := byte(bit(c.is(flagTimestamps)) | bit(c.is(flagSACK))<<1 | bit(c.is(flagScaling))<<2)
	ca := byte(0)
	switch {
	case c.rec.active:
		ca = 3 // TCP_CA_Recovery
	case c.rec.timedOut:
		ca = 4 // TCP_CA_Loss
	case c.rec.duplicates > 0 || len(c.rec.board.blocks) > 0:
		ca = 1 // TCP_CA_Disorder
	}
	b = append(b, byte(c.state), ca, c.snd.retries, c.probes, c.rtt.backoff, options, c.snd.scale|c.rcv.scale<<4, 0)
	mss := max(uint32(c.snd.mss), 1)
	ssthresh := c.cong.ssthresh
	if ssthresh < congestion.Infinite {
		ssthresh /= mss
	}
	since := func(t core.Time) uint32 {
		if t == 0 {
			return 0
		}
		return uint32(c.now().Sub(t) / time.Millisecond)
	}
	mtu, advmss := 0, 0
	if c.route != nil {
		mtu, advmss = c.route.MTU, int(c.offeredMSS())
	}
	for _, v := range [...]uint32{
		uint32(c.rtt.timeout() / time.Microsecond), uint32(delayedAck / time.Microsecond),
		uint32(c.snd.mss), uint32(c.rcv.mss),
		(c.snd.flight() + mss - 1) / mss, c.rec.board.bytes / mss, 0, uint32(bit(c.rec.active)), 0,
		since(core.Time(c.snd.lastAt)), 0, since(c.lastRecv), since(c.lastRecv),
		uint32(mtu), uint32(c.rcv.limit), c.rtt.smoothed, c.rtt.variation, ssthresh, c.cong.cwnd / mss,
		uint32(advmss), duplicateThreshold, c.rcv.tune.rtt, c.rcv.tune.most, c.resent,
	} {
		b = ne.AppendUint32(b, v)
	}
	for _, v := range [...]uint64{
		math.MaxUint64, math.MaxUint64, // nothing is paced
		c.snd.total, c.tally.taken + uint64(c.rcv.queue.bytes),
	} {
		b = ne.AppendUint64(b, v)
	}
	smallest := c.rtt.smallest
	if smallest == 0 { // no sample yet
		smallest = math.MaxUint32
	}
	for _, v := range [...]uint32{c.tally.segsOut, c.tally.segsIn, uint32(max(c.snd.queue.end().Sub(c.snd.max), 0)), smallest} {
		b = ne.AppendUint32(b, v)
	}
	b = b[:240]
	ne.PutUint32(b[228:], c.snd.window)
	ne.PutUint32(b[232:], uint32(max(c.rcv.adv.Sub(c.rcv.nxt), 0)))
	return b
}
