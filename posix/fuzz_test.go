package posix_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/libos-go/libos"
	"github.com/libos-go/libos/core/coretest"
	"github.com/libos-go/libos/host"
	"github.com/libos-go/libos/posix"
)

func FuzzSockAddr(f *testing.F) {
	f.Add(sockaddr("10.0.0.1", 80))
	f.Add(sockaddr("fe80::1", 80))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := posix.SockAddr(b)
		if err != nil {
			return
		}
		family := int(b[0])
		again, err := posix.SockAddr(posix.AppendSockAddr(nil, family, a))
		if err != nil || again != a {
			t.Errorf("% x is %v, which is %v, %v", b, a, again, err)
		}
	})
}

// Sequences of calls with any arguments: nothing panics, nothing waits for ever, and
// nothing is left.
func FuzzCalls(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 0, 0, 2, 0, 3, 3, 0, 0, 4, 1, 9, 5, 0, 0, 6, 1, 40, 7, 2, 40})
	f.Add([]byte{0, 0, 0, 8, 0, 0, 9, 0, 1, 10, 0, 2, 11, 3, 4, 12, 0, 5, 13, 6, 7, 14, 1, 1, 15, 2, 3})
	f.Add([]byte{17, 0, 0, 17, 0, 0, 18, 0, 3, 19, 0, 9, 20, 1, 2, 21, 2, 2, 22, 0, 0, 16, 0, 0})
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 600 {
			return
		}
		r := coretest.New(t, host.NewVirtual(1), coretest.Release())
		p := posix.NewProcess(r.Instance("a", libos.Wiring()))
		r.Do(func() {
			for len(program) >= 3 {
				anyCall(p, program[0], int(program[1]%8), int(program[2]))
				program = program[3:]
			}
			_ = p.CloseAll()
		})
	})
}

// netdevice makes a request about an interface, a route or a neighbour.
func netdevice(p *posix.Process, fd, x int) {
	request := uint(0x8900 + x) // all of them, and what lies between
	b := make([]byte, 128)
	for i := range b {
		b[i] = byte(x * i)
	}
	copy(b, "lo\x00")
	switch x % 4 {
	case 1:
		copy(b, "lo:1\x00")
	case 2: // addresses of IPv4 where they belong
		for at := 0; at+16 <= len(b); at += 8 {
			binary.NativeEndian.PutUint16(b[at:], posix.AF_INET)
		}
	}
	_, _ = p.Ioctl(fd, request, b[:max(x/2, len(b)*(x%2))])
	_ = p.Route(request, b, []string{"", "lo", "lo:1", "none"}[x%4])
	_ = posix.IoctlSize(fd, request)
}

// anyCall makes one call of those that do not wait for ever.
func anyCall(p *posix.Process, which byte, fd, x int) {
	b := make([]byte, 64+x*40)
	name := append(sockaddr("127.0.0.1", uint16(80+x%4)), b[:x%16]...)
	control := make([]byte, 64)
	for i := range control {
		control[i] = byte(x * (i + 1))
	}
	switch which % 27 {
	case 0:
		_, _ = p.Socket([]int{2, 10}[fd%2], 1+x%2|posix.SOCK_NONBLOCK, 0)
	case 1:
		_ = p.Bind(fd, name[:len(name)-x%8])
	case 2:
		_ = p.Listen(fd, x)
	case 3:
		_ = p.Connect(fd, name)
	case 4:
		_, _, _ = p.Accept4(fd, name, posix.SOCK_NONBLOCK)
	case 5:
		_, _ = p.Read(fd, b)
	case 6:
		_, _ = p.Write(fd, b)
	case 7:
		_, _, _ = p.Recvfrom(fd, b, x<<fd&^posix.MSG_WAITALL|posix.MSG_DONTWAIT, name)
	case 8:
		_, _ = p.Sendto(fd, b, x<<fd|posix.MSG_DONTWAIT, name)
	case 9:
		_, _ = p.Recvmsg(fd, &posix.Msghdr{Name: name, Iov: [][]byte{b[:x%5], nil, b}, Control: control[:x%64]}, x<<8|posix.MSG_DONTWAIT)
	case 10:
		_, _ = p.Sendmsg(fd, &posix.Msghdr{Name: name[:x%20], Iov: [][]byte{b, nil}, Control: control[:x%64]}, posix.MSG_DONTWAIT)
	case 11:
		_, _ = p.Getsockopt(fd, []int{0, 1, 6, 17, 41}[x%5], x, b[:x%32])
	case 12:
		_ = p.Setsockopt(fd, []int{0, 1, 6, 17, 41}[x%5], x, control[:x%20])
	case 13:
		_ = p.Shutdown(fd, x%4)
	case 14:
		_ = p.Close(fd)
	case 15:
		_, _ = p.Dup2(fd, x%12)
	case 16:
		_, _ = p.Poll([]posix.PollFD{{FD: int32(fd), Events: int16(x)}, {FD: int32(x), Events: 7}}, time.Duration(x)*time.Millisecond)
	case 17:
		_, _, _ = p.Pipe2(posix.O_NONBLOCK)
	case 18:
		_, _ = p.Splice(fd, nil, x%8, nil, x*100, posix.SPLICE_F_NONBLOCK)
	case 19:
		_, _ = p.Tee(fd, x%8, x*100, posix.SPLICE_F_NONBLOCK)
	case 20:
		_, _ = p.EpollCreate1(0)
	case 21:
		_ = p.EpollCtl(fd, 1+x%3, x%8, &posix.EpollEvent{Events: uint32(x) << (x % 25)})
	case 22:
		_, _ = p.EpollWait(fd, make([]posix.EpollEvent, x%4), time.Duration(x)*time.Millisecond)
	case 23:
		_, _ = p.Fcntl(fd, x%5, x|posix.O_NONBLOCK)
	case 24:
		_, _ = p.Ioctl(fd, []uint{posix.FIONREAD, posix.SIOCOUTQ, posix.SIOCATMARK, uint(x)}[x%4], b[:x%8])
	case 26:
		netdevice(p, fd, x)
	case 25:
		_, _ = p.Eventfd2(uint32(x), posix.EFD_NONBLOCK)
	}
}
