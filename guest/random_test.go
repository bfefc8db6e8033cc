//go:build linux && (amd64 || arm64)

package guest_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	arenaSize  = 256 << 10 // what random calls are given addresses in
	canarySize = 64 << 10  // behind it: no call has business there
)

// caller makes random calls: one thread.
type caller struct {
	*rand.Rand
	arena  []byte
	canary []byte
	used   int // of the arena, by this call: what it is given does not overlap
	fds    []int
}

// randomCalls makes count system calls of the kinds that are stopped, and what acts on
// their sockets natively, with arguments that are right, nearly right or nonsense. It
// ends with status 0 if nothing but what the calls were given has changed.
func randomCalls(seed, count uint64) {
	signal.Ignore(syscall.SIGPIPE, syscall.SIGURG, syscall.SIGIO)
	const threads = 4
	var all sync.WaitGroup
	for i := range uint64(threads) {
		all.Add(1)
		go func() {
			defer all.Done()
			runtime.LockOSThread()
			memory, err := unix.Mmap(-1, 0, arenaSize+canarySize+4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
			if err == nil {
				err = unix.Mprotect(memory[arenaSize+canarySize:], unix.PROT_NONE)
			}
			if err != nil {
				fmt.Println(err)
				os.Exit(2)
			}
			c := &caller{Rand: rand.New(rand.NewPCG(seed, i)), arena: memory[:arenaSize], canary: memory[arenaSize : arenaSize+canarySize]}
			for k := range c.canary {
				c.canary[k] = byte(k * 37)
			}
			for range count / threads {
				c.call()
			}
			for k := range c.canary {
				if c.canary[k] != byte(k*37) {
					fmt.Printf("seed %d: something has written to byte %d behind what calls were given\n", seed, k)
					os.Exit(3)
				}
			}
		}()
	}
	all.Wait()
	os.Exit(0)
}

// bits is a random number, most often a small one.
func (c *caller) bits() uint64 {
	switch c.IntN(8) {
	case 0:
		return c.Uint64()
	case 1:
		return uint64(c.Uint32())
	case 2:
		return ^uint64(c.IntN(16))
	}
	return uint64(c.IntN(1 << c.IntN(16)))
}

// fd is a descriptor of a socket, rarely something else.
func (c *caller) fd() uintptr {
	if len(c.fds) == 0 || c.IntN(50) == 0 {
		return []uintptr{^uintptr(0), 1 << 20, 99}[c.IntN(3)]
	}
	return uintptr(c.fds[c.IntN(len(c.fds))])
}

// room is n bytes of the arena, whose contents are random.
func (c *caller) room(n int) []byte {
	c.used = (c.used + 7) &^ 7
	b := c.arena[c.used : c.used+n : c.used+n]
	c.used += n
	for i := 0; i < len(b); i += 1 + c.IntN(64) {
		b[i] = byte(c.Uint32())
	}
	return b
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// pointer is the address of n bytes, or, rarely, one that is not good: nothing, the
// protected page, or a place from which n bytes reach into it.
func (c *caller) pointer(n int) uintptr {
	end := address(c.canary) + canarySize
	switch c.IntN(30) {
	case 0:
		return 0
	case 1:
		return end + uintptr(c.IntN(4096))
	case 2:
		return uintptr(c.Uint64())
	}
	return address(c.room(n))
}

// sockaddr is a socket address in the arena with its length, mostly of this machine.
func (c *caller) sockaddr() (uintptr, uintptr) {
	b := c.room(128)
	n := 16
	port := func(at int) { binary.BigEndian.PutUint16(b[at:], uint16(7100+c.IntN(16))) }
	switch c.IntN(6) {
	case 0, 1:
		binary.NativeEndian.PutUint16(b, unix.AF_INET)
		port(2)
		copy(b[4:], []byte{127, 0, 0, 1})
	case 2:
		n = 28
		binary.NativeEndian.PutUint16(b, unix.AF_INET6)
		port(2)
		clear(b[4:24])
		b[23] = 1
		clear(b[24:28])
	case 3:
		n = 12
		clear(b[:12])
		binary.NativeEndian.PutUint16(b, unix.AF_NETLINK)
	case 4:
		n = 20
		binary.NativeEndian.PutUint16(b, unix.AF_PACKET)
		binary.NativeEndian.PutUint32(b[4:], uint32(c.IntN(3)))
	}
	if c.IntN(20) == 0 {
		n = int(int32(c.bits()))
	}
	return address(b), uintptr(n)
}

// lengthAt is the address of an int with a length not above n.
func (c *caller) lengthAt(n int) uintptr {
	b := c.room(4)
	binary.NativeEndian.PutUint32(b, uint32(n))
	return address(b)
}

// message is a struct msghdr whose parts are in the arena.
func (c *caller) message(b []byte) {
	clear(b[:56])
	name, n := c.sockaddr()
	if c.IntN(2) == 0 {
		name, n = 0, 0
	}
	binary.NativeEndian.PutUint64(b, uint64(name))
	binary.NativeEndian.PutUint32(b[8:], uint32(min(n, 128)))
	parts := c.IntN(4)
	list := c.room(16 * 4)
	for i := range parts {
		size := c.IntN(4000)
		data := c.room(size)
		if c.IntN(3) == 0 {
			c.netlink(data)
		}
		binary.NativeEndian.PutUint64(list[16*i:], uint64(address(data)))
		binary.NativeEndian.PutUint64(list[16*i+8:], uint64(size))
	}
	binary.NativeEndian.PutUint64(b[16:], uint64(address(list)))
	binary.NativeEndian.PutUint64(b[24:], uint64(parts))
	if c.IntN(3) == 0 {
		size := c.IntN(200)
		ancillary := c.room(size)
		if size >= 24 {
			binary.NativeEndian.PutUint64(ancillary, uint64(16+c.IntN(16)))
			binary.NativeEndian.PutUint32(ancillary[8:], []uint32{0, 1, 41, 263}[c.IntN(4)])
			binary.NativeEndian.PutUint32(ancillary[12:], uint32(c.IntN(70)))
		}
		binary.NativeEndian.PutUint64(b[32:], uint64(address(ancillary)))
		binary.NativeEndian.PutUint64(b[40:], uint64(size))
	}
	if c.IntN(100) == 0 { // one pointer is nonsense
		binary.NativeEndian.PutUint64(b[16*c.IntN(3):], c.Uint64())
	}
}

// netlink makes b begin like a request: what follows is random.
func (c *caller) netlink(b []byte) {
	if len(b) < 32 {
		return
	}
	binary.NativeEndian.PutUint32(b, uint32(16+c.IntN(len(b)-15)))
	binary.NativeEndian.PutUint16(b[4:], uint16(16+c.IntN(90)))
	binary.NativeEndian.PutUint16(b[6:], uint16([]int{1, 5, 0x301, 0x305, 0x405, 0x605}[c.IntN(6)]))
	b[16] = []byte{0, 2, 10, 17}[c.IntN(4)]
	for at := 16 + 4*c.IntN(6); at+4 < len(b); at += 4 + 4*c.IntN(6) { // attributes
		binary.NativeEndian.PutUint16(b[at:], uint16(4+c.IntN(40)))
		binary.NativeEndian.PutUint16(b[at+2:], uint16(c.IntN(60)))
	}
}

// kinds are sockets that there are, by family and kind and protocol.
func kinds() [][3]int {
	return [][3]int{{2, 1, 0}, {2, 1, 0}, {2, 2, 0}, {10, 1, 0}, {10, 2, 0}, {2, 2, 136}, {2, 3, 1}, {2, 3, 255}, {10, 3, 58}, {2, 2, 1}, {16, 3, 0}, {16, 2, 0}, {16, 3, 4}, {16, 3, 16}, {17, 3, 0x300}, {17, 2, 0x300}}
}

// call makes one system call.
func (c *caller) call() {
	const nonblock = unix.SOCK_NONBLOCK | unix.SOCK_CLOEXEC
	x := func(number, a, b, d, e, f, g uintptr) uintptr {
		r, _, _ := unix.RawSyscall6(number, a, b, d, e, f, g)
		return r
	}
	c.used = c.IntN(arenaSize / 2)
	flags := uintptr(unix.MSG_DONTWAIT)
	if c.IntN(4) == 0 {
		flags |= uintptr(c.bits())
	}
	n := c.IntN(2000)
	switch k := c.IntN(24); k {
	case 0, 1:
		if len(c.fds) > 60 {
			i := c.IntN(len(c.fds))
			x(unix.SYS_CLOSE, uintptr(c.fds[i]), 0, 0, 0, 0, 0)
			c.fds = append(c.fds[:i], c.fds[i+1:]...)
			return
		}
		s := kinds()[c.IntN(len(kinds()))]
		if c.IntN(20) == 0 {
			s[c.IntN(3)] = int(c.bits() & 0xff)
		}
		if s[0] != unix.AF_INET && s[0] != unix.AF_INET6 && s[0] != unix.AF_NETLINK && s[0] != unix.AF_PACKET {
			return // it would be the host's
		}
		if fd := int(x(unix.SYS_SOCKET, uintptr(s[0]), uintptr(s[1]|nonblock), uintptr(s[2]), 0, 0, 0)); fd > 2 {
			c.fds = append(c.fds, fd)
		}
	case 2:
		a, l := c.sockaddr()
		x(unix.SYS_BIND, c.fd(), a, l, 0, 0, 0)
	case 3:
		a, l := c.sockaddr()
		x(unix.SYS_CONNECT, c.fd(), a, l, 0, 0, 0)
	case 4:
		x(unix.SYS_LISTEN, c.fd(), uintptr(c.bits()), 0, 0, 0, 0)
	case 5:
		if fd := int(x(unix.SYS_ACCEPT4, c.fd(), c.pointer(128), c.lengthAt(c.IntN(129)), nonblock, 0, 0)); fd > 2 {
			c.fds = append(c.fds, fd)
		}
	case 6:
		x(unix.SYS_GETSOCKNAME, c.fd(), c.pointer(128), c.lengthAt(c.IntN(129)), 0, 0, 0)
	case 7:
		x(unix.SYS_GETPEERNAME, c.fd(), c.pointer(128), c.lengthAt(c.IntN(129)), 0, 0, 0)
	case 8, 9:
		level := []uintptr{1, 0, 41, 6, 17, 263, 270}[c.IntN(7)]
		if c.IntN(20) == 0 {
			level = uintptr(c.bits())
		}
		size := []int{4, 4, 8, 12, 16, 40, 264}[c.IntN(7)]
		x(unix.SYS_SETSOCKOPT, c.fd(), level, uintptr(c.IntN(90)), c.pointer(size), uintptr(size), 0)
	case 10, 11:
		size := []int{4, 4, 8, 256, 1000}[c.IntN(5)]
		x(unix.SYS_GETSOCKOPT, c.fd(), []uintptr{1, 0, 41, 6, 17, 263, 270}[c.IntN(7)], uintptr(c.IntN(90)), c.pointer(size), c.lengthAt(size), 0)
	case 12:
		x(unix.SYS_SHUTDOWN, c.fd(), uintptr(c.IntN(4)), 0, 0, 0, 0)
	case 13:
		a, l := c.sockaddr()
		x(unix.SYS_SENDTO, c.fd(), c.pointer(n), uintptr(n), flags, a, l)
	case 14:
		b := c.room(n)
		c.netlink(b)
		x(unix.SYS_SENDTO, c.fd(), address(b), uintptr(n), flags, 0, 0)
	case 15:
		x(unix.SYS_RECVFROM, c.fd(), c.pointer(n), uintptr(n), flags, c.pointer(128), c.lengthAt(128))
	case 16:
		b := c.room(56)
		c.message(b)
		x(unix.SYS_SENDMSG, c.fd(), address(b), flags, 0, 0, 0)
	case 17:
		b := c.room(56)
		c.message(b)
		x(unix.SYS_RECVMSG, c.fd(), address(b), flags, 0, 0, 0)
	case 18, 19:
		b := c.room(64 * 4)
		for i := range 4 {
			c.message(b[64*i:])
		}
		number := uintptr(unix.SYS_SENDMMSG)
		if k == 19 {
			number = unix.SYS_RECVMMSG
		}
		x(number, c.fd(), address(b), uintptr(c.IntN(5)), flags, 0, 0)
	case 20:
		x(unix.SYS_IOCTL, c.fd(), uintptr(0x8900+c.IntN(0x60)), c.pointer(40), 0, 0, 0)
	case 21:
		x(unix.SYS_READ, c.fd(), c.pointer(n), uintptr(n), 0, 0, 0)
	case 22:
		x(unix.SYS_WRITE, c.fd(), c.pointer(n), uintptr(n), 0, 0, 0)
	case 23:
		b := c.room(8 + 16)
		clear(b) // it does not wait
		binary.NativeEndian.PutUint32(b, uint32(c.fd()))
		binary.NativeEndian.PutUint16(b[4:], 0xff)
		x(unix.SYS_PPOLL, address(b), 1, address(b[8:]), 0, 0, 0)
	}
}

// Nothing that a program asks of its sockets ends or stops the service, or has it
// write where the program has not pointed to: ten million calls when LIBOS_SOAK is 1, a
// forty thousand otherwise.
func TestRandomCallsSoak(t *testing.T) {
	total, each := uint64(40_000), uint64(20_000)
	if os.Getenv("LIBOS_SOAK") == "1" {
		total, each = 10_000_000, 200_000
	}
	g := lab(t)
	for seed := uint64(1); seed <= total/each; seed++ {
		c := again(t, "random", seed, each)
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		err := g.Run(c, func(c *exec.Cmd) error {
			patience := time.AfterFunc(5*time.Minute, func() { _ = c.Process.Signal(syscall.SIGQUIT) })
			defer patience.Stop()
			return c.Wait()
		})
		if err != nil || out.Len() != 0 {
			t.Fatalf("seed %d: %v\n%s", seed, err, out.String())
		}
		if os.Getenv("LIBOS_SOAK") == "1" {
			fmt.Printf("progress: random calls of guests: %d of %d\n", seed*each, total)
		}
	}
	// The instance serves others as before.
	need(t, "python3")
	out, err := program(t, g, "python3", "-c", `
import socket
l = socket.socket(); l.bind(("0.0.0.0", 0)); l.listen()
print("listens at", l.getsockname()[1] > 0)`)
	if err != nil || strings.TrimSpace(out) != "listens at True" {
		t.Errorf("%v\n%s", err, out)
	}
}
