package usernet

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/libos-go/libos/core/wire"
)

const (
	// maxDatagramFlows bounds the sockets for the guest's datagrams.
	maxDatagramFlows = 1 << 10
	// idle is how long one is kept without traffic (RFC 4787 REQ-5 has five minutes
	// as the least, which would keep a socket so long for each question of DNS).
	idle = time.Minute
	// room holds every datagram.
	room = 1<<16 - 1
	// quoted is how much of a packet an error of ICMP shows.
	quoted = 128
)

// talk is what one socket of the guest says to one endpoint, over a connected socket
// of the host.
type talk struct {
	pair
	conn *net.UDPConn
	last atomic.Int64                 // when there was traffic, in nanoseconds since began
	head atomic.Pointer[[quoted]byte] // of the guest's latest datagram, for errors
}

// datagrams are the talks of one guest. The zero value has none.
type datagrams struct {
	mu     sync.Mutex
	all    map[pair]*talk
	closed bool
	began  time.Time
}

func (t *datagrams) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, x := range t.all {
		_ = x.conn.Close()
	}
}

func (t *datagrams) find(of pair) *talk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[of]
}

// add keeps x; false if there is no room.
func (t *datagrams) add(x *talk) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.all) >= maxDatagramFlows {
		return false
	}
	if t.all == nil {
		t.all, t.began = make(map[pair]*talk), time.Now()
	}
	x.last.Store(int64(time.Since(t.began)))
	t.all[x.pair] = x
	return true
}

func (t *datagrams) remove(x *talk) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.all, x.pair)
	_ = x.conn.Close()
}

// datagram sends what the guest says.
func (d *Device) datagram(h *header) {
	u, err := wire.ParseUDP(h.l4)
	if err != nil {
		d.dropped.Add(1)
		return
	}
	x := d.datagrams.find(pair{h.src, h.dst})
	if x == nil {
		to, ok := d.target(h.dst)
		if !ok {
			d.toGuest(prohibited(h))
			return
		}
		c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			d.toGuest(unreachable(h))
			return
		}
		x = &talk{pair: pair{h.src, h.dst}, conn: c}
		if !d.datagrams.add(x) {
			_ = c.Close()
			d.dropped.Add(1)
			return
		}
		d.goes(func() { d.listen(x) })
	}
	var head [quoted]byte
	copy(head[:], h.ip)
	x.head.Store(&head)
	x.last.Store(int64(time.Since(d.datagrams.began)))
	if _, err := x.conn.Write(u.Payload()); errors.Is(err, syscall.ECONNREFUSED) {
		d.refused(x) // by an earlier one
		_, _ = x.conn.Write(u.Payload())
	}
}

// refused tells the guest that nobody is there.
func (d *Device) refused(x *talk) {
	if b := x.head.Load(); b != nil {
		if h, ok := parse(b[:]); ok {
			d.toGuest(portUnreachable(&h))
		}
	}
}

// listen brings the answers to the guest, until there has been nothing for a while.
func (d *Device) listen(x *talk) {
	defer d.datagrams.remove(x)
	b := make([]byte, headroom+room)
	for {
		quiet := time.Since(d.datagrams.began) - time.Duration(x.last.Load())
		if quiet >= idle {
			return
		}
		_ = x.conn.SetReadDeadline(time.Now().Add(idle - quiet))
		n, err := x.conn.Read(b[headroom:])
		var timeout net.Error
		switch {
		case err == nil:
			x.last.Store(int64(time.Since(d.datagrams.began)))
			if p := datagramTo(b, n, x.remote, x.guest); p != nil {
				d.toGuest(p)
			}
		case errors.As(err, &timeout) && timeout.Timeout():
		case errors.Is(err, syscall.ECONNREFUSED):
			d.refused(x)
		default:
			return
		}
	}
}
