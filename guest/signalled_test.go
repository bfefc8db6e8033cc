//go:build linux && (amd64 || arm64)

package guest_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/guest"
)

// descriptorNumbers opens and closes sockets, which have the lowest free number each time.
func descriptorNumbers(count uint64) {
	first := -1
	for i := range count {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if first < 0 {
			first = fd
		}
		if err != nil || fd != first || fd <= 2 {
			fmt.Printf("socket %d has the number %d (%v), not %d\n", i, fd, err, first)
			os.Exit(1)
		}
		_ = unix.Close(fd)
	}
}

// A program gets the number of its descriptor also when the thread that answers gets
// signals, as those by which the runtime preempts.
func TestDescriptorsReachTheProgramWhileSignalsComeIn(t *testing.T) {
	g := lab(t)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			threads, _ := os.ReadDir("/proc/self/task")
			for _, x := range threads {
				select {
				case <-done:
					return
				default:
				}
				tid, _ := strconv.Atoi(x.Name())
				_ = unix.Tgkill(os.Getpid(), tid, unix.SIGURG) // a thread may have ended
			}
		}
	}()
	c := again(t, "numbers", 0, 2000)
	var out bytes.Buffer
	c.Stdout = &out
	err := g.Run(c, guest.Wait)
	close(done)
	<-ended
	if err != nil {
		t.Errorf("%v\n%s", err, &out)
	}
}
