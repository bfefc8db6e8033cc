package remote

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
)

// Version is the version of the format. A Hello names it, and an end that does
// not know it refuses.
const Version = 1

// HeaderSize is the length of what every message begins with: its whole length
// in four bytes, its kind, the version, the number of the handler that it is
// about in two bytes, and the sender's clock in eight bytes. All numbers are
// little-endian.
const HeaderSize = 16

// MaxMessage bounds the length of a message. Batches that are longer travel in
// several messages.
const MaxMessage = 1 << 19

// Kind says what a message is.
type Kind uint8

// Messages to the handler. Those marked "answered" are calls: the core waits.
const (
	KindHello    Kind = 1 + iota // answered: seed, settings
	KindInput                    // packets
	KindError                    // an ICMP error
	KindTimer                    // a token
	KindEvent                    // news
	KindControl                  // a socket operation; its end is KindDone
	KindSend                     // answered: datagrams of a socket
	KindCounters                 // answered
	KindClose                    // answered
	KindSendOn                   // datagrams of a socket whose way has room for them
	KindSave                     // answered: what a handler has another go on with; since version 2 of the contract
	KindRestore                  // answered: the same, at the other; since version 2
)

// Messages to the core.
const (
	KindOutput      Kind = 32 + iota // answered: packets
	KindDeliver                      // datagrams for a socket
	KindUnreachable                  // a packet to answer by an ICMP error
	KindNotify                       // readiness and error of a socket
	KindRoute                        // answered: a query
	KindSetTimer                     // a token and an instant
	KindSpawn                        // answered: a connection to accept
	KindDone                         // the end of a socket operation
	KindLog                          // a line for the log
	KindReport                       // an ICMP error for a socket
	KindSendFailed                   // the error of a KindSendOn, for its socket
	KindOutputOn                     // packets, where nobody waits for the error of their way
)

// KindAnswer is the answer to a call; what is in it depends on the question.
const KindAnswer Kind = 255

// Peer carries messages to the other end, in order. It copies a message before
// anything else happens, so that the caller may reuse its buffer even while the
// message is being worked on.
type Peer interface {
	// Post carries msg one way. It may arrive later.
	Post(msg []byte)
	// Call carries msg after everything posted before and returns the answer,
	// which is valid until the next call; nil if the other end is gone.
	Call(msg []byte) []byte
}

// A Lender is a Peer that may lend the place where the next message goes, so that
// it need not be copied there.
type Lender interface {
	// Borrow is that place, empty; nil if there is none now. What begins a message
	// there posts or calls it before it begins another. A message that outgrows
	// the place is somewhere else, and copied.
	Borrow() []byte
}

// desk is where an end writes its messages.
type desk struct {
	own    []byte
	lender Lender // nil if the peer lends nothing
	lent   bool   // the message that was begun is at the lender's
}

// serve has the desk write for a peer.
func (d *desk) serve(p Peer) { d.serveLender(p) }

// serveLender is serve for a peer of any kind.
func (d *desk) serveLender(p any) { d.lender, _ = p.(Lender) }

func (d *desk) begin(k Kind, now core.Time) []byte {
	b := d.own
	d.lent = false
	if d.lender != nil {
		if at := d.lender.Borrow(); at != nil {
			b, d.lent = at, true
		}
	}
	return Begin(b, k, now)
}

// finish ends the message that was begun.
func (d *desk) finish(b []byte) []byte {
	if !d.lent {
		d.own = b
	}
	return Finish(b)
}

// Begin starts a message in b[:0].
func Begin(b []byte, k Kind, now core.Time) []byte {
	b = append(b[:0], 0, 0, 0, 0, byte(k), Version, 0, 0)
	return binary.LittleEndian.AppendUint64(b, uint64(now))
}

// Finish writes the length and returns the whole message.
func Finish(b []byte) []byte {
	binary.LittleEndian.PutUint32(b, uint32(len(b)))
	return b
}

// Number is which handler a message is about, where one Peer serves several: who
// carries the messages sets it and reads it. msg has HeaderSize bytes or more.
func Number(msg []byte) int { return int(binary.LittleEndian.Uint16(msg[6:])) }

// SetNumber says which handler a message is about.
func SetNumber(msg []byte, n int) { binary.LittleEndian.PutUint16(msg[6:], uint16(n)) }

// Open checks the header of a whole message and returns its kind, the sender's
// clock and a reader of the rest.
func Open(msg []byte) (k Kind, now core.Time, r Reader, err error) {
	r = NewReader(msg)
	n := r.Count(MaxMessage)
	k = Kind(r.Uint8(255))
	version := r.Uint8(255)
	r.Uint16()
	now = core.Time(r.Uint64())
	if r.bad || n != len(msg) || version != Version || now < 0 {
		r.Fail()
	}
	return k, now, r, r.Err()
}
