package tcp

import (
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/congestion"
	"github.com/libos-go/libos/core/timer"
	"github.com/libos-go/libos/core/wire"
)

// state of a connection, with Linux's numbers (TCP_INFO, /proc/net/tcp).
type state uint8

const (
	stateEstablished state = iota + 1
	stateSynSent
	stateSynReceived
	stateFinWait1
	stateFinWait2
	stateTimeWait
	stateClosed
	stateCloseWait
	stateLastAck
	stateListen
	stateClosing
)

// set is a set of states, for "in one of".
type set uint16

func (s state) in(x set) bool { return x>>s&1 != 0 }

const (
	// states in which the peer may send data that we take
	setReceiving set = 1<<stateEstablished | 1<<stateFinWait1 | 1<<stateFinWait2
	// states in which the user may send
	setSending set = 1<<stateEstablished | 1<<stateCloseWait
	// states in which data or a FIN of ours may be outstanding
	setFlushing set = setSending | 1<<stateFinWait1 | 1<<stateClosing | 1<<stateLastAck
	// states in which only the peer may send
	setFinWait set = 1<<stateFinWait1 | 1<<stateFinWait2
	// states in which a connection without a program still needs memory: FIN-WAIT-2
	// and TIME-WAIT are small ones in Linux (net/ipv4/tcp_minisocks.c)
	setOrphan set = 1<<stateFinWait1 | 1<<stateClosing | 1<<stateLastAck
	// states after the handshake
	setSynchronized set = setFlushing | 1<<stateFinWait2
	// states of a handshake
	setOpening set = 1<<stateSynSent | 1<<stateSynReceived
)

// flags of a connection.
type flags uint32

const (
	flagTimestamps  flags = 1 << iota // both sides send them (RFC 7323)
	flagSACK                          // both sides speak SACK
	flagScaling                       // both sides scale windows
	flagNoDelay                       // TCP_NODELAY
	flagCork                          // TCP_CORK
	flagMore                          // the last send had MSG_MORE
	flagDirty                         // on the Transport's list of work at the end of a batch
	flagHashed                        // in the table of connections
	flagShutRead                      // the user reads no more
	flagFinQueued                     // our FIN follows the queued data
	flagFinReceived                   // the peer's FIN was taken
	flagDone                          // was connected once: reads give 0, not ENOTCONN
	flagPersist                       // the retransmission timer stands for the persist timer
	flagAckNow                        // acknowledge at the end of the batch
	flagBound                         // has a port in the table of ports
	flagOrphan                        // the user closed the socket
	flagReuse                         // SO_REUSEADDR when the port was taken
	flagReusePort                     // SO_REUSEPORT likewise
	flagDeferred                      // TCP_DEFER_ACCEPT: the handshake is over but for data
	flagCounted                       // among the Transport's orphans
	flagNoSpace                       // a writer or a poll found the send buffer full
	flagEnded                         // the connection, or the attempt, is over and the user was not told otherwise
	flagECN                           // both sides speak ECN (RFC 3168); in SYN-SENT: we asked for it
	flagEcho                          // CE arrived: acknowledgements have ECE until the peer's CWR
	flagReduced                       // the next new data have CWR
	flagCapable                       // the peer's data were ECN-capable
)

// agreed is what the handshake decides, anew for each connection of a socket.
const agreed = flagTimestamps | flagSACK | flagScaling | flagECN | flagEcho | flagReduced | flagCapable

// conn is a TCP socket: a connection, a listener, or neither yet. It lives in a
// slab; the parts are plain values, and what most connections never need is
// behind pointers that are nil until then.
type conn struct {
	timer timer.Timer // the earliest of the deadlines below, or before it
	t     *Transport
	// socket is nil while the connection waits to be accepted and after the
	// user closed it.
	socket   *core.Socket
	route    *core.Route
	listener *listener // of a listening socket: its own; of a child that waits: its parent's
	dirty    *conn     // next on the Transport's list of work
	extra    *extra
	tuple    tuple

	snd   sender
	rcv   receiver
	rec   recovery
	rtt   rttEstimator
	cong  window
	tally tally

	// deadlines; core.Never when off
	rtoAt    core.Time // retransmission, or zero-window probe under flagPersist
	ackAt    core.Time // delayed ACK
	lifeAt   core.Time // keepalive; the end of FIN-WAIT-2 and TIME-WAIT
	lastRecv core.Time // arrival of the last segment, for keepalive

	hash     uint32
	answered uint32 // when an invalid segment was last answered, in milliseconds
	tsOffset uint32 // of our timestamps
	flags    flags
	scope    uint32
	resent   uint32        // segments sent again
	softErr  syscall.Errno // that did not end the connection; of one that waits to be accepted, what ended it
	woken    core.Ready    // readiness to tell of at the end of the batch
	state    state
	probes   uint8 // keepalive or zero-window probes without an answer
	holds    uint8 // reservations that user copies hold
}

// extra is what few connections need.
type extra struct {
	idle, interval time.Duration // keepalive, where it is not the instance's (TCP_KEEPIDLE, TCP_KEEPINTVL)
	count          int32         // TCP_KEEPCNT
	maxSeg         uint16        // TCP_MAXSEG
	synRetries     int32         // TCP_SYNCNT
	deferAccept    int32         // TCP_DEFER_ACCEPT, as retransmissions of a SYN-ACK
	linger2        time.Duration // TCP_LINGER2; negative: no FIN-WAIT-2
	userTimeout    time.Duration // TCP_USER_TIMEOUT (RFC 5482)
	silent         core.Time     // since when the peer left something unanswered
	urgent         urgent
	over           func() // see OnOver
	notsentLowat   uint32 // TCP_NOTSENT_LOWAT; 0: that of the instance
	clamp          int32  // TCP_WINDOW_CLAMP; 0: none
	inq            bool   // TCP_INQ
	thin           bool   // TCP_THIN_LINEAR_TIMEOUTS: kept only
	saveSyn        bool   // TCP_SAVE_SYN, of a listener
	syn            []byte // the headers of the peer's SYN (TCP_SAVED_SYN), until they are read
}

func (c *conn) more() *extra {
	if c.extra == nil {
		c.extra = new(extra)
	}
	return c.extra
}

// window is the congestion window and who decides it.
type window struct {
	control  congestion.Control
	cwnd     uint32
	ssthresh uint32
	name     string // of the algorithm

	// How far the window was used lately (RFC 7661; net/ipv4/tcp_output.c,
	// tcp_cwnd_validate): until what was sent at mark is acknowledged.
	mark   wire.Seq
	most   uint32 // largest flight
	filled bool   // the window was used up
}

// used takes what is in flight after sending, and whether the window was used up.
func (w *window) used(una, nxt wire.Seq, filled bool) {
	flight := uint32(nxt - una)
	if una.GEQ(w.mark) || filled || !w.filled && flight > w.most {
		w.mark, w.most, w.filled = nxt, flight, filled
	}
}

// idle tells whether so little was sent that an acknowledgement says nothing about
// the window. In slow start, which doubles it, half of it is enough.
func (w *window) idle() bool {
	return !w.filled && !(w.cwnd < w.ssthresh && w.cwnd < 2*w.most)
}

func (c *conn) is(f flags) bool { return c.flags&f != 0 }

func (c *conn) set(f flags, on bool) {
	if on {
		c.flags |= f
	} else {
		c.flags &^= f
	}
}

func (c *conn) now() core.Time { return c.t.in.Now() }

// options are the socket's: while nobody accepted the connection, those of the
// listening socket; nil after the user closed it.
func (c *conn) options() *core.SocketOptions {
	switch {
	case c.socket != nil:
		return c.socket.Options()
	case c.listener != nil:
		return c.listener.conn.socket.Options()
	}
	return nil
}

// wake wakes who waits for any of r when the batch is over.
func (c *conn) wake(r core.Ready) {
	c.woken |= r
	c.touch()
}

// timestamp is our clock for the timestamp option, in milliseconds.
func (c *conn) timestamp() uint32 { return uint32(c.now()/core.Time(time.Millisecond)) + c.tsOffset }

// touch puts the connection on the list of those that are looked at when the
// batch is over.
func (c *conn) touch() {
	if c.flags&flagDirty == 0 {
		c.flags |= flagDirty
		c.dirty = c.t.dirty
		c.t.dirty = c
	}
}

// networkHeader is the size of the network header without options.
func networkHeader(a wire.Addr) int {
	if a.Is4() {
		return wire.IPv4MinSize
	}
	return wire.IPv6Size
}
