//go:build linux && (amd64 || arm64)

package guest

import (
	"errors"
	"hash/maphash"
	"io"
	"maps"
	"os/exec"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/guest/trap"
	"github.com/libos-go/libos/posix"
)

// Guest is the programs of one instance. Programs started by one Guest can hand
// their sockets to each other. Its methods may be called from any goroutine.
type Guest struct {
	process *posix.Process // has all their sockets
	answers map[int]func(*request)
	filler  []byte // zeros, see socket.stop
	buffers pool[[pumpSize]byte]
	volleys pool[volley]
	ends    ends // of connections, with what carries between them and the stack
	outlet  *outlet
	inlet   *inlet
	scale   scale
	files   *files

	departures departures
	stranger   int // a socket of AF_UNIX, see socket.breakOff

	closing atomic.Int32 // packet sockets that are just being closed

	mu       sync.Mutex
	sockets  map[uint64]*socket // by the inode of the program's end
	programs map[*Program]struct{}
	ghosts   []*socket // see socket.abandon
	asked    *socket   // see Guest.interfaces
	closed   bool
	ending   chan struct{}
	running  sync.WaitGroup // pumps, and calls that wait
}

// New makes a Guest over in, which must be driven by a host in real time.
func New(in *core.Instance) *Guest {
	g := &Guest{process: posix.NewProcess(in), sockets: make(map[uint64]*socket), programs: make(map[*Program]struct{}), ending: make(chan struct{}), answers: make(map[int]func(*request)), filler: make([]byte, 64<<10), stranger: -1, files: newFiles(in)}
	g.departures.g, g.scale.seed = g, maphash.MakeSeed()
	for _, c := range calls() {
		g.answers[c.number] = c.answer
	}
	return g
}

// Program is one program with its children, as far as its calls are concerned.
type Program struct {
	guest    *Guest
	listener *trap.Listener
	served   chan struct{}
	waiting  sync.WaitGroup // calls that wait
	err      error          // of serving
}

// Start starts c as a program whose calls stop. Before it begins, attach is called to
// have [Guest.Attach] called with the same numbers, here or in another process.
func Start(c *exec.Cmd, attach func(pid, fd int) error, options ...Option) error {
	return trap.Start(c, policy(options), attach)
}

// Attach serves a program that [Start] has made ready, until it is closed.
func (g *Guest) Attach(pid, fd int) (*Program, error) {
	l, err := trap.Attach(pid, fd)
	if err != nil {
		return nil, err
	}
	p := &Program{guest: g, listener: l, served: make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		_ = l.Close()
		return nil, unix.ENETDOWN
	}
	g.programs[p] = struct{}{}
	go p.serve()
	return p, nil
}

// Run runs c on the instance to its end, that of its children included, and returns
// what wait does, which waits for c: [Wait], or more.
func (g *Guest) Run(c *exec.Cmd, wait func(*exec.Cmd) error, options ...Option) error {
	var p *Program
	err := Start(c, func(pid, fd int) (err error) {
		p, err = g.Attach(pid, fd)
		return err
	}, options...)
	if p == nil {
		return err
	}
	if err == nil {
		err = wait(c)
	}
	<-p.Done()
	return errors.Join(err, p.err)
}

// Wait waits for a program that Run has started, as c.Wait does, which must not be called
// before the program has ended: when it maps the ring of a packet socket it is traced for
// a moment, and stops.
func Wait(c *exec.Cmd) error { return errors.Join(trap.WaitExit(c.Process.Pid), c.Wait()) }

// serve answers calls until all processes of the program have ended, or Close.
func (p *Program) serve() {
	defer close(p.served)
	var c trap.Call
	for {
		err := p.listener.Next(&c)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				p.err = err
			}
			p.guest.mu.Lock()
			delete(p.guest.programs, p)
			p.guest.mu.Unlock()
			p.waiting.Wait()
			p.err = errors.Join(p.err, p.listener.Close())
			return
		}
		r := request{g: p.guest, p: p, l: p.listener, c: c}
		r.dispatch()
	}
}

// Done is closed when the program and all its children have ended.
func (p *Program) Done() <-chan struct{} { return p.served }

// Close ends the service, also of a program that still runs: what it asks from now on
// fails with ENOSYS. It returns what went wrong with the service.
func (p *Program) Close() error {
	p.listener.Stop()
	<-p.served
	return p.err
}

// Close ends the service of all programs, closes their sockets and waits for what
// carried their bytes. Programs that half a second later still have a socket of the
// stack get SIGTERM, and SIGKILL two seconds after that. A second call does nothing.
func (g *Guest) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	close(g.ending)
	programs := slices.Collect(maps.Keys(g.programs))
	sockets := slices.Collect(maps.Values(g.sockets))
	g.mu.Unlock()
	for _, s := range sockets {
		s.close(false)
	}
	var err error
	for _, p := range programs {
		err = errors.Join(err, p.Close())
	}
	g.mu.Lock()
	late := slices.Collect(maps.Values(g.sockets)) // made by calls that were under way
	g.mu.Unlock()
	for _, s := range late {
		s.close(false)
	}
	sockets = append(sockets, late...)
	gone := make(map[string]bool)
	for _, s := range sockets {
		if !s.stream() && !s.departed.Load() {
			gone[s.endName.Name] = true
		}
	}
	if len(gone) > 0 {
		err = errors.Join(err, hangUp(gone))
	}
	err = errors.Join(err, endSurvivors(sockets))
	g.departures.close()
	err = errors.Join(err, g.files.close(), g.ends.close())
	g.running.Wait()
	if g.stranger >= 0 {
		_ = unix.Close(g.stranger)
	}
	return errors.Join(err, g.process.CloseAll())
}

// begins adds one to what is running, unless the Guest is closed.
func (g *Guest) begins() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.running.Add(1)
	}
	return !g.closed
}

// Sockets is how many sockets programs have.
func (g *Guest) Sockets() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.sockets)
}

// request is one stopped call.
type request struct {
	g *Guest
	p *Program
	l *trap.Listener
	c trap.Call

	caughtUp bool // what the program had sent before is in the stack
}

// errLater is that a call is answered by a later dispatch.
var errLater = errors.New("later")

// arg is an argument as an int.
func (r *request) arg(i int) int { return int(int32(r.c.Args[i])) }

// done ends the call with a result; an error decides if there is one.
func (r *request) done(value int, err error) error {
	if err == nil {
		return r.l.Return(&r.c, int64(value))
	}
	return r.fail(err)
}

// fail ends the call with an error.
func (r *request) fail(err error) error {
	var errno unix.Errno
	switch {
	case errors.Is(err, trap.ErrGone), err == errLater:
		return err
	case errors.As(err, &errno):
		return r.l.Fail(&r.c, errno)
	}
	return r.l.Fail(&r.c, unix.EIO)
}

// goOn lets the kernel carry the call out.
func (r *request) goOn() { _ = r.l.Continue(&r.c) }

// socket finds the socket of the call's descriptor, with the program's end, which the
// caller closes; nil if it is not one of ours, or none at all. errLater if the program
// has sent datagrams before by calls that were not stopped and which are still on their
// way: they are to find the socket as it was.
func (r *request) socket() (*socket, int, error) {
	end, err := r.c.Descriptor(r.arg(0))
	if err != nil {
		return nil, -1, err
	}
	s := r.g.socketOf(end)
	switch {
	case s == nil:
	case r.later(s, end):
		err = errLater
	default:
		return s, end, nil
	}
	_ = unix.Close(end)
	return nil, -1, err
}

// later puts the call off where s has to catch up first, and tells whether it did.
func (r *request) later(s *socket, end int) bool {
	if s.stream() || r.caughtUp || !s.behind(end) {
		return false
	}
	w := *r
	w.caughtUp = true
	r.p.waiting.Go(func() {
		s.catchUp()
		if w.l.Waiting(&w.c) {
			w.dispatch()
		}
	})
	return true
}

// socketOf is the socket that a descriptor of ours is the program's end of, nil if it is
// none.
func (g *Guest) socketOf(end int) *socket {
	var st unix.Stat_t
	if err := unix.Fstat(end, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sockets[st.Ino]
}
