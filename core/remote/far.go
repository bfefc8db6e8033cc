package remote

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
)

// Far is the Env that a handler sees whose core is at the other end of a Peer.
// Its packets belong to an instance of a Domain of the far end's own; it runs
// inside entries of that Domain.
type Far struct {
	// Failed is told of every breach of the contract: a message that does not
	// decode, an error that is no errno.
	Failed func(error)
	// Ahead lets Output go on without an answer, unless the core itself waits for
	// what comes of a Send or an operation: then an error of the way belongs to
	// its caller.
	Ahead bool

	within  Kind // the message that is worked on
	in      *core.Instance
	open    func(core.Env) core.Handler
	handler core.Handler // nil before the greeting and after the end
	table   *sysctl.Table
	near    Peer
	now     core.Time
	random  *rand.PCG
	block   any
	timers  map[uint64]core.Time
	message desk
	answer  []byte
	event   core.Event
	report  core.ErrorReport
	batch   []*core.Packet
	ops     []*core.Op // ended, for the next
	state   []byte     // saved, or to be restored, on its way
}

// Start makes the far end of a handler that open makes when the near end
// greets. Its packets are charged to in, an instance without protocols.
func (f *Far) Start(in *core.Instance, open func(core.Env) core.Handler, table *sysctl.Table, near Peer) {
	f.in, f.open, f.table, f.near = in, open, table, near
	f.message.serve(near)
}

func (f *Far) begin(k Kind) []byte { return f.message.begin(k, f.now) }

func (f *Far) post(b []byte) {
	f.near.Post(f.message.finish(b))
}

func (f *Far) call(b []byte) Reader {
	return openAnswer(f.near.Call(f.message.finish(b)))
}

func (f *Far) fail(err error) {
	if f.Failed != nil {
		f.Failed(err)
	}
}

// Handle carries out a message of the near end, as Near.Handle does for those
// of the far end.
func (f *Far) Handle(msg []byte) (answer []byte) {
	k, now, r, err := Open(msg)
	if err == nil {
		f.now, f.within = max(f.now, now), k
		switch {
		case f.handler == nil && k != KindHello:
			err = fmt.Errorf("remote: message %d outside of the handler's life", k)
		case k == KindHello || k == KindSend || k == KindCounters || k == KindClose || k == KindSave || k == KindRestore:
			answer, err = f.asked(k, &r)
		default:
			err = f.told(k, &r)
		}
	}
	if err != nil {
		f.fail(err)
	}
	return answer
}

// asked answers a call. The answer is begun after the handler's work, which may
// ask in turn.
func (f *Far) asked(k Kind, r *Reader) (answer []byte, err error) {
	b := f.answer
	switch k {
	case KindSave, KindRestore:
		if k == KindSave {
			err = f.save(r)
		} else {
			err = f.restore(r)
		}
		if err != nil {
			return nil, err
		}
		b = f.answer
	case KindHello:
		seed1, seed2 := r.Uint64(), r.Uint64()
		block := r.settings(f.table)
		if err = r.End(); err != nil || f.handler != nil {
			return nil, ErrMessage
		}
		f.random, f.block = rand.NewPCG(seed1, seed2), block
		f.handler = f.open(f)
		b = Begin(b, KindAnswer, f.now)
	case KindSend:
		s := core.SocketID(r.Uint32())
		var lost int
		if f.batch, lost, err = r.packets(f.in, f.batch[:0]); err != nil {
			return nil, err
		}
		out := f.send(s, lost)
		var ok bool
		if b, ok = appendError(Begin(b, KindAnswer, f.now), out); !ok {
			f.fail(fmt.Errorf("remote: Send returned an error that is no errno: %w", out))
		}
	case KindCounters:
		if err = r.End(); err != nil {
			return nil, err
		}
		b = appendCounters(Begin(b, KindAnswer, f.now), f.handler.Counters())
	case KindClose:
		if err = r.End(); err != nil {
			return nil, err
		}
		f.handler.Close()
		f.handler, f.timers = nil, nil
		b = Begin(b, KindAnswer, f.now)
	}
	f.answer = b
	return Finish(b), nil
}

// send gives the handler the batch, of which lost packets found no memory.
func (f *Far) send(s core.SocketID, lost int) (err error) {
	if lost > 0 {
		f.event = core.Event{Kind: core.EventSendDropped, Socket: s, Count: lost}
		f.handler.Event(&f.event)
	}
	if len(f.batch) > 0 {
		err = f.handler.Send(s, f.batch)
		clear(f.batch)
	}
	return err
}

// told carries out what needs no answer. What the handler borrows is gone when
// it returns.
func (f *Far) told(k Kind, r *Reader) (err error) {
	switch k {
	case KindInput:
		if f.batch, _, err = r.packets(f.in, f.batch[:0]); err == nil && len(f.batch) > 0 {
			f.handler.Input(f.batch)
			clear(f.batch)
		}
	case KindSendOn:
		s := core.SocketID(r.Uint32())
		var lost int
		if f.batch, lost, err = r.packets(f.in, f.batch[:0]); err != nil {
			return err
		}
		if failed := f.send(s, lost); failed != nil {
			b := binary.LittleEndian.AppendUint32(f.begin(KindSendFailed), uint32(s))
			b, _ = appendError(b, failed)
			f.post(b)
		}
	case KindError:
		if err = r.report(&f.report); err == nil {
			f.handler.Error(&f.report)
		}
		f.report = core.ErrorReport{}
	case KindTimer:
		token := r.Uint64()
		if err = r.End(); err == nil {
			f.expired(token)
		}
	case KindEvent:
		if err = r.event(f.table, &f.event); err == nil {
			if f.event.Kind == core.EventSysctl {
				f.block = f.event.Sysctls
			}
			f.handler.Event(&f.event)
		}
		f.event = core.Event{}
	case KindControl:
		op := f.takeOp()
		if err = r.op(op); err == nil {
			f.control(op)
		}
	default:
		err = ErrMessage
	}
	return err
}

// control carries out an operation. Unless the handler ended it, the handler
// keeps it until it calls Complete, so that what it holds must be its own.
func (f *Far) control(op *core.Op) {
	if op.Kind != core.OpGetOption {
		op.Data = append([]byte(nil), op.Data...)
	}
	f.handler.Control(op)
	if op.Done {
		f.end(op)
		*op = core.Op{}
		f.ops = append(f.ops, op)
	}
}

func (f *Far) takeOp() *core.Op {
	if n := len(f.ops); n > 0 {
		op := f.ops[n-1]
		f.ops = f.ops[:n-1]
		return op
	}
	return new(core.Op)
}

// end tells the core of an operation's end.
func (f *Far) end(op *core.Op) {
	b, ok := appendDone(f.begin(KindDone), op)
	if !ok {
		f.fail(fmt.Errorf("remote: operation %d ended with an error that is no errno: %w", op.Kind, op.Err))
	}
	f.post(b)
}

// expired runs a timer, unless it was cancelled or set anew while the news of
// it was under way.
func (f *Far) expired(token uint64) {
	if at, ok := f.timers[token]; ok && at <= f.now {
		delete(f.timers, token)
		f.handler.Timer(token)
	}
}

// Now implements core.Env: the near end's clock when it last spoke.
func (f *Far) Now() core.Time { return f.now }

// Random implements core.Env.
func (f *Far) Random() uint64 { return f.random.Uint64() }

// Log implements core.Env.
func (f *Far) Log() *slog.Logger { return slog.New(logWall{far: f}) }

// NewPacket implements core.Env.
func (f *Far) NewPacket(headroom, room int) *core.Packet { return f.in.NewPacket(headroom, room) }

// Output implements core.Env.
func (f *Far) Output(batch []*core.Packet) error {
	var first error
	k, carry := KindOutput, func(b []byte) {
		r := f.call(b)
		e := r.Errno()
		if err := r.End(); err != nil {
			f.fail(err)
		} else if e != 0 && first == nil {
			first = e
		}
	}
	if f.Ahead && f.within != KindSend && f.within != KindControl {
		k, carry = KindOutputOn, f.post
	}
	carryBatch(batch, false, true, func() []byte { return f.begin(k) }, carry)
	return first
}

// Deliver implements core.Env.
func (f *Far) Deliver(s core.SocketID, batch []*core.Packet) {
	for _, p := range batch {
		p.Checksum = core.ChecksumUnknown // its header is off
	}
	carryBatch(batch, false, false, func() []byte { return binary.LittleEndian.AppendUint32(f.begin(KindDeliver), uint32(s)) }, f.post)
}

// Unreachable implements core.Env.
func (f *Far) Unreachable(p *core.Packet, why core.Unreachable) {
	f.post(appendPacket(append(f.begin(KindUnreachable), byte(why)), p, true, false))
}

// Notify implements core.Env.
func (f *Far) Notify(s core.SocketID, ready core.Ready, err syscall.Errno) {
	b := binary.LittleEndian.AppendUint32(f.begin(KindNotify), uint32(s))
	b = binary.LittleEndian.AppendUint16(b, uint16(ready))
	f.post(binary.LittleEndian.AppendUint32(b, uint32(err)))
}

// Report implements core.Env.
func (f *Far) Report(s core.SocketID, e *core.ErrorReport, port uint16, header int) {
	b := binary.LittleEndian.AppendUint32(f.begin(KindReport), uint32(s))
	b = binary.LittleEndian.AppendUint16(b, port)
	f.post(appendReport(appendCount(b, header), e))
}

// Route implements core.Env.
func (f *Far) Route(q core.RouteQuery) (core.RouteInfo, error) {
	r := f.call(appendQuery(f.begin(KindRoute), q))
	e := r.Errno()
	i, err := r.route()
	if err != nil {
		f.fail(err)
		return i, err
	}
	return i, errorOf(e)
}

// SetTimer implements core.Env.
func (f *Far) SetTimer(token uint64, t core.Time) {
	if t == core.Never {
		if _, ok := f.timers[token]; !ok {
			return
		}
		delete(f.timers, token)
	} else {
		if f.timers == nil {
			f.timers = make(map[uint64]core.Time)
		}
		f.timers[token] = t
	}
	b := binary.LittleEndian.AppendUint64(f.begin(KindSetTimer), token)
	f.post(binary.LittleEndian.AppendUint64(b, uint64(t)))
}

// Spawn implements core.Env.
func (f *Far) Spawn(listener core.SocketID, local, peer core.SockAddr) core.SocketID {
	b := binary.LittleEndian.AppendUint32(f.begin(KindSpawn), uint32(listener))
	r := f.call(appendSockAddr(appendSockAddr(b, local), peer))
	id := core.SocketID(r.Uint32())
	if err := r.End(); err != nil {
		f.fail(err)
		return 0
	}
	return id
}

// Complete implements core.Env.
func (f *Far) Complete(op *core.Op) {
	if op.Done {
		f.fail(errors.New("remote: an operation was completed twice"))
		return
	}
	op.Done = true
	f.end(op)
}

// Sysctls implements core.Env: a copy that is the far end's own.
func (f *Far) Sysctls() any { return f.block }
