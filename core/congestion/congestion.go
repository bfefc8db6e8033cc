package congestion

// Algorithm describes a congestion control: a value that the wiring names.
type Algorithm struct {
	Name string // as in net.ipv4.tcp_congestion_control and TCP_CONGESTION
	// New makes the state of one connection.
	New func() Control
}

// Control is the congestion control of one connection. Calls come one at a
// time. Event looks at e and writes its decision to d; neither is kept. d comes
// filled with the window and threshold in force, so that an event that changes
// nothing needs no answer.
type Control interface {
	Event(e *Event, d *Decision)
}

// Ender is a Control that wants to know when its connection is over, or goes on
// with another: no Event comes after.
type Ender interface{ End() }

// Kind says what an Event tells.
type Kind uint8

const (
	Init          Kind = iota // the connection stands: choose the initial window
	Ack                       // Acked bytes were acknowledged in order, or SACKed
	EnterRecovery             // loss was found by duplicate ACKs or SACK (RFC 5681 §3.2)
	ExitRecovery              // everything outstanding at EnterRecovery is acknowledged
	Timeout                   // the first expiry of the retransmission timer for these data
	Undo                      // the last EnterRecovery or Timeout was spurious
	IdleRestart               // sending starts again after an idle time of more than an RTO
	ECN                       // congestion was signalled by marks (RFC 3168 §6.1.2)
	NumKinds
)

// String is the kind's name.
func (k Kind) String() string {
	switch k {
	case Init:
		return "init"
	case Ack:
		return "ack"
	case EnterRecovery:
		return "enter-recovery"
	case ExitRecovery:
		return "exit-recovery"
	case Timeout:
		return "rto"
	case Undo:
		return "undo"
	case IdleRestart:
		return "idle-restart"
	case ECN:
		return "ecn"
	}
	return "unknown"
}

// Infinite is the slow-start threshold of a connection that met no loss.
const Infinite = 1<<31 - 1

// Event is what happened to a connection. Sizes are bytes of payload, times
// nanoseconds of the host's monotonic clock.
type Event struct {
	Now       int64
	Sent      uint64 // first transmissions so far
	Delivered uint64 // cumulatively acknowledged so far
	SRTT      int64  // smoothed round-trip time, 0 if unknown
	MinRTT    int64  // smallest sample so far, 0 if unknown
	LastRTT   int64  // the sample of this event, 0 if it gave none
	Acked     uint32 // newly acknowledged by this event
	Lost      uint32 // newly taken to be lost
	Marked    uint32 // newly reported as ECN-marked
	InFlight  uint32 // outstanding before this event
	MSS       uint32 // largest payload of a segment
	Cwnd      uint32
	Ssthresh  uint32
	Kind      Kind
	// AppLimited: the window was not full, so that an acknowledgement says
	// nothing about it and it must not grow (RFC 9293 §3.7.2, RFC 7661).
	AppLimited bool
}

// Decision is the answer to an Event.
type Decision struct {
	Cwnd       uint32
	Ssthresh   uint32
	PacingRate uint64 // bytes a second, 0 for none
}

// InitialWindow is that of RFC 6928 §2 for an MSS.
func InitialWindow(mss uint32) uint32 {
	return min(10*mss, max(2*mss, 14600))
}
