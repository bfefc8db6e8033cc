//go:build linux && (amd64 || arm64)

package guest

import (
	"bytes"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// How long programs have, when a stack ends, to end by themselves as they see it, and
// then by SIGTERM.
const (
	timeToSee = 500 * time.Millisecond
	timeToEnd = 2 * time.Second
)

// endSurvivors ends the programs that still hold any of some sockets, of which nothing
// more will come: a daemon would ask them for ever.
func endSurvivors(sockets []*socket) error {
	left := make(map[uint64]bool)
	for _, s := range sockets {
		left[s.inode] = true
	}
	for _, step := range []struct {
		wait   time.Duration
		signal unix.Signal
	}{{timeToSee, unix.SIGTERM}, {timeToEnd, unix.SIGKILL}} {
		for until := time.Now().Add(step.wait); ; time.Sleep(10 * time.Millisecond) {
			open, err := unixSockets()
			if err != nil {
				return err
			}
			for inode := range left {
				if _, there := open[inode]; !there {
					delete(left, inode)
				}
			}
			if len(left) == 0 {
				return nil
			}
			if time.Now().After(until) {
				break
			}
		}
		links := make(map[string]bool)
		for inode := range left {
			links[linkOf(inode)] = true
		}
		told := make(map[int]bool)
		for d := range holders(links) {
			if !told[d.process] {
				told[d.process] = true
				d.end(links, step.signal)
			}
		}
	}
	return nil
}

// end sends a signal to a process that holds a socket, if it is a program of a Guest:
// under a filter, and not one that was handed the descriptor.
func (d descriptor) end(links map[string]bool, signal unix.Signal) {
	pidfd, err := unix.PidfdOpen(d.process, 0)
	if err != nil {
		return
	}
	defer unix.Close(pidfd)
	process := "/proc/" + strconv.Itoa(d.process)
	status, _ := os.ReadFile(process + "/status")
	// While the pidfd is open the number is of no other process.
	if to, err := os.Readlink(process + "/fd/" + strconv.Itoa(d.number)); err == nil && links[to] && d.process != os.Getpid() && bytes.Contains(status, []byte("\nSeccomp:\t2\n")) {
		_ = unix.PidfdSendSignal(pidfd, signal, nil, 0)
	}
}
