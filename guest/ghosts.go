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

// reap closes sockets without anything left to carry whose program's end is closed, or
// waits a little: nobody stops a close, and when the same program wants the address
// again a pump may be about it, or a call just answered may still hold the end.
func (g *Guest) reap() {
	g.mu.Lock()
	all := slices.Collect(maps.Values(g.sockets))
	g.mu.Unlock()
	any := false
	for _, s := range all {
		hung := false
		_ = s.raw.Control(func(fd uintptr) {
			n, err := unix.IoctlGetInt(int(fd), unix.TIOCINQ)
			hung = (s.departed.Load() || s.stream() && hungUp(fd)) && (err != nil || n == 0 || s.unconnected())
		})
		if hung {
			s.close(false)
			any = true
		}
	}
	if !any {
		time.Sleep(reapPause)
	}
}

// How long a bind waits for an address: reapTries times reapPause.
const (
	reapTries = 20
	reapPause = 250 * time.Microsecond
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
