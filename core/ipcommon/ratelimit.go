package ipcommon

import (
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Bucket is a token bucket. The zero value is full at first use.
type Bucket struct {
	tokens int64 // in billionths of an event, so that slow rates lose nothing
	last   core.Time
	used   bool
}

// Allow takes one token, of which rate come in a second up to burst; false when
// there is none.
func (b *Bucket) Allow(now core.Time, rate, burst int) bool {
	const unit = int64(time.Second)
	most := int64(burst) * unit
	if !b.used {
		b.used, b.last, b.tokens = true, now, most
	}
	if d := now.Sub(b.last); d > 0 {
		b.last = now
		if d >= time.Duration(most)/time.Duration(max(1, rate))+1 {
			b.tokens = most
		} else {
			b.tokens = min(most, b.tokens+int64(d)*int64(rate))
		}
	}
	if b.tokens < unit {
		return false
	}
	b.tokens -= unit
	return true
}

// peerBurst is how many messages an idle destination may get at once
// (XRLIM_BURST_FACTOR of Linux's net/ipv4/inetpeer.c).
const peerBurst = 6

// peerSlots bounds what a PeerLimiter remembers. Destinations that fall together
// share a limit; the global limit is what protects the network.
const peerSlots = 256

// PeerLimiter limits messages by destination, as Linux's inet_peer_xrlim_allow.
// The zero value is ready.
type PeerLimiter struct {
	slots *[peerSlots]peerSlot
}

type peerSlot struct {
	peer wire.Addr
	next core.Time // when the bucket would be full again
}

// Allow tells whether dst may get a message now: one in every interval, and six
// at once after a rest.
func (l *PeerLimiter) Allow(now core.Time, dst wire.Addr, every time.Duration) bool {
	if l.slots == nil {
		l.slots = new([peerSlots]peerSlot)
	}
	h := (dst.Hi ^ dst.Lo) * 0x9e3779b97f4a7c15
	p := &l.slots[h>>56]
	if p.next <= now {
		p.peer, p.next = dst, now
	}
	if p.next.Add(every).Sub(now) > peerBurst*every {
		return false
	}
	p.next = p.next.Add(every)
	return true
}
