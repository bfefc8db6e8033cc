//go:build linux && (amd64 || arm64)

package guest

import (
	"bufio"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sweepEvery is how often sockets are looked after whose pair cannot tell any more that
// the program has closed them.
const sweepEvery = 2 * time.Second

// haunt has s closed when the program's end is.
func (g *Guest) haunt(s *socket) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ghosts = append(g.ghosts, s)
	if len(g.ghosts) == 1 && !g.closed {
		g.running.Go(g.sweep)
	}
}

// sweep closes ghosts until there are none.
func (g *Guest) sweep() {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-g.ending:
			return
		}
		open, err := unixSockets()
		if err != nil {
			continue
		}
		g.mu.Lock()
		var gone []*socket
		left := g.ghosts[:0]
		for _, s := range g.ghosts {
			if _, there := open[s.inode]; there {
				left = append(left, s)
			} else {
				gone = append(gone, s)
			}
		}
		clear(g.ghosts[len(left):])
		g.ghosts = left
		ended := len(left) == 0
		g.mu.Unlock()
		for _, s := range gone {
			s.close(false)
		}
		if ended {
			return
		}
	}
}

// reap closes sockets without anything left to carry whose program's end is closed: nobody
// stops a close, and when the same program wants what such a socket has, a pump may be
// about it. It returns how many it closed, and how many packet sockets are about to be.
func (g *Guest) reap() (closed, left int) {
	g.mu.Lock()
	all := slices.Collect(maps.Values(g.sockets))
	g.mu.Unlock()
	for _, s := range all { // a call just answered has the mutex until it has the end no more
		s.mu.Lock()
		_ = s.state
		s.mu.Unlock()
	}
	g.departures.catchUp()
	for _, s := range all {
		switch {
		case s.spent():
			s.close(false)
			closed++
		case s.family == unix.AF_PACKET && s.departed.Load():
			left++
		}
	}
	return closed, left + int(g.closing.Load())
}

// spent tells whether the program has closed its end of a socket that is not connected,
// and all that it sent is in the stack.
func (s *socket) spent() (spent bool) {
	if !s.stream() && (!s.departed.Load() || !s.out.TryLock()) {
		return false
	}
	_ = s.raw.Control(func(fd uintptr) {
		if s.stream() { // connections have pumps that see it
			spent = s.unconnected() && hungUp(fd)
			return
		}
		n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
		spent = err != nil || n == 0
	})
	if !s.stream() {
		s.out.Unlock()
	}
	return spent
}

// reapPause is between looks at what reap leaves: a bind waits reapTries times for an
// address, a group of packet sockets reapPatience for members that were closed.
const (
	reapTries    = 20
	reapPause    = 250 * time.Microsecond
	reapPatience = 250 * time.Millisecond
)

// unixSockets are all AF_UNIX sockets: inodes with names, "" for none. It looks from its
// own thread: the first of the process may be in another network namespace, whose sockets
// /proc/net shows.
func unixSockets() (map[uint64]string, error) {
	f, err := os.Open("/proc/thread-self/net/unix")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all := make(map[uint64]string)
	for in := bufio.NewScanner(f); in.Scan(); {
		// Num RefCount Protocol Flags Type St Inode Path
		w := strings.Fields(in.Text())
		if len(w) < 7 {
			continue
		}
		if n, err := strconv.ParseUint(w[6], 10, 64); err == nil {
			all[n] = strings.Join(w[7:], " ")
		}
	}
	return all, nil
}
