package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/ring"
	"github.com/libos-go/libos/plugin/session"
	"github.com/libos-go/libos/protocols/udp"
)

// serveProtocols is a module over rings that echoes, or is UDP.
func serveProtocols() error {
	l, err := inheritedRings()
	if err != nil {
		return err
	}
	return session.Serve(session.Rings{Link: l}, []session.Served{
		{Name: "echo", Open: func(env core.Env) core.Handler { return echo{env} }},
		{Name: "udp", Open: udp.Protocol().NewHandler, Sysctls: sysctl.Of[udp.Sysctls]()},
	}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
}

// serveRecords is a module that sends back every record of its ring.
func serveRecords() error {
	l, err := inheritedRings()
	if err != nil {
		return err
	}
	in, out := &l.Main.In, &l.Main.Out
	for {
		p, err := in.Next()
		switch {
		case err != nil:
			return err
		case p == nil:
			out.Publish()
			if err := in.Wait(time.Time{}); err != nil {
				return nil // the host is gone
			}
			continue
		}
		q := out.Reserve(len(p))
		for ; q == nil; q = out.Reserve(len(p)) {
			if err := out.WaitSpace(time.Time{}); err != nil {
				return nil
			}
		}
		copy(q, p)
		out.Stage(len(p))
	}
}

// inheritedRings are those that startRings handed over.
func inheritedRings() (*ring.Link, error) {
	var files []*os.File
	for i := range 4 {
		syscall.CloseOnExec(3 + i)
		files = append(files, os.NewFile(uintptr(3+i), "rings"))
	}
	return ring.Module(files)
}

// startRings runs a module's process at the other end of new rings. It ends when the link does, by Close or by the end
// of this process.
func startRings(program string) (*ring.Link, *exec.Cmd, error) {
	cmd, err := moduleCommand(program)
	if err != nil {
		return nil, nil, err
	}
	l, err := ring.Host(ring.Options{Name: program})
	if err != nil {
		return nil, nil, err
	}
	cmd.ExtraFiles = l.Files()
	if err := cmd.Start(); err != nil {
		return nil, nil, errors.Join(err, l.Close())
	}
	l.HandedOver()
	return l, cmd, nil
}

// echo is the least protocol: it sends back what it gets.
type echo struct{ env core.Env }

func (h echo) Input(batch []*core.Packet)             { _ = h.env.Output(batch) }
func (echo) Error(*core.ErrorReport)                  {}
func (echo) Timer(uint64)                             {}
func (echo) Event(*core.Event)                        {}
func (echo) Control(op *core.Op)                      { op.Err, op.Done = syscall.EOPNOTSUPP, true }
func (echo) Counters() []core.Counters                { return nil }
func (echo) Close()                                   {}
func (echo) Send(core.SocketID, []*core.Packet) error { return syscall.EOPNOTSUPP }

// loop is the Env of a handler in a module that echoes: what comes out is checked, counted and goes in again, in the
// same entry.
type loop struct {
	echoes
	numbered
	in      *core.Instance
	handler core.Handler
	sent    uint64
	trips   *trips // nil: the loop has no end
	came    chan struct{}
}

func (e *loop) Output(batch []*core.Packet) error {
	on := e.trips == nil || e.trips.back()
	for _, p := range batch {
		b := p.Linear()
		if err := e.check(b); err != nil {
			e.fail(err)
		}
		if !on {
			p.Free()
			continue
		}
		binary.LittleEndian.PutUint64(b, e.sent)
		e.sent++
	}
	e.count.Add(uint64(len(batch)))
	if on {
		e.handler.Input(batch)
	} else {
		e.came <- struct{}{}
	}
	return nil
}

func (e *loop) Now() core.Time                                     { return e.in.Now() }
func (*loop) Random() uint64                                       { return 1 }
func (*loop) Log() *slog.Logger                                    { return slog.New(slog.DiscardHandler) }
func (e *loop) NewPacket(headroom, room int) *core.Packet          { return e.in.NewPacket(headroom, room) }
func (*loop) Deliver(core.SocketID, []*core.Packet)                {}
func (*loop) Unreachable(*core.Packet, core.Unreachable)           {}
func (*loop) Notify(core.SocketID, core.Ready, syscall.Errno)      {}
func (*loop) Report(core.SocketID, *core.ErrorReport, uint16, int) {}
func (*loop) Route(core.RouteQuery) (core.RouteInfo, error) {
	return core.RouteInfo{}, syscall.ENETUNREACH
}
func (*loop) SetTimer(uint64, core.Time)                                      {}
func (*loop) Spawn(core.SocketID, core.SockAddr, core.SockAddr) core.SocketID { return 0 }
func (*loop) Complete(*core.Op)                                               {}
func (*loop) Sysctls() any                                                    { return nil }

// newLoop opens the echo in a module's process.
func newLoop() (*loop, *session.Session, *exec.Cmd, error) {
	l, cmd, err := startRings("protocols")
	if err != nil {
		return nil, nil, nil, err
	}
	d := core.NewDomain(host.NewRealTime(), core.DomainOptions{})
	e := &loop{came: make(chan struct{}, 1)}
	e.failed = make(chan error, 1)
	s := session.New(d, session.Options{Name: "echo", Lost: func(_ session.Link, err error) { e.fail(err) }})
	if e.in, err = core.New(core.Options{Name: "a", Domain: d, Wiring: &core.Wiring{Name: "none"}}); err != nil {
		return nil, nil, nil, err
	}
	if err := s.Connect(session.Rings{Link: l}); err != nil {
		return nil, nil, nil, err
	}
	d.Do(func() { e.handler = s.Protocol(core.Protocol{Name: "echo"}, nil).Protocol.NewHandler(e) })
	return e, s, cmd, nil
}

// send puts n datagrams into the module.
func (e *loop) send(n int) error {
	var batch []*core.Packet
	for range n {
		p := e.in.NewPacket(core.Headroom, small)
		if p == nil {
			return errors.New("no memory for a packet")
		}
		binary.LittleEndian.PutUint64(p.Put(small), e.sent)
		e.sent++
		batch = append(batch, p)
	}
	e.handler.Input(batch)
	return nil
}

// oursModule64 measures datagrams a second through a protocol in a module, there and back.
func oursModule64(b Budget) (Figure, error) {
	e, s, cmd, err := newLoop()
	if err != nil {
		return Figure{}, err
	}
	e.in.Domain().Do(func() {
		for range smallWindow / smallBatch {
			if err = e.send(smallBatch); err != nil {
				return
			}
		}
	})
	if err != nil {
		return Figure{}, err
	}
	v, cpu, err := e.rate(b, cmd.Process.Pid)
	if st := s.Stats(); err != nil || st.Dropped+st.Faults+st.Lost != 0 {
		err = errors.Join(err, fmt.Errorf("the session: %+v", st))
	}
	return Figure{Value: v, Detail: map[string]float64{"cpu-ns": cpu}}, err
}

// oursModuleRTT measures from the call of Input to that of Output, in a closed loop from within Output.
func oursModuleRTT(b Budget) (Figure, error) {
	e, _, _, err := newLoop()
	if err != nil {
		return Figure{}, err
	}
	e.trips = new(trips)
	do := e.in.Domain().Do
	start := func() error {
		do(func() {
			e.trips.took, e.trips.start = nil, time.Now()
			err = e.send(1)
		})
		return err
	}
	wait := func() error {
		select {
		case <-e.came:
			return nil
		case err := <-e.failed:
			return err
		case <-time.After(patience):
			return errors.New("a datagram did not come back")
		}
	}
	return roundTrips(b, func(d time.Duration) ([]float64, error) {
		e.trips.until = time.Now().Add(d)
		if err := start(); err != nil {
			return nil, err
		}
		if err := wait(); err != nil {
			return nil, err
		}
		return e.trips.took, nil
	}, func() (float64, error) {
		if err := start(); err != nil {
			return 0, err
		}
		if err := wait(); err != nil {
			return 0, err
		}
		return e.trips.took[0], nil
	})
}

// trips times the round trips of a loop of one datagram.
type trips struct {
	start, until time.Time
	took         []float64 // microseconds
}

// back notes a trip and tells whether another one follows.
func (t *trips) back() bool {
	now := time.Now()
	t.took = append(t.took, microseconds(now.Sub(t.start)))
	t.start = now
	return now.Before(t.until)
}

// oursModuleCPU measures the CPU of both processes for each crossing of a record.
func oursModuleCPU(b Budget) (Figure, error) {
	l, cmd, err := startRings("records")
	if err != nil {
		return Figure{}, err
	}
	var e echoes
	e.failed = make(chan error, 1)
	go func() {
		if err := echoRecords(l, &e); err != nil {
			e.fail(err)
		}
	}()
	rate, cpu, err := e.rate(b, cmd.Process.Pid)
	return Figure{Value: cpu / 2, Detail: map[string]float64{"echoes-per-s": rate}}, err
}

// echoRecords keeps the window of records full.
func echoRecords(l *ring.Link, e *echoes) error {
	in, out := &l.Main.In, &l.Main.Out
	var n numbered
	sent := uint64(0)
	for {
		for sent-n.next <= smallWindow-smallBatch {
			for range smallBatch {
				p := out.Reserve(small)
				if p == nil {
					return fmt.Errorf("a window of %d records does not fit: %w", smallWindow, l.Err())
				}
				binary.LittleEndian.PutUint64(p, sent)
				sent++
				out.Stage(small)
			}
			out.Publish()
		}
		got := uint64(0)
		for ; got < smallBatch; got++ {
			p, err := in.Next()
			if err != nil {
				return err
			}
			if p == nil {
				break
			}
			if err := n.check(p); err != nil {
				return err
			}
		}
		e.count.Add(got)
		if got == 0 {
			if err := in.Wait(time.Time{}); err != nil {
				return err
			}
		}
	}
}
