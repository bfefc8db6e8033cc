package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
)

// fullMessage is the length past which a batch goes on in another message.
const fullMessage = 1 << 17

// Near is the handler that the core sees while the true one is at the other end
// of a Peer. Its methods run inside entries.
type Near struct {
	// Failed is told of every breach of the contract: a message that does not
	// decode, an answer that does not come.
	Failed func(error)
	// Heard is told of the end of every operation before anybody else, with Data that
	// is valid for the call; true keeps it from them. nil asks nobody.
	Heard func(op *core.Op) bool
	// Ahead lets Send go on without an answer where the way has room for the
	// datagrams: what fails nevertheless becomes the pending error of the socket.
	Ahead bool

	env     core.Env
	table   *sysctl.Table
	far     Peer
	message desk
	answer  []byte   // the same for answers
	current *core.Op // being carried out by Control
	ended   core.Op  // for Complete
	lines   logLimit
	batch   []*core.Packet
}

// Start makes the near end of a handler whose settings are described by table
// (nil if it has none), and greets the far end.
func (n *Near) Start(env core.Env, table *sysctl.Table, far Peer) {
	n.Prepare(env, table)
	if err := n.Greet(far); err != nil {
		n.fail(err)
	}
}

// Prepare is Start without a far end, which Greet brings.
func (n *Near) Prepare(env core.Env, table *sysctl.Table) { n.env, n.table = env, table }

// Greet begins again with another far end, which knows nothing yet. It must run
// inside an entry.
func (n *Near) Greet(far Peer) error {
	n.far = far
	n.message.serve(far)
	b := n.begin(KindHello)
	seed1, seed2 := n.seed()
	b = binary.LittleEndian.AppendUint64(b, seed1)
	b = binary.LittleEndian.AppendUint64(b, seed2)
	if r := n.call(appendSettings(b, n.table, n.env.Sysctls())); r.End() != nil {
		return errors.New("remote: the far end does not answer the greeting")
	}
	return nil
}

// seed is where the far end's random numbers begin: as those of a handler that is
// linked in, where the Env tells.
func (n *Near) seed() (uint64, uint64) {
	if s, ok := n.env.(interface{ Seed() (uint64, uint64) }); ok {
		return s.Seed()
	}
	return n.env.Random(), n.env.Random()
}

func (n *Near) begin(k Kind) []byte { return n.message.begin(k, n.env.Now()) }

func (n *Near) post(b []byte) {
	n.far.Post(n.message.finish(b))
}

// call returns a reader of the answer's content, one that failed if there is
// none.
func (n *Near) call(b []byte) Reader {
	return openAnswer(n.far.Call(n.message.finish(b)))
}

func openAnswer(answer []byte) Reader {
	k, _, r, err := Open(answer)
	if err != nil || k != KindAnswer {
		r.Fail()
	}
	return r
}

func (n *Near) fail(err error) {
	if n.Failed != nil {
		n.Failed(err)
	}
}

// Input implements core.Handler.
func (n *Near) Input(batch []*core.Packet) {
	carryBatch(batch, true, false, func() []byte { return n.begin(KindInput) }, n.post)
}

// Error implements core.Handler.
func (n *Near) Error(e *core.ErrorReport) { n.post(appendReport(n.begin(KindError), e)) }

// Timer implements core.Handler.
func (n *Near) Timer(token uint64) {
	n.post(binary.LittleEndian.AppendUint64(n.begin(KindTimer), token))
}

// Event implements core.Handler.
func (n *Near) Event(e *core.Event) { n.post(appendEvent(n.begin(KindEvent), n.table, e)) }

// Control implements core.Handler. The operation may have ended when Control
// returns, or ends later.
func (n *Near) Control(op *core.Op) {
	outer := n.current
	n.current = op
	n.post(appendOp(n.begin(KindControl), op))
	n.current = outer
}

// Send implements core.Handler.
func (n *Near) Send(s core.SocketID, batch []*core.Packet) error {
	var first error
	k, carry := KindSend, func(b []byte) {
		if err := n.errorIn(n.call(b)); err != nil && first == nil {
			first = err
		}
	}
	if n.Ahead && roomy(batch) {
		k, carry = KindSendOn, n.post
	}
	carryBatch(batch, false, true, func() []byte { return binary.LittleEndian.AppendUint32(n.begin(k), uint32(s)) }, carry)
	return first
}

// maxTimers bounds the timers that a far end sets at a time: each takes memory
// here.
const maxTimers = 1 << 20

var errTimers = fmt.Errorf("remote: more than %d timers", maxTimers)

// headerRoom is what an IPv6 header and the longest transport header take.
const headerRoom = 100

// roomy tells whether nothing about a batch's size or way can be wrong.
func roomy(batch []*core.Packet) bool {
	for _, p := range batch {
		if p.Route == nil || p.Len()+headerRoom > p.Route.MTU {
			return false
		}
	}
	return true
}

// errorIn is the error that an answer brings; EIO if it is none.
func (n *Near) errorIn(r Reader) error {
	e := r.Errno()
	if err := r.End(); err != nil {
		n.fail(err)
		return syscall.EIO
	}
	return errorOf(e)
}

// Counters implements core.Handler.
func (n *Near) Counters() []core.Counters {
	r := n.call(n.begin(KindCounters))
	c, err := r.counters()
	if err != nil {
		n.fail(err)
	}
	return c
}

// Close implements core.Handler.
func (n *Near) Close() {
	if r := n.call(n.begin(KindClose)); r.End() != nil {
		n.fail(ErrMessage)
	}
}

// Handle carries out a message of the far end, which stays the caller's. It
// returns the answer to a call, nil for what is only told; the answer is valid
// until the next. It runs inside an entry.
func (n *Near) Handle(msg []byte) (answer []byte) {
	k, _, r, err := Open(msg)
	if err == nil {
		switch k {
		case KindOutput, KindRoute, KindSpawn:
			answer, err = n.asked(k, &r)
		default:
			err = n.told(k, &r)
		}
	}
	if err != nil {
		n.fail(fmt.Errorf("message %d of %d bytes: %w", k, len(msg), err))
	}
	return answer
}

// asked answers a call.
func (n *Near) asked(k Kind, r *Reader) ([]byte, error) {
	var err error
	b := Begin(n.answer, KindAnswer, n.env.Now())
	switch k {
	case KindOutput:
		var out error
		if n.batch, err = n.packets(r); err != nil {
			return nil, err
		}
		if len(n.batch) > 0 {
			out = n.env.Output(n.batch)
		}
		b, _ = appendError(b, out)
	case KindRoute:
		var q core.RouteQuery
		if q, err = r.query(); err != nil {
			return nil, err
		}
		i, failed := n.env.Route(q)
		b, _ = appendError(b, failed)
		b = appendRoute(b, i)
	case KindSpawn:
		listener, local, peer := core.SocketID(r.Uint32()), r.SockAddr(), r.SockAddr()
		if err = r.End(); err != nil {
			return nil, err
		}
		b = binary.LittleEndian.AppendUint32(b, uint32(n.env.Spawn(listener, local, peer)))
	}
	n.answer = b
	return Finish(b), nil
}

// told carries out what needs no answer.
func (n *Near) told(k Kind, r *Reader) (err error) {
	switch k {
	case KindDeliver:
		s := core.SocketID(r.Uint32())
		if n.batch, err = n.packets(r); err == nil {
			n.env.Deliver(s, n.batch)
		}
	case KindUnreachable:
		why := core.Unreachable(r.Uint8(uint8(core.LastUnreachable)))
		if n.batch, err = n.packets(r); err == nil {
			for _, p := range n.batch {
				n.env.Unreachable(p, why)
				p.Free()
			}
		}
	case KindNotify:
		s, ready, errno := core.SocketID(r.Uint32()), core.Ready(r.Uint16()), r.Errno()
		if err = r.End(); err == nil {
			n.env.Notify(s, ready, errno)
		}
	case KindOutputOn:
		if n.batch, err = n.packets(r); err == nil && len(n.batch) > 0 {
			_ = n.env.Output(n.batch) // counted where it failed
		}
	case KindSendFailed:
		s, errno := core.SocketID(r.Uint32()), r.Errno()
		if err = r.End(); err == nil {
			if e, ok := n.env.(interface {
				SendFailed(core.SocketID, syscall.Errno)
			}); ok {
				e.SendFailed(s, errno)
			}
		}
	case KindReport:
		s, port, header := core.SocketID(r.Uint32()), r.Uint16(), r.Count(maxQuoted)
		var e core.ErrorReport
		if err = r.report(&e); err == nil {
			n.env.Report(s, &e, port, header)
		}
	case KindSetTimer:
		token, at := r.Uint64(), core.Time(r.Uint64())
		if err = r.End(); err == nil {
			n.env.SetTimer(token, at)
			if e, ok := n.env.(interface{ Timers() int }); ok && e.Timers() > maxTimers {
				err = errTimers
			}
		}
	case KindDone:
		err = n.done(r)
	case KindLog:
		level, text := slog.Level(r.Int()), string(r.Block(maxText))
		if err = r.End(); err == nil {
			n.logLine(level, text)
		}
	default:
		err = ErrMessage
	}
	return err
}

// logLine logs for the far end, unless it logs too much, which is told with the
// next line.
func (n *Near) logLine(level slog.Level, text string) {
	ok, missed := n.lines.allow(n.env.Now())
	if !ok {
		return
	}
	if missed > 0 {
		n.env.Log().Warn("lines of the log were suppressed: there were too many", "lines", missed)
	}
	n.env.Log().Log(context.Background(), level, text)
}

// packets takes the packets of a message into the Near's own slice. What found
// no memory is lost, as on a link.
func (n *Near) packets(r *Reader) ([]*core.Packet, error) {
	batch, _, err := r.packets(n.env, n.batch[:0])
	return batch, err
}

// done ends a socket operation: the one that Control is waiting for, or one
// that was left pending.
func (n *Near) done(r *Reader) error {
	if err := r.done(&n.ended); err != nil {
		return err
	}
	if n.Heard != nil && n.Heard(&n.ended) {
		n.ended = core.Op{}
		return nil
	}
	if op := n.current; op != nil && op.Tag == n.ended.Tag {
		op.Local, op.Peer, op.Given, op.Err, op.Done = n.ended.Local, n.ended.Peer, n.ended.Given, n.ended.Err, true
		if op.Kind == core.OpGetOption {
			op.Data = op.Data[:copy(op.Data, n.ended.Data)]
		}
		n.ended = core.Op{}
		return nil
	}
	n.ended.Data = append([]byte(nil), n.ended.Data...)
	n.env.Complete(&n.ended)
	n.ended = core.Op{}
	return nil
}
