//go:build linux && (amd64 || arm64)

package guest

import (
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/posix"
)

// state is how far a stream socket has come. Sockets of datagrams are open from the
// start.
type state int

const (
	fresh state = iota
	connecting
	failed // our end is closed; SO_ERROR has why
	open
	listening
	over
)

// socket is a socket of the stack and the pair by which programs have it.
type socket struct {
	g                     *Guest
	fd                    int // in Guest.process, non-blocking
	family, typ, protocol int
	inode                 uint64 // of the program's end
	file                  *os.File
	raw                   syscall.RawConn // our end

	mu        sync.Mutex
	state     state
	connect   chan struct{} // closed when the outcome of a connect is known
	waiters   int           // calls that wait for it
	filler    int           // bytes in our end that no program wrote
	token     bool          // listening: a byte waits in the program's end
	tokenGone sync.Cond
	halves    bool  // the program has shut down a direction
	accepted  []int // taken off the backlog for calls that were interrupted
	receivers int   // datagrams: calls that take them from the stack themselves
	idle      sync.Cond
	pending   pending  // datagrams
	mapping   *mapping // of a packet socket with a ring

	// Of connections. What is not said to be elsewhere is under mu.
	stack    *core.Socket  // behind fd; never changes
	begun    bool          // the program has it
	mute     bool          // the program's direction has ended
	draining bool          // a pump of its own takes what the program writes
	full     bool          // the program's end had no room for what was received
	awaited  uint32        // of our end, see update
	space    chan struct{} // of capacity 1: told when there is some
	arrivals arrivals

	// Of datagrams.
	intake        intake
	ahead         ahead
	memory        int               // that the program's end has for what waits in it
	out           sync.Mutex        // held from before one is taken from our end until it is sent
	name, endName unix.SockaddrUnix // of our end and the program's
	watched       int               // by the departures; -1 not
	departed      atomic.Bool       // the program has closed its end
	gone          chan struct{}     // closed then
	alarmed       atomic.Bool       // the pump is to look for an error
}

func (s *socket) stream() bool { return s.typ == unix.SOCK_STREAM }

// pair makes the two ends for the stack's socket fd and registers it, as a socket of the
// thread's user. The program's end is the caller's to give away and close.
func (g *Guest) pair(thread uint32, fd, family, typ, protocol int, nonblock bool) (s *socket, end int, err error) {
	kind := unix.SOCK_DGRAM
	if typ == unix.SOCK_STREAM {
		kind = unix.SOCK_STREAM
	}
	flags := unix.SOCK_CLOEXEC
	if kind == unix.SOCK_DGRAM {
		flags |= unix.SOCK_NONBLOCK // our end waits in the runtime's poller
	} else if err := g.openEnds(); err != nil {
		return nil, -1, err
	}
	p, err := unix.Socketpair(unix.AF_UNIX, kind|flags, 0)
	if err != nil {
		return nil, -1, err
	}
	ours, end := p[0], p[1]
	var st unix.Stat_t
	if err = unix.Fstat(end, &st); err == nil && nonblock != (kind == unix.SOCK_DGRAM) {
		err = unix.SetNonblock(end, nonblock)
	}
	if err != nil {
		_ = unix.Close(ours)
		_ = unix.Close(end)
		return nil, -1, err
	}
	var who unix.Stat_t
	if unix.Stat("/proc/"+strconv.Itoa(int(thread)), &who) == nil {
		st.Uid = who.Uid
	}
	if err = g.process.SetOwner(fd, st.Ino, st.Uid); err != nil {
		_ = unix.Close(ours)
		_ = unix.Close(end)
		return nil, -1, err
	}
	s = &socket{g: g, fd: fd, family: family, typ: typ, protocol: protocol, inode: st.Ino, file: os.NewFile(uintptr(ours), "guest"), watched: -1, gone: make(chan struct{}), space: make(chan struct{}, 1)}
	s.tokenGone.L, s.idle.L = &s.mu, &s.mu
	if s.raw, err = s.file.SyscallConn(); err == nil {
		s.stack, err = g.process.Stack(fd)
	}
	if err == nil && kind == unix.SOCK_DGRAM {
		if err = s.nameEnds(ours, end); err == nil {
			s.memory, err = unix.GetsockoptInt(ours, unix.SOL_SOCKET, unix.SO_SNDBUF)
		}
	}
	if err != nil {
		_ = s.file.Close()
		_ = unix.Close(end)
		return nil, -1, err
	}
	g.mu.Lock()
	g.sockets[st.Ino] = s
	g.mu.Unlock()
	if kind == unix.SOCK_DGRAM {
		g.departures.watch(s, end)
	}
	return s, end, nil
}

// The least send buffer that the kernel gives, and what it gives by default.
const (
	smallBuffer = 4608
	bufferSize  = 212992
)

// stop fills the program's end, so that it is not writable, until resume: with a
// buffer of size bytes.
func (s *socket) stop(end, size int) error {
	if err := unix.SetsockoptInt(end, unix.SOL_SOCKET, unix.SO_SNDBUF, size/2); err != nil {
		return err
	}
	for {
		n, err := unix.SendmsgN(end, s.g.filler[:min(len(s.g.filler), max(4096, size/4))], nil, nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		if err == unix.EAGAIN {
			return nil
		}
		if err != nil {
			return err
		}
		s.filler += n
	}
}

// resume takes the filler away. The mutex is held, and no pump reads.
func (s *socket) resume() {
	var b [16 << 10]byte
	_ = s.raw.Control(func(fd uintptr) {
		for s.filler > 0 {
			n, err := receiveSome(int(fd), b[:min(len(b), s.filler)])
			if n <= 0 || err != nil {
				break
			}
			s.filler -= n
		}
	})
	s.filler = 0
}

// kick has a pump that waits for our end look again.
func (s *socket) kick() { _ = s.file.SetReadDeadline(time.Unix(1, 0)) }

// close ends both sides; with reset a connection is broken off.
func (s *socket) close(reset bool) {
	if s.family == unix.AF_PACKET {
		s.g.closing.Add(1)
		defer s.g.closing.Add(-1)
	}
	returned, first := s.retire()
	if !first {
		return
	}
	for _, fd := range returned {
		_ = s.g.process.Close(fd)
	}
	if reset {
		_ = s.g.process.Setsockopt(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
	_ = s.g.process.Close(s.fd)
	s.unmap()
	s.closeEnd()
}

// abandon closes our end, as a connection that has failed or is over looks to the
// program: what it still asks of the socket the stack answers. That the program has
// closed its end too cannot be seen from here any more: a Guest looks for it.
func (s *socket) abandon() {
	s.mu.Lock()
	ghost := s.state != over && s.state != failed
	if ghost {
		s.state = failed
	}
	s.mu.Unlock()
	if ghost {
		s.closeEnd()
		s.g.haunt(s)
	}
}

// forget undoes pair for a socket that no program got, whose stack's socket lives on:
// false if it does not, because the program's end was found closed before.
func (s *socket) forget() bool {
	_, first := s.retire()
	if first {
		s.closeEnd()
	}
	return first
}

// retire takes s out of its Guest, which is done once, by whoever is first. What was
// taken off the backlog for calls that did not get it is the caller's to close.
func (s *socket) retire() (accepted []int, first bool) {
	s.mu.Lock()
	first = s.state != over
	s.state = over
	accepted, s.accepted = s.accepted, nil
	s.tokenGone.Broadcast()
	s.idle.Broadcast()
	s.mu.Unlock()
	if first {
		s.g.mu.Lock()
		delete(s.g.sockets, s.inode)
		s.g.mu.Unlock()
		s.g.departures.forget(s)
	}
	return accepted, first
}

// unconnected tells whether a stream has carried nothing.
func (s *socket) unconnected() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == fresh || s.state == listening
}

// readable waits until the stack's socket has something to read, or has failed.
func (s *socket) readable() error { return s.poll(posix.POLLIN, -1) }

// poll waits for events of the stack's socket: unix.EAGAIN after the timeout.
func (s *socket) poll(events int16, timeout time.Duration) error {
	p := [1]posix.PollFD{{FD: int32(s.fd), Events: events}}
	n, err := s.g.process.Poll(p[:], timeout)
	switch {
	case err != nil:
		return err
	case n == 0:
		return unix.EAGAIN
	case p[0].Revents&posix.POLLNVAL != 0:
		return unix.EBADF
	}
	return nil
}
