//go:build linux && (amd64 || arm64)

package guest

import (
	"crypto/rand"
	"encoding/hex"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// departures tell when programs have closed their ends of datagram sockets: unlike a
// stream's, the other end of such a pair does not poll it. inotify(7) does.
type departures struct {
	g *Guest

	mu      sync.Mutex
	file    *os.File
	raw     syscall.RawConn
	fd      int
	refused bool            // there is no inotify
	sockets map[int]*socket // by what watches their program's end
	serial  uint64          // of their names
}

// nameEnds names both ends of a pair of datagrams, so that they can be connected again.
func (s *socket) nameEnds(ours, end int) (err error) {
	g := s.g
	g.mu.Lock()
	if g.stranger < 0 {
		g.stranger, err = unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return err
	}
	pair := endPrefix + hex.EncodeToString(random[:])
	s.name.Name, s.endName.Name = pair, pair+programsEnd
	if err := unix.Bind(ours, &s.name); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return os.NewSyscallError("bind", unix.Bind(end, &s.endName))
}

// Names of the ends of pairs of datagrams, abstract ones (unix(7)): the program's is ours
// with an ending.
const (
	endPrefix   = "@libos-guest-"
	programsEnd = "-program"
)

// watch has s.departed set and the pump look when the last descriptor of end is closed.
// Without inotify the sockets of the host are looked through for it.
func (d *departures) watch(s *socket, end int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file == nil && !d.refused {
		fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
		if d.refused = err != nil; err == nil {
			d.fd, d.file, d.sockets = fd, os.NewFile(uintptr(fd), "departures"), make(map[int]*socket)
			d.raw, _ = d.file.SyscallConn() // of an open file
			d.g.running.Go(d.follow)
		}
	}
	if d.file != nil {
		if wd, err := unix.InotifyAddWatch(d.fd, "/proc/self/fd/"+strconv.Itoa(end), unix.IN_CLOSE|unix.IN_ONESHOT); err == nil {
			d.sockets[wd], s.watched = s, wd
			return
		}
	}
	d.g.haunt(s)
}

// forget ends the watch of s.
func (d *departures) forget(s *socket) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.watched >= 0 && d.file != nil {
		_, _ = unix.InotifyRmWatch(d.fd, uint32(s.watched))
		delete(d.sockets, s.watched)
	}
	s.watched = -1
}

// follow waits for what inotify tells, until close.
func (d *departures) follow() {
	_ = d.raw.Read(func(fd uintptr) bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.look(int(fd)) != unix.EAGAIN
	})
}

// catchUp hears of all that have closed their ends until now: the kernel tells it before
// close(2) returns.
func (d *departures) catchUp() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.file != nil {
		_ = d.raw.Control(func(fd uintptr) { _ = d.look(int(fd)) })
	}
}

// look reads what inotify tells: unix.EAGAIN when that was all. The mutex is held.
func (d *departures) look(fd int) error {
	var b [64 * unix.SizeofInotifyEvent]byte
	for {
		n, err := unix.Read(fd, b[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for at := 0; at+unix.SizeofInotifyEvent <= n; {
			e := (*unix.InotifyEvent)(unsafe.Pointer(&b[at]))
			at += unix.SizeofInotifyEvent + int(e.Len)
			d.tell(int(e.Wd), e.Mask)
		}
	}
}

func (d *departures) tell(wd int, mask uint32) {
	if mask&unix.IN_Q_OVERFLOW != 0 { // who has departed is to be found out
		for _, s := range d.sockets {
			d.g.haunt(s)
		}
		return
	}
	if s := d.sockets[wd]; s != nil {
		delete(d.sockets, wd)
		s.watched = -1
		s.departed.Store(true)
		close(s.gone)
		s.kick()
	}
}

// close ends the watches.
func (d *departures) close() {
	d.mu.Lock()
	f := d.file
	d.file, d.refused = nil, true
	d.mu.Unlock()
	if f != nil {
		_ = f.Close() // waits for who looks, which takes the mutex
	}
}

// HangUp ends the datagram sockets of programs whose supervisor has ended, in a Guest that
// was closed or a process that was killed: their ends do not see by themselves that the
// others are closed. What waits for them returns. It reaches processes of the same user.
func HangUp() error { return hangUp(nil) }

// hangUp is HangUp for sockets whose own end is closed, and for those of the programs'
// ends with the names of gone, whose own may be about to be.
func hangUp(gone map[string]bool) error {
	left, err := orphans(gone)
	if err != nil || len(left) == 0 {
		return err
	}
	still, err := orphans(gone) // a list may miss the other end of a pair that is just being made
	if err != nil {
		return err
	}
	maps.DeleteFunc(left, func(link string, _ bool) bool { return !still[link] })
	for d, link := range holders(left) {
		if end := d.borrow(); end >= 0 {
			if to, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(end)); err == nil && to == link {
				_ = unix.Shutdown(end, unix.SHUT_RDWR)
				delete(left, link)
			}
			_ = unix.Close(end)
		}
	}
	return nil
}

// orphans are the links of programs' ends whose own end is not there, or which are of gone.
func orphans(gone map[string]bool) (links map[string]bool, err error) {
	all, err := unixSockets()
	if err != nil {
		return nil, err
	}
	named := make(map[string]uint64) // inodes
	for inode, name := range all {
		if strings.HasPrefix(name, endPrefix) {
			named[name] = inode
		}
	}
	links = make(map[string]bool)
	for name, inode := range named {
		if ours, ok := strings.CutSuffix(name, programsEnd); ok && (named[ours] == 0 || gone[name]) {
			links[linkOf(inode)] = true
		}
	}
	return links, nil
}

// holders are the descriptors of all processes by which /proc shows any of some links.
func holders(links map[string]bool) iter.Seq2[descriptor, string] {
	return func(yield func(descriptor, string) bool) {
		all, _ := filepath.Glob("/proc/[0-9]*/fd/*")
		for _, at := range all {
			to, err := os.Readlink(at)
			if err != nil || !links[to] {
				continue
			}
			w := strings.Split(at, "/") // "", proc, PID, fd, N
			process, _ := strconv.Atoi(w[2])
			number, _ := strconv.Atoi(w[4])
			if !yield(descriptor{process, number}, to) {
				return
			}
		}
	}
}
