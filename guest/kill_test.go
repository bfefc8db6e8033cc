//go:build linux && (amd64 || arm64)

package guest_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// busy does with the network what programs do, until it is killed: listeners,
// connections to itself and to others that run beside it, datagrams, descriptors that
// are copied or on their way to another process, children.
func busy(seed uint64) {
	g := rand.New(rand.NewPCG(seed, 1))
	time.AfterFunc(time.Second, func() { os.Exit(0) }) // a child whose parent was killed before it killed it
	if g.IntN(4) == 0 {
		child, err := os.StartProcess("/proc/self/exe", os.Args, &os.ProcAttr{Env: append(os.Environ(), fmt.Sprintf("%s=%d", seedOf, seed*7+3)), Files: []*os.File{nil, nil, nil}})
		if err == nil {
			time.AfterFunc(time.Duration(g.IntN(30))*time.Millisecond, func() { _ = child.Kill() })
		}
	}
	go func() {
		l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", 7000+g.IntN(8)))
		if err != nil {
			return
		}
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	box, _ := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	for i := 0; ; i++ {
		n := (seed + uint64(i)*2654435761) % 8
		switch i % 4 {
		case 0:
			if c, err := net.DialTimeout("tcp4", fmt.Sprintf("127.0.0.1:%d", 7000+n), 20*time.Millisecond); err == nil {
				_, _ = c.Write(make([]byte, 1<<(n+8)))
				_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
				_, _ = c.Read(make([]byte, 1<<12))
				if n&1 == 0 {
					_ = c.Close()
				}
			}
		case 1:
			if c, err := net.ListenPacket("udp", ":0"); err == nil {
				_, _ = c.WriteTo([]byte("hello"), c.LocalAddr())
			}
		case 2:
			if fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0); err == nil {
				_ = unix.Sendmsg(box[0], []byte{1}, unix.UnixRights(fd), nil, unix.MSG_DONTWAIT)
				_, _ = unix.Dup(fd)
				_ = unix.Close(fd)
			}
		case 3:
			if fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE); err == nil {
				_ = unix.Sendto(fd, []byte{20, 0, 0, 0, unix.RTM_GETLINK, 0, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
			}
		}
	}
}

// descriptors are how many this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Programs that are killed at any moment leave no socket, no descriptor and, as the
// instance's own end finds, no slab: a thousand of them, eight at a time, when
// LIBOS_SOAK is 1, a hundred otherwise.
func TestKilledAtAnyMomentSoak(t *testing.T) {
	programs := 100
	if os.Getenv("LIBOS_SOAK") == "1" {
		programs = 1000
	}
	g := lab(t)
	before := descriptors(t)
	dice := rand.New(rand.NewPCG(5, 1))
	places := make(chan struct{}, 8)
	var all sync.WaitGroup
	for i := range programs {
		places <- struct{}{}
		sig := []syscall.Signal{syscall.SIGKILL, syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT}[dice.IntN(4)]
		after := time.Duration(dice.IntN(60_000)) * time.Microsecond
		all.Go(func() {
			defer func() { <-places }()
			c := again(t, "busy", uint64(i), 0)
			err := g.Run(c, func(c *exec.Cmd) error {
				end := time.AfterFunc(after, func() { _ = c.Process.Signal(sig) })
				defer end.Stop()
				return c.Wait()
			})
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !exit.Sys().(syscall.WaitStatus).Signaled() {
				t.Errorf("program %d ended with %v, not by %v", i, err, sig)
			}
		})
	}
	all.Wait()
	for patience := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		sockets, now := g.Sockets(), descriptors(t)
		if sockets == 0 && now <= before+3 { // the ends' epoll and the runtime's own poller come with the first use
			break
		}
		if time.Now().After(patience) {
			t.Fatalf("%d sockets are left, and %d descriptors of %d before", sockets, now, before)
		}
	}
}
