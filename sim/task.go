package sim

import (
	"context"
	"fmt"
	"math"
	"net"
	"runtime/debug"
	"strings"
	"time"

	"github.com/libos-go/libos/core"
)

// Task is code that runs on a node: it may block in calls of the node's sockets and
// in Sleep, which take virtual time. While it blocks in any other way (a channel, a
// breakpoint) the whole network stands still, and for ever if it waits for another
// task. Tasks of one node run one
// at a time; those of nodes in several parts run at once: what they share they must
// guard, and must not learn from each other but by packets.
type Task struct {
	node   *Node
	name   string
	random core.Source
}

// Node is where the task runs.
func (t *Task) Node() *Node { return t.node }

// Name of the task.
func (t *Task) Name() string { return t.name }

// Instance is the stack of the task's node.
func (t *Task) Instance() *core.Instance { return t.node.in }

// Now is the virtual time.
func (t *Task) Now() time.Duration { return time.Duration(t.node.part.host.Now()) }

// Sleep waits for d. It fails when the simulation ends meanwhile.
func (t *Task) Sleep(d time.Duration) error { return t.node.in.Sleep(d) }

// SleepUntil waits for an instant; one that has passed is now.
func (t *Task) SleepUntil(at time.Duration) error {
	if d := at - t.Now(); d > 0 {
		return t.Sleep(d)
	}
	return nil
}

// WallTime is the civil time of an instant, as deadlines of connections need it.
func (t *Task) WallTime(at time.Duration) time.Time { return t.node.net.options.Start.Add(at) }

// Random is the task's own stream of random numbers. Of several tasks of one name on
// a node each has another one, in the order in which they ask first.
func (t *Task) Random() core.Source {
	if t.random == nil {
		t.random = t.node.Random("task/" + t.name)
	}
	return t.random
}

// Dial connects as core.Instance.Dial.
func (t *Task) Dial(network, address string) (net.Conn, error) {
	return t.node.in.DialContext(context.Background(), network, address)
}

// Listen listens as core.Instance.Listen.
func (t *Task) Listen(network, address string) (net.Listener, error) {
	return t.node.in.Listen(network, address)
}

// ListenPacket opens a datagram socket as core.Instance.ListenPacket.
func (t *Task) ListenPacket(network, address string) (*core.PacketConn, error) {
	return t.node.in.ListenPacket(network, address)
}

// Go starts another task of the node, now.
func (t *Task) Go(name string, f func(*Task)) {
	t.node.launch(start{name, t.Now(), f})
}

// Track has a connection, or a datagram socket, show up in the results under a
// name, with samples of it if Sample was called, until it is over. c is what
// Dial, Accept or ListenPacket gave.
func (t *Task) Track(name string, c net.Conn) { t.node.track(t, name, c) }

// Record keeps a result: a metric ("goodput"), its value and the value's unit
// ("bit/s"), which may be "". NaN and infinities stand for what could not be
// measured and are not kept.
func (t *Task) Record(metric string, value float64, unit string) {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		t.node.values = append(t.node.values, Value{t.node.name, t.name, metric, unit, t.Now().Seconds(), value})
	}
}

// Fatalf ends the simulation with a Failure.
func (t *Task) Fatalf(format string, args ...any) {
	panic(assertion(fmt.Sprintf(format, args...)))
}

// Assert ends the simulation with a Failure unless what holds.
func (t *Task) Assert(what bool, format string, args ...any) {
	if !what {
		t.Fatalf(format, args...)
	}
}

// assertion is what a task said when it gave up.
type assertion string

// Failure is how a task ended that gave up or panicked, and with it the
// simulation.
type Failure struct {
	Time    time.Duration // virtual
	Node    string
	Task    string
	Message string
	Stack   string   // of a panic
	Packets []string // the last ones of the node, oldest first
	order   int      // of the node
}

func (f *Failure) Error() string {
	s := fmt.Sprintf("at %v node %s, task %s: %s", f.Time, f.Node, f.Task, f.Message)
	if f.Stack != "" {
		s += "\n" + strings.TrimSpace(f.Stack)
	}
	if len(f.Packets) > 0 {
		s += "\nlast packets of " + f.Node + ":\n\t" + strings.Join(f.Packets, "\n\t")
	}
	return s
}

// launch has s started at its time.
func (x *Node) launch(s start) {
	h := x.part.host
	if x.last == nil && x.net.options.LastPackets > 0 { // only tasks fail
		x.last = newLastPackets(x.net.options.LastPackets)
		x.in.Domain().Do(func() {
			for _, p := range x.ports {
				p.ifc.AddTap(x.last)
			}
		})
	}
	t := &Task{node: x, name: s.name}
	run := func() {
		h.Start(x.name+"/"+s.name, func() {
			defer func() {
				switch r := recover().(type) {
				case nil:
				case assertion:
					x.fail(t, string(r), "")
				default:
					x.fail(t, fmt.Sprintf("panic: %v", r), string(debug.Stack()))
				}
			}()
			s.f(t)
		})
	}
	if at := core.Time(s.at); at > h.Now() {
		h.At(at, run)
	} else {
		run()
	}
}

// fail ends the simulation, unless it is ending and tasks fall over it.
func (x *Node) fail(t *Task, message, stack string) {
	n := x.net
	if n.stopped || x.part.failed != nil {
		return
	}
	f := &Failure{Time: t.Now(), Node: x.name, Task: t.name, Message: message, Stack: stack, order: x.index}
	if x.last != nil {
		f.Packets = x.last.lines()
	}
	x.part.failed = f
	x.part.host.Interrupt()
}
