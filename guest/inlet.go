//go:build linux && (amd64 || arm64)

package guest

import (
	"runtime"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
)

// inlet carries what connections receive to their programs: of all that have something,
// in one entry of the stack.
type inlet struct {
	g      *Guest
	come   chan struct{} // of capacity 1
	ready  []*socket     // under the Domain's lock
	spare  []*socket
	errand core.Errand // run

	serving sync.Mutex // for the rest
	take    func()     // receive
	more    bool       // ready was not empty
	loads   []load
	now     *load // that write is for
	writing []byte
	write   func(fd uintptr)
	memory  [carried][carrySize]byte
	message core.Message
}

func newInlet(g *Guest) *inlet {
	in := &inlet{g: g, come: make(chan struct{}, 1)}
	in.take, in.errand.Run = in.receive, in.run
	in.write = func(fd uintptr) { in.now.n, in.now.err = sendSome(int(fd), in.writing) }
	return in
}

// arrivals is what the inlet knows of a connection, under the Domain's lock.
type arrivals struct {
	watch  core.Watch
	queued bool
	pumped bool // a pump of its own carries it
}

// follow begins to carry what a connection receives.
func (in *inlet) follow(s *socket) {
	in.g.process.Domain().Do(func() {
		s.arrivals.watch.Set(s.stack, core.ReadyIn, func(core.Ready) { in.tell(s) })
		in.tell(s)
	})
}

// tell is called inside an entry when something may have come.
func (in *inlet) tell(s *socket) {
	if !s.arrivals.pumped && !s.arrivals.queued {
		s.arrivals.queued = true
		in.ready = append(in.ready, s)
		if !in.g.process.Domain().Errand(&in.errand) {
			signal(in.come)
		}
	}
}

// run serves once, for who has brought what came.
func (in *inlet) run() {
	if !in.g.begins() {
		return
	}
	defer in.g.running.Done()
	if !in.serving.TryLock() {
		signal(in.come)
		return
	}
	defer in.serving.Unlock()
	if in.serveSome(); in.more {
		signal(in.come)
	}
}

// serve serves until the Guest ends.
func (in *inlet) serve() {
	for {
		select {
		case <-in.come:
		case <-in.g.ending:
			return
		}
		in.serving.Lock()
		for in.more = true; in.more; {
			in.serveSome()
		}
		in.serving.Unlock()
	}
}

func (in *inlet) serveSome() {
	in.g.process.Domain().Do(in.take)
	for i := range in.loads {
		in.deliver(&in.loads[i], in.memory[i][:])
	}
	in.loads = in.loads[:0]
}

// receive takes what has come, inside an entry.
func (in *inlet) receive() {
	some := in.ready
	if len(some) > carried {
		some = some[:carried]
	}
	rest := append(in.spare[:0], in.ready[len(some):]...)
	in.spare, in.ready = in.ready[:0], rest
	for i, s := range some {
		some[i] = nil
		s.arrivals.queued = false
		if s.arrivals.pumped {
			continue
		}
		l := load{socket: s}
		var more bool
		in.message.Data, in.message.Flags = in.memory[len(in.loads)][:], 0
		l.n, more, l.err = s.stack.ReceiveSomeLocked(&in.message)
		in.message.Data = nil
		switch {
		case l.n == carrySize || l.err == unix.EAGAIN && more: // a stream, or another call is at it
			s.arrivals.pumped = true
			in.loads = append(in.loads, l)
		case l.err == unix.EAGAIN:
		default:
			if l.n > 0 && more {
				in.tell(s)
			}
			in.loads = append(in.loads, l)
		}
	}
	in.more = len(in.ready) > 0
}

// deliver gives a program what has come, or has a pump of its own go on with it.
func (in *inlet) deliver(l *load, b []byte) {
	s, err, pumped := l.socket, l.err, l.n == carrySize || l.err != nil
	l.socket = nil
	if err == nil && l.n == 0 || err != nil && err != unix.EAGAIN {
		s.g.running.Go(func() { s.ended(err) })
		return
	}
	b = b[:max(l.n, 0)]
	if len(b) > 0 {
		in.now, in.writing = l, b
		gone := s.raw.Control(in.write)
		if gone == nil && (l.err == unix.EPIPE || l.err == nil || l.err == unix.EAGAIN) {
			gone = l.err
		}
		switch {
		case gone == unix.EAGAIN:
		case gone != nil: // the program has
			s.unfollow()
			return
		case l.err != nil: // without memory
			s.unfollow()
			s.g.running.Go(func() { s.close(true) })
			return
		}
		b = b[l.n:]
	}
	if len(b) == 0 && !pumped {
		return
	}
	if !pumped {
		in.g.process.Domain().Do(func() { s.arrivals.pumped = true })
	}
	rest := append([]byte(nil), b...)
	s.g.running.Go(func() { s.pump(rest) })
}

func (s *socket) unfollow() { s.g.process.Domain().Do(s.arrivals.watch.Stop) }

// ended follows the end of what the peer sends, or a failure.
func (s *socket) ended(err error) {
	s.unfollow()
	if err != nil {
		s.abandon()
		return
	}
	_ = s.raw.Control(func(fd uintptr) { _ = unix.Shutdown(int(fd), unix.SHUT_WR) })
}

// pump carries what a connection receives, after rest, until it has nothing.
func (s *socket) pump(rest []byte) {
	if s.deliver(rest) != nil {
		s.unfollow()
		return
	}
	buf := s.g.buffers.take()
	defer s.g.buffers.give(buf)
	m := core.Message{Data: buf[:]}
	for {
		n, more, err := s.stack.ReceiveSome(&m)
		switch {
		case err == unix.EAGAIN && more:
			runtime.Gosched() // another call is at it
		case err == unix.EAGAIN:
			s.g.process.Domain().Do(func() {
				if more = s.stack.ReadyLocked()&(core.ReadyIn|core.ReadyErr|core.ReadyHup) != 0; !more {
					s.arrivals.pumped = false
				}
			})
			if !more {
				return
			}
		case err != nil || n == 0:
			s.ended(err)
			return
		default:
			if s.deliver(buf[:n]) != nil {
				s.unfollow()
				return
			}
		}
	}
}

// deliver writes bytes to the program's end, waiting for room.
func (s *socket) deliver(b []byte) error {
	for len(b) > 0 {
		var n int
		var err error
		if gone := s.raw.Control(func(fd uintptr) { n, err = sendSome(int(fd), b) }); gone != nil {
			return gone
		}
		b = b[n:]
		if err != nil && err != unix.EAGAIN {
			if err != unix.EPIPE { // without memory
				s.close(true)
			}
			return err
		}
		if len(b) > 0 {
			s.mu.Lock()
			s.full = true
			err := s.update()
			s.mu.Unlock()
			if err != nil {
				return err
			}
			<-s.space
		}
	}
	return nil
}

// roomy follows that the program's end has room again.
func (s *socket) roomy() {
	s.mu.Lock()
	s.full = false
	_ = s.update()
	s.mu.Unlock()
	signal(s.space)
}
