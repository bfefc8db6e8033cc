package modules_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/core/sysctl"
	"github.com/libos-go/libos/device/pipe"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/plugin/modules"
	"github.com/libos-go/libos/protocols/tcp"
	"github.com/libos-go/libos/protocols/tcp/reno"
)

// fault is a way in which a module goes wrong.
type fault struct {
	kind string // "signal", "misdeed" or "start"
	name string
}

func faults() []fault {
	out := []fault{{"signal", "KILL"}, {"signal", "STOP"}}
	for _, name := range slices.Sorted(maps.Keys(misdeeds)) {
		out = append(out, fault{"misdeed", name})
	}
	for _, name := range slices.Sorted(maps.Keys(starts)) {
		out = append(out, fault{"start", name})
	}
	return out
}

// scene is two hosts with TCP of their own and UDP from a rogue.
type scene struct {
	*coretest.Rig
	m       *modules.Manager
	a, b    *core.Instance
	program string
}

func newScene(t *testing.T, o modules.Options) *scene { return newSceneOf(t, "rogue", o) }

// newSceneOf has the module be what the mark beside its program says.
func newSceneOf(t *testing.T, mark string, o modules.Options) *scene {
	if o.Dirs == nil {
		o.Dirs = []string{build(t)}
	}
	s := &scene{program: filepath.Join(o.Dirs[0], "udp")}
	if err := os.WriteFile(s.program+"."+mark, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o.Log = logged(t)
	if o.Patience == 0 {
		o.Patience = 400 * time.Millisecond
	}
	s.m = modules.New(o)
	t.Cleanup(s.m.Close)
	s.Rig = coretest.New(t, host.NewRealTime())
	w := networks()
	w.Protocols = []core.ProtocolEntry{{Protocol: tcp.Protocol(nil, reno.Algorithm()), Sysctls: sysctl.Of[tcp.Sysctls]()}}
	s.a, s.b = s.Instance("a", w), s.Instance("b", w)
	da, db := pipe.New(pipe.Config{})
	s.Attach(s.a, da, "eth0", "10.0.0.1/24")
	s.Attach(s.b, db, "eth0", "10.0.0.2/24")
	for _, in := range []*core.Instance{s.a, s.b} {
		if err := s.m.Attach(in, "udp"); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// transfer has a TCP connection between the hosts carry known bytes there and
// back until end, which returns how many.
func (s *scene) transfer(t *testing.T) (end func() int) {
	stop, moved, echoed := make(chan struct{}), make(chan int), make(chan struct{})
	l, err := s.b.Listen("tcp4", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(echoed)
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := io.Copy(c, c); err != nil {
			t.Errorf("the transfer's echo: %v", err)
		}
		c.Close()
		l.Close()
	}()
	c, err := s.a.Dial("tcp4", "10.0.0.2:80")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		n := 0
		defer func() { c.Close(); moved <- n }()
		out, back := make([]byte, 16<<10), make([]byte, 16<<10)
		r := rand.New(rand.NewPCG(5, 5))
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			for i := range out {
				out[i] = byte(r.Uint32())
			}
			if _, err := c.Write(out); err != nil {
				t.Errorf("the transfer: %v", err)
				return
			}
			if _, err := io.ReadFull(c, back); err != nil || string(back) != string(out) {
				t.Errorf("the transfer after %d bytes: %v", n, err)
				return
			}
			n += len(out)
		}
	}()
	end = sync.OnceValue(func() int {
		close(stop)
		n := <-moved
		<-echoed
		return n
	})
	t.Cleanup(func() { end() })
	return end
}

// open opens a socket, as soon as the module is there. It may be gone at any time:
// on a busy machine a module can look dead that is only starved.
func (s *scene) open(t *testing.T) net.PacketConn {
	t.Helper()
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := s.a.ListenPacket("udp4", "10.0.0.1:0")
		if err == nil {
			return c
		}
		if !errors.Is(err, syscall.ENETDOWN) || time.Since(start) > time.Minute {
			t.Fatalf("no socket: %v, %+v", err, s.m.List())
		}
	}
}

// suffer has the module go wrong and come back, and tells after how long. Sockets
// that were open fail, and new ones work.
func (s *scene) suffer(t *testing.T, f fault, seed uint64) time.Duration {
	c := s.open(t)
	defer c.Close()
	before := s.m.List()[0]
	start := time.Now()
	var err error
	switch f.kind {
	case "signal":
		_ = syscall.Kill(before.PID, map[string]syscall.Signal{"KILL": syscall.SIGKILL, "STOP": syscall.SIGSTOP}[f.name])
	case "start":
		if err := os.WriteFile(s.program+"."+atStart, []byte(f.name), 0o644); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Kill(before.PID, syscall.SIGKILL)
	case "misdeed":
		if _, err := c.WriteTo(fmt.Appendf(nil, "%s%s#%d\n", command, f.name, seed), c.LocalAddr()); err != nil && !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("the command: %v", err)
		}
		s.b.Counters() // a call, to be answered or not
	}
	_ = c.SetReadDeadline(start.Add(time.Minute))
	var buf [100]byte
	for err == nil {
		_, _, err = c.ReadFrom(buf[:]) // the command may have come back, or rubbish for it
	}
	if !errors.Is(err, syscall.ENETDOWN) {
		t.Errorf("the socket that was open: %v", err)
	}
	for now := before; now.PID == before.PID || now.State != modules.Live; now = s.m.List()[0] {
		s.open(t).Close()
		if time.Since(start) > 2*time.Minute {
			t.Fatalf("it is not lost: %+v", now)
		}
	}
	took := time.Since(start)
	n := s.open(t)
	if _, err := n.WriteTo([]byte("hello"), n.LocalAddr()); err == nil {
		_ = n.SetReadDeadline(time.Now().Add(time.Minute))
		if k, _, err := n.ReadFrom(buf[:]); (err != nil || string(buf[:k]) != "hello") && !errors.Is(err, syscall.ENETDOWN) {
			t.Errorf("read %q, %v", buf[:k], err)
		}
	}
	n.Close()
	if after := s.m.List()[0]; after.Restarts == before.Restarts || after.Reason == "" {
		t.Errorf("not counted: %+v", after)
	}
	return took
}

// stalls is how long this process, that asked for a processor every few
// milliseconds, did not get one: what a machine that is busy with other things adds
// to any absence.
type stalls struct {
	mu    sync.Mutex
	total time.Duration
	stop  chan struct{}
}

func watchStalls(t *testing.T) *stalls {
	s := &stalls{stop: make(chan struct{})}
	go func() {
		const step = 5 * time.Millisecond
		for last := time.Now(); ; {
			select {
			case <-s.stop:
				return
			case <-time.After(step):
			}
			now := time.Now()
			if over := now.Sub(last) - step; over > 4*step {
				s.mu.Lock()
				s.total += over
				s.mu.Unlock()
			}
			last = now
		}
	}()
	t.Cleanup(func() { close(s.stop) })
	return s
}

func (s *stalls) sum() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// back is how long a module may be away.
const back = slowdown * 2 * time.Second

// lane has a module of its own hosts suffer faults, while a transfer of the same
// hosts that has nothing to do with it loses nothing. It tells how long the module
// was away each time.
func lane(t *testing.T, o modules.Options, all []fault, seed uint64, machine *stalls) (took []time.Duration) {
	s := newScene(t, o)
	end := s.transfer(t)
	r := rand.New(rand.NewPCG(seed, 1))
	for i, f := range all {
		stalled := machine.sum()
		away := s.suffer(t, f, r.Uint64())
		took = append(took, away)
		if stalled = machine.sum() - stalled; away-stalled > back {
			t.Errorf("fault %d, %s %s: back after %v, of which the machine stood still for %v", i, f.kind, f.name, away, stalled)
		}
		if t.Failed() {
			t.Fatalf("at fault %d, %s %s", i, f.kind, f.name)
		}
		if testing.Verbose() {
			t.Logf("%s %s: %v (%v): %s", f.kind, f.name, away, stalled, s.m.List()[0].Reason)
		}
		time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
	}
	if n := end(); n == 0 {
		t.Error("the transfer moved nothing")
	} else {
		t.Logf("%d faults, longest absence %v, %d bytes transferred meanwhile", len(all), slices.Max(took), n)
	}
	return took
}

// Every fault at a random moment of a transfer that has nothing to do with it:
// each once, some with -short; when LIBOS_SOAK is 1, a thousand (LIBOS_FAULTS tells
// another number), on four modules side by side.
func TestFaultsOfAModuleCostNothingElseSoak(t *testing.T) {
	all := faults()
	lanes, count := 1, len(all)
	if testing.Short() {
		count = 8
	}
	if os.Getenv("LIBOS_SOAK") == "1" {
		lanes, count = 4, 1000
		if n, err := strconv.Atoi(os.Getenv("LIBOS_FAULTS")); err == nil {
			count = n
		}
	}
	machine := watchStalls(t)
	start := time.Now()
	var mu sync.Mutex
	var took []time.Duration
	t.Run("lanes", func(t *testing.T) {
		for l := range lanes {
			t.Run(strconv.Itoa(l), func(t *testing.T) {
				dir := build(t) // while no other lane starts a process, which would hold the file open
				t.Parallel()
				r := rand.New(rand.NewPCG(2, uint64(l)))
				mine := make([]fault, 0, count)
				for len(mine) < count/lanes {
					next := slices.Clone(all)
					r.Shuffle(len(next), func(i, k int) { next[i], next[k] = next[k], next[i] })
					mine = append(mine, next...)
				}
				away := lane(t, modules.Options{Dirs: []string{dir}}, mine[:count/lanes], uint64(l), machine)
				mu.Lock()
				took = append(took, away...)
				mu.Unlock()
			})
		}
	})
	if len(took) == 0 {
		t.Fatal("no faults")
	}
	slices.Sort(took)
	t.Logf("%d faults on %d modules in %v: away for %v in the median, %v at most; the machine stood still for %v", len(took), lanes, time.Since(start).Round(time.Second),
		took[len(took)/2], took[len(took)-1], machine.sum())
}

// The same over the gRPC stream, of those faults that do not need the rings.
func TestFaultsOverTheStreamCostNothingElse(t *testing.T) {
	var some []fault
	for _, f := range faults() {
		switch f.name {
		case "scribble", "control words", "truncate", "records":
			continue // of the memory that is shared
		}
		if f.kind != "start" {
			some = append(some, f)
		}
	}
	if testing.Short() {
		some = some[:6]
	}
	lane(t, modules.Options{Stream: true}, some, 1, watchStalls(t))
}
