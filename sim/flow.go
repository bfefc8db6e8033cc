package sim

import (
	"encoding/binary"
	"math"
	"net"
	"time"

	"github.com/libos-go/libos/core"
)

// flow is a connection or a datagram socket that a task tracks.
type flow struct {
	node     *Node
	name     string
	number   int // among those of its name, from 1 on
	socket   *core.Socket
	endpoint core.Endpoint      // of TCP, until the connection is over
	counts   *core.SocketCounts // of datagrams
	protocol string
	local    string
	remote   string
	start    core.Time
	end      core.Time
	over     bool
	sampled  bool // for the last time
	closed   bool
	first    int // samples that the network had before it
	last     figures
	before   figures // at the last sample
	columns  [flowMetrics]column

	rttLeast, rttMost, rttSum float64 // seconds
	rtts                      int
}

// The metrics of flows, in the order of their series.
const (
	flowSent = iota
	flowReceived
	flowWindow
	flowThreshold
	flowFlight
	flowRTT
	flowVariation
	flowResent
	flowDropped
	flowMetrics
)

var flowMetric = [flowMetrics]struct{ name, unit string }{
	flowSent:      {"throughput", "bit/s"},
	flowReceived:  {"received", "bit/s"},
	flowWindow:    {"cwnd", "B"},
	flowThreshold: {"ssthresh", "B"},
	flowFlight:    {"in flight", "B"},
	flowRTT:       {"srtt", "s"},
	flowVariation: {"rttvar", "s"},
	flowResent:    {"retransmissions", ""},
	flowDropped:   {"drops", ""},
}

// figures are what a flow says of itself at an instant. What a protocol lacks is 0.
type figures struct {
	state                          byte // of TCP
	sent, received                 uint64
	delivered                      uint64 // sent, and what was acknowledged selectively
	messagesSent, messagesReceived uint64
	resent, dropped                uint64
	window, threshold, flight      float64 // bytes; NaN: no threshold yet
	rtt, variation                 float64 // seconds
}

// track begins a flow. It runs in a task.
func (x *Node) track(t *Task, name string, c net.Conn) {
	s, ok := c.(interface{ Socket() *core.Socket })
	if !ok {
		t.Fatalf("Track: a %T has no socket: give the connection that Dial, Accept or ListenPacket gave", c)
	}
	f := &flow{node: x, name: name, socket: s.Socket(), start: core.Time(t.Now())}
	if f.socket.Instance() != x.in {
		t.Fatalf("Track: flow %s is of node %s, not of %s: track it there", name, f.socket.Instance().Name(), x.name)
	}
	if x.named == nil {
		x.named = map[string]int{}
	}
	x.named[name]++
	f.number = x.named[name]
	if every := x.net.every; every > 0 {
		f.first = int(f.start / every)
	}
	f.protocol = c.LocalAddr().Network()
	f.local = c.LocalAddr().String()
	if a := c.RemoteAddr(); a != nil {
		f.remote = a.String()
	}
	x.in.Domain().Do(func() {
		if f.socket.ClosedLocked() {
			f.finish()
			return
		}
		if f.counts = f.socket.CountLocked(); f.counts == nil {
			f.endpoint = f.socket.Endpoint()
			if o, ok := f.endpoint.(interface{ OnOver(func()) }); ok {
				o.OnOver(f.finish)
			} else {
				f.endpoint = nil
			}
		}
		f.read()
		if f.before = f.last; f.endpoint != nil && f.last.state == tcpClose {
			f.finish()
		}
	})
	f.socket.OnReady(0, func(core.Ready) {
		if !f.closed && !f.over && f.socket.ClosedLocked() { // over: the connection was done before
			f.closed = true
			if f.endpoint == nil {
				f.finish()
			}
		}
	})
	x.flows = append(x.flows, f)
	if x.net.every > 0 {
		x.going = append(x.going, f)
	}
}

// finish takes the last figures. Inside an entry.
func (f *flow) finish() { f.finishAt(f.node.part.host.Now()) }

func (f *flow) finishAt(end core.Time) {
	if f.over {
		return
	}
	f.read()
	f.over, f.end = true, end
	f.socket, f.endpoint = nil, nil
}

// read takes the figures as they are. Inside an entry.
func (f *flow) read() {
	switch {
	case f.over:
	case f.counts != nil:
		c := f.counts
		f.last = figures{sent: c.SentBytes, received: c.ReceivedBytes, messagesSent: c.Sent, messagesReceived: c.Received, dropped: c.Dropped, delivered: c.SentBytes, threshold: math.NaN()}
	case f.endpoint != nil:
		var b [240]byte
		if n, err := f.endpoint.Option(core.SolTCP, optionInfo, b[:]); err == nil && n == len(b) {
			f.last = tcpFigures(b[:])
		}
		if r := f.last.rtt; r > 0 {
			if f.rtts == 0 || r < f.rttLeast {
				f.rttLeast = r
			}
			f.rttMost = max(f.rttMost, r)
		}
	}
}

// optionInfo is TCP_INFO.
const optionInfo = 11

// States of TCP in TCP_INFO.
const (
	tcpFinWait1  = 4
	tcpTimeWait  = 6
	tcpClose     = 7
	tcpCloseWait = 8
	tcpLastAck   = 9
	tcpClosing   = 11
)

// tcpFigures reads struct tcp_info (include/uapi/linux/tcp.h).
func tcpFigures(b []byte) figures {
	u32 := func(at int) float64 { return float64(binary.NativeEndian.Uint32(b[at:])) }
	u64 := func(at int) uint64 { return binary.NativeEndian.Uint64(b[at:]) }
	mss := u32(16)
	f := figures{state: b[0], sent: u64(120), received: u64(128), resent: uint64(u32(100)),
		window: u32(80) * mss, threshold: u32(76) * mss, rtt: u32(68) / 1e6, variation: u32(72) / 1e6}
	f.sent = min(f.sent, u64(200)-u64(208)) // bytes_acked has the FIN, too
	f.delivered = f.sent + uint64(u32(28)*mss)
	switch f.state {
	case tcpTimeWait, tcpCloseWait, tcpLastAck, tcpClosing: // so has bytes_received
		f.received -= min(f.received, 1)
	}
	f.messagesSent, f.messagesReceived = uint64(u32(136)), uint64(u32(140))
	f.flight = max(0, u32(24)-u32(28)-u32(32)+u32(36)) * mss
	if u32(76) >= 1<<31-1 {
		f.threshold = math.NaN()
	}
	return f
}

// sample notes the figures. Inside an entry.
func (f *flow) sample(at core.Time) {
	f.read()
	f.sampled = f.over
	f.last.delivered = max(f.last.delivered, f.before.delivered) // segments may be short
	every := time.Duration(f.node.net.every).Seconds()
	now, was := &f.last, &f.before
	for i, v := range [flowMetrics]float64{
		flowSent:      float64(now.delivered-was.delivered) * 8 / every,
		flowReceived:  float64(now.received-was.received) * 8 / every,
		flowWindow:    now.window,
		flowThreshold: now.threshold,
		flowFlight:    now.flight,
		flowRTT:       now.rtt,
		flowVariation: now.variation,
		flowResent:    float64(now.resent),
		flowDropped:   float64(now.dropped),
	} {
		f.columns[i].push(v)
	}
	if now.rtt > 0 {
		f.rttSum += now.rtt
		f.rtts++
	}
	f.before = f.last
	if f.closed && f.endpoint != nil {
		switch f.last.state {
		case tcpFinWait1, tcpLastAck, tcpClosing:
		default: // all that was sent is acknowledged, and nobody reads
			f.finishAt(at)
		}
	}
}
