package posix_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/libos-go/libos/posix"
)

// What the kernel that runs the test does is right: each program runs on both.
func TestProgramsSeeWhatTheKernelShows(t *testing.T) {
	for name, f := range everyProgram {
		t.Run(name, func(t *testing.T) {
			theirs := kernelTrace(t, f)
			if theirs != "" {
				differ(t, ourTrace(t, f), theirs)
			}
		})
	}
}

var everyProgram = map[string]func(p *program){
	"addresses": func(p *program) {
		a := sockaddr("127.0.0.1", 0)
		for n := range 17 {
			p.did(fmt.Sprint("bind of ", n), p.Bind(p.tcp(), a[:n]))
			p.did(fmt.Sprint("connect of ", n), p.Connect(p.udp(), sockaddr("127.0.0.1", 9)[:n]))
			_, err := p.Sendto(p.udp(), []byte("x"), 0, sockaddr("127.0.0.1", 9)[:n])
			p.did(fmt.Sprint("sendto of ", n), err)
		}
		b := sockaddr("::1", 0)
		for n := 0; n <= 28; n += 2 {
			p.did(fmt.Sprint("bind of ", n), p.Bind(p.open(posix.AF_INET6, posix.SOCK_STREAM), b[:n]))
			p.did(fmt.Sprint("connect of ", n), p.Connect(p.open(posix.AF_INET6, posix.SOCK_DGRAM), sockaddr("::1", 9)[:n]))
			_, err := p.Sendto(p.open(posix.AF_INET6, posix.SOCK_DGRAM), []byte("x"), 0, sockaddr("::1", 9)[:n])
			p.did(fmt.Sprint("sendto of ", n), err)
		}
		for family := range 12 {
			x := sockaddr("127.0.0.1", 0)
			x[0] = byte(family)
			p.did(fmt.Sprint("bind family ", family), p.Bind(p.tcp(), x))
			x = sockaddr("0.0.0.0", 0)
			x[0] = byte(family)
			p.did(fmt.Sprint("bind any family ", family), p.Bind(p.tcp(), x))
			p.did(fmt.Sprint("bind 6 family ", family), p.Bind(p.open(posix.AF_INET6, posix.SOCK_DGRAM), append(x, make([]byte, 12)...)))
			y := sockaddr("127.0.0.1", 9)
			y[0] = byte(family)
			p.did(fmt.Sprint("connect family ", family), p.Connect(p.udp(), y))
			_, err := p.Sendto(p.udp(), []byte("x"), 0, y)
			p.did(fmt.Sprint("sendto family ", family), err)
			y = sockaddr("::1", 9)
			y[0] = byte(family)
			p.did(fmt.Sprint("connect 6 family ", family), p.Connect(p.open(posix.AF_INET6, posix.SOCK_DGRAM), y))
			p.did(fmt.Sprint("connect tcp 6 family ", family), p.Connect(p.open(posix.AF_INET6, posix.SOCK_STREAM), y))
			_, err = p.Sendto(p.open(posix.AF_INET6, posix.SOCK_DGRAM), []byte("x"), 0, y)
			p.did(fmt.Sprint("sendto 6 family ", family), err)
		}
	},
	"sockets": func(p *program) {
		for _, typ := range []int{0, 1, 2, 4, 6, 7, 9, 11, 15, 16, 0x10 | 1, 1 | posix.SOCK_CLOEXEC} {
			for _, family := range []int{-1, 0, 2, 10, 46, 1000} {
				for _, protocol := range []int{-1, 0, 6, 17, 200, 300} {
					fd, err := p.Socket(family, typ, protocol)
					p.did(fmt.Sprint("socket ", family, typ, protocol), err)
					if err == nil {
						p.must(p.Close(fd))
					}
				}
			}
		}
	},
	"a stream before it is connected": func(p *program) {
		s := p.tcp()
		p.polls("fresh", s)
		p.sends("send", s, "x", 0)
		p.reads("read", s, 1, 0)
		p.did("shutdown", p.Shutdown(s, 1))
		p.did("shutdown how", p.Shutdown(s, 9))
		_, err := p.Getpeername(s, make([]byte, 16))
		p.did("getpeername", err)
		_, _, err = p.Accept4(s, nil, 0)
		p.did("accept", err)
		p.did("refused", p.Connect(s, sockaddr("127.0.0.1", 1)))
		p.polls("refused", s)
		p.reads("read", s, 1, 0)
		p.sends("send", s, "x", 0)
		p.did("listen", p.Listen(s, 1))
		p.did("listen again", p.Listen(s, 5))
		p.polls("listening", s)
		p.reads("read of a listener", s, 1, 0)
		p.sends("send on a listener", s, "x", 0)
		p.did("connect of a listener", p.Connect(s, sockaddr("127.0.0.1", 1)))
		p.did("shutdown of a listener", p.Shutdown(s, 0))
		p.polls("shut", s)
		_, _, err = p.Accept4(s, nil, 0)
		p.did("accept", err)
	},
	"a stream's life": func(p *program) {
		c, s := p.pair()
		p.did("connect again", p.Connect(c, p.name(s)))
		p.did("bind again", p.Bind(c, sockaddr("127.0.0.1", 0)))
		p.did("listen", p.Listen(c, 1))
		p.polls("connected", c)
		p.sends("send", c, "hello", 0)
		p.polls("with bytes", s)
		p.reads("peek", s, 3, posix.MSG_PEEK)
		p.reads("trunc", s, 2, posix.MSG_TRUNC)
		p.reads("read nothing", s, 0, 0)
		p.reads("read", s, 10, 0)
		p.reads("read empty", s, 10, posix.MSG_DONTWAIT)
		p.reads("errors", s, 10, posix.MSG_ERRQUEUE)
		p.reads("urgent", s, 1, posix.MSG_OOB)
		p.sends("urgent", c, "ab!", posix.MSG_OOB)
		p.polls("urgent", s)
		p.reads("up to the mark", s, 10, 0)
		p.reads("urgent", s, 1, posix.MSG_OOB)
		p.reads("urgent again", s, 1, posix.MSG_OOB)
		p.sends("more", c, "cd", posix.MSG_MORE)
		p.sends("rest", c, "ef", 0)
		p.polls("more", s)
		p.reads("all", s, 4, posix.MSG_WAITALL)
		p.did("shutdown", p.Shutdown(c, 1))
		p.polls("half shut", c)
		p.polls("half shut, peer", s)
		p.sends("send after shutdown", c, "x", 0)
		p.did("shutdown again", p.Shutdown(c, 1))
		p.reads("end", s, 10, 0)
		p.reads("end again", s, 10, posix.MSG_WAITALL)
		p.sends("other way", s, "bye", 0)
		p.did("close", p.Close(s))
		p.polls("both shut", c)
		p.reads("last", c, 10, 0)
		p.reads("end", c, 10, 0)
		p.did("shutdown", p.Shutdown(c, 2))
		_, err := p.Getpeername(c, make([]byte, 16))
		p.did("getpeername", err)
	},
	"a reset": func(p *program) {
		c, s := p.pair()
		p.sends("send", c, "unread", 0)
		p.sleep(20 * time.Millisecond)
		p.did("close with unread bytes", p.Close(s))
		p.polls("reset", c)
		p.number("error", c, 1, 4)
		p.polls("after", c)
		p.reads("read", c, 1, 0)
		p.sends("send", c, "x", 0)
		c, s = p.pair()
		p.did("linger", p.Setsockopt(s, 1, 13, append(int32le(1), int32le(0)...)))
		p.did("close", p.Close(s))
		p.polls("reset", c)
		p.reads("read", c, 1, 0)
		p.reads("read again", c, 1, 0)
		p.sends("send", c, "x", 0)
		p.did("shutdown", p.Shutdown(c, 2))
		_, err := p.Getpeername(c, make([]byte, 16))
		p.did("getpeername", err)
		p.did("connect", p.Connect(c, sockaddr("127.0.0.1", 1)))
	},
	"a nonblocking connect": func(p *program) {
		l := p.tcp()
		p.must(p.Bind(l, sockaddr("127.0.0.1", 0)))
		p.must(p.Listen(l, 1))
		c := p.open(posix.AF_INET, posix.SOCK_STREAM|posix.SOCK_NONBLOCK)
		p.did("connect", p.Connect(c, p.name(l)))
		p.polls("connected", c)
		p.did("connect", p.Connect(c, p.name(l)))
		p.did("connect", p.Connect(c, p.name(l)))
		p.polls("listener", l)
		r := p.open(posix.AF_INET, posix.SOCK_STREAM|posix.SOCK_NONBLOCK)
		p.did("connect", p.Connect(r, sockaddr("127.0.0.1", 1)))
		p.polls("refused", r)
		p.number("error", r, 1, 4)
		p.polls("told", r)
		p.did("connect", p.Connect(r, sockaddr("127.0.0.1", 1)))
		p.did("disconnect", p.Connect(c, make([]byte, 16)))
		p.polls("disconnected", c)
		p.sends("send", c, "x", 0)
		p.sends("send again", c, "x", 0)
		p.did("connect", p.Connect(c, p.name(l)))
		p.polls("connected again", c)
		p.did("told", p.Connect(c, p.name(l)))
		p.did("disconnect", p.Connect(c, make([]byte, 16)))
		p.did("connect with an error that nobody took", p.Connect(c, p.name(l)))
		p.sleep(20 * time.Millisecond)
		p.number("error", c, 1, 4)
	},
	"options": func(p *program) {
		for _, typ := range []int{posix.SOCK_STREAM, posix.SOCK_DGRAM} {
			fd := p.open(posix.AF_INET, typ)
			names := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 21, 26, 28, 29, 30, 35, 38, 39, 40, 41, 43, 44, 45, 46, 47, 48,
				49, 55, 56, 62, 63, 64, 66, 67, 69, 72, 73, 74, 75}
			for _, n := range names {
				for _, room := range []int{0, 1, 4, 8, 64} {
					b := make([]byte, room)
					l, err := p.Getsockopt(fd, 1, n, b)
					p.log(fmt.Sprint("option ", n, " into ", room), l, err, b[:max(l, 0)])
				}
			}
			for _, n := range []int{2, 3, 5, 6, 7, 9, 10, 12, 15, 18, 19, 29, 30, 35, 38, 39, 40, 43, 49, 55, 57, 63, 64, 75, 9999} {
				for _, v := range []int{0, 1, 5} {
					p.did(fmt.Sprint("set ", n, " to ", v), p.Setsockopt(fd, 1, n, int32le(v)))
					p.number(fmt.Sprint("option ", n), fd, 1, n)
				}
				p.did(fmt.Sprint("set ", n, " short"), p.Setsockopt(fd, 1, n, []byte{1, 0}))
			}
			for _, n := range []int{1, 2, 5, 6, 7, 8, 10, 11, 12, 13, 15, 20, 21, 22, 24, 25, 26, 33, 34, 49} {
				for _, v := range []int{0, 1, 5} {
					p.did(fmt.Sprint("set IP ", n, " to ", v), p.Setsockopt(fd, 0, n, int32le(v)))
					p.number(fmt.Sprint("IP option ", n), fd, 0, n)
				}
			}
		}
		c, s := p.pair()
		for _, n := range []int{1, 3, 4, 5, 6, 7, 8, 9, 16, 17, 18, 25, 27, 28, 36, 43} {
			p.number(fmt.Sprint("TCP option ", n), c, 6, n)
			for _, v := range []int{-1, 0, 1, 5, 3000} {
				p.did(fmt.Sprint("set TCP ", n, " to ", v), p.Setsockopt(c, 6, n, int32le(v)))
				p.number(fmt.Sprint("TCP option ", n), c, 6, n)
			}
		}
		p.did("clamp", p.Setsockopt(s, 6, 10, int32le(5000)))
		p.number("clamp", s, 6, 10)
		p.did("level", p.Setsockopt(c, 99, 1, int32le(1)))
	},
	"control messages of a stream": func(p *program) {
		c, s := p.pair()
		p.did("TCP_INQ", p.Setsockopt(s, 6, 36, int32le(1)))
		p.sends("send", c, "hello", 0)
		p.sleep(20 * time.Millisecond)
		m := &posix.Msghdr{Name: make([]byte, 16), Iov: [][]byte{make([]byte, 2)}, Control: make([]byte, 64)}
		n, err := p.Recvmsg(s, m, 0)
		p.log("recvmsg", n, err, m.NameLen, m.Flags, m.Control[:m.ControlLen])
		p.must(p.Shutdown(c, 1))
		p.sleep(20 * time.Millisecond)
		n, err = p.Recvmsg(s, m, 0)
		p.log("recvmsg", n, err, m.NameLen, m.Flags, m.Control[:m.ControlLen])
	},
	"interfaces": func(p *program) {
		s, e := p.udp(), make([]byte, 40)
		for _, request := range []uint{posix.SIOCGIFADDR, posix.SIOCGIFDSTADDR, posix.SIOCGIFBRDADDR, posix.SIOCGIFNETMASK,
			posix.SIOCGIFMETRIC, posix.SIOCGIFHWADDR, posix.SIOCGIFINDEX, posix.SIOCGIFNAME} {
			for _, name := range []string{"lo", "none0"} {
				clear(e)
				copy(e, name)
				if request == posix.SIOCGIFNAME && name == "lo" {
					e[16] = 1
				}
				n, err := p.Ioctl(s, request, e)
				p.log(fmt.Sprintf("%#x of %s", request, name), n, err, e)
			}
		}
		for _, request := range []uint{posix.FIONREAD, posix.SIOCOUTQ, posix.SIOCATMARK, 0x8906, 0x1234} {
			n, err := p.Ioctl(s, request, e)
			p.log(fmt.Sprintf("%#x", request), n, err)
		}
	},
	"datagrams": func(p *program) {
		a, b := p.udp(), p.udp()
		p.polls("fresh", a)
		p.must(p.Bind(a, sockaddr("127.0.0.1", 0)))
		p.sends("no destination", b, "x", 0)
		n, err := p.Sendto(b, []byte("hello"), 0, p.name(a))
		p.log("sendto", n, err)
		n, err = p.Sendto(b, []byte("more"), posix.MSG_OOB, p.name(a))
		p.log("sendto urgent", n, err)
		n, err = p.Sendto(b, nil, 0, p.name(a))
		p.log("sendto nothing", n, err)
		n, err = p.Sendto(b, make([]byte, 70000), 0, p.name(a))
		p.log("sendto too long", n, err)
		p.polls("with datagrams", a)
		p.reads("peek", a, 3, posix.MSG_PEEK|posix.MSG_TRUNC)
		p.reads("short", a, 3, 0)
		p.reads("empty", a, 3, 0)
		p.reads("none", a, 3, posix.MSG_DONTWAIT)
		p.reads("urgent", a, 3, posix.MSG_OOB|posix.MSG_DONTWAIT)
		p.did("shutdown", p.Shutdown(a, 0))
		p.polls("shut", a)
		p.reads("shut", a, 3, posix.MSG_DONTWAIT)
		p.did("connect", p.Connect(b, sockaddr("127.0.0.1", 1)))
		p.sends("to nobody", b, "x", 0)
		p.polls("refused", b)
		p.sends("told", b, "x", 0)
		p.sleep(20 * time.Millisecond)
		p.reads("told", b, 1, 0)
		p.did("disconnect", p.Connect(b, make([]byte, 2)))
		p.sends("no destination", b, "x", 0)
		_, _, err = p.Accept4(b, nil, 0)
		p.did("accept", err)
		p.did("listen", p.Listen(b, 1))
		p.did("port 0", p.Connect(b, sockaddr("127.0.0.1", 0)))
	},
	"messages": func(p *program) {
		a, b := p.udp(), p.udp()
		p.must(p.Bind(a, sockaddr("127.0.0.1", 0)))
		p.must(p.Bind(b, sockaddr("127.0.0.1", 0)))
		for _, o := range []int{8, 12, 13} {
			p.did("ask", p.Setsockopt(a, 0, o, int32le(1)))
		}
		tos := append([]byte{20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 0x10, 0, 0, 0, 0, 0, 0, 0)
		n, err := p.Sendmsg(b, &posix.Msghdr{Name: p.name(a), Iov: [][]byte{[]byte("he"), nil, []byte("llo")}, Control: tos}, 0)
		p.log("sendmsg", n, err)
		for _, room := range []int{256, 40, 20, 0} {
			m := &posix.Msghdr{Name: make([]byte, 7), Iov: [][]byte{make([]byte, 2), make([]byte, 1)}, Control: make([]byte, room)}
			n, err = p.Recvmsg(a, m, posix.MSG_PEEK)
			p.log("recvmsg", n, err, m.NameLen, m.Name[:2], fmt.Sprintf("%#x", m.Flags), m.Iov, m.ControlLen, m.Control[:m.ControlLen])
		}
		for _, bad := range [][]byte{tos[:10], append([]byte{200}, tos[1:]...), append([]byte{8}, tos[1:]...)} {
			n, err = p.Sendmsg(b, &posix.Msghdr{Name: p.name(a), Iov: [][]byte{[]byte("x")}, Control: bad}, 0)
			p.log("bad control", n, err)
		}
	},
	"pipes": func(p *program) {
		r, w, err := p.Pipe2(posix.O_NONBLOCK)
		p.must(err)
		p.fds = append(p.fds, r, w)
		p.polls("empty reader", r)
		p.polls("empty writer", w)
		x := make([]byte, 10000)
		for i := range 20 {
			n, err := p.Write(w, x[:1000*i%4097])
			p.log("write", n, err)
		}
		n, err := p.Write(w, make([]byte, 100000))
		p.log("write much", n, err)
		p.polls("full", w)
		v := make([]byte, 4)
		_, err = p.Ioctl(r, posix.FIONREAD, v)
		p.log("FIONREAD", err, v)
		n, err = p.Read(r, x[:5000])
		p.log("read", n, err)
		p.polls("less full", w)
		n, err = p.Write(w, x)
		p.log("write", n, err)
		n, err = p.Fcntl(w, posix.F_GETPIPE_SZ, 0)
		p.log("size", n, err)
		n, err = p.Fcntl(w, posix.F_SETPIPE_SZ, 100000)
		p.log("size", n, err)
		n, err = p.Fcntl(w, posix.F_SETPIPE_SZ, 4096)
		p.log("size", n, err)
		n, err = p.Fcntl(w, posix.F_GETFL, 0)
		p.log("flags", n, err)
		_, err = p.Write(r, x)
		p.did("write to the reader", err)
		_, err = p.Read(w, x)
		p.did("read of the writer", err)
		for {
			if n, err = p.Read(r, make([]byte, 1<<20)); err != nil {
				break
			}
		}
		p.log("drained", n, err)
		_, err = p.Write(w, []byte("tail"))
		p.did("write", err)
		p.must(p.Close(w))
		p.polls("reader alone", r)
		n, err = p.Read(r, x)
		p.log("tail", n, err)
		p.polls("at the end", r)
		n, err = p.Read(r, x)
		p.log("end", n, err)
	},
	"epoll": func(p *program) {
		c, s := p.pair()
		e, err := p.EpollCreate1(0)
		p.must(err)
		p.fds = append(p.fds, e)
		wait := func(what string) {
			p.sleep(20 * time.Millisecond)
			var ev [3]posix.EpollEvent
			n, err := p.EpollWait(e, ev[:], 0)
			p.log("epoll "+what, n, err, fmt.Sprintf("%x", ev[:max(n, 0)]))
		}
		ctl := func(what string, op, fd int, events uint32) {
			p.did(what, p.EpollCtl(e, op, fd, &posix.EpollEvent{Events: events, Data: 7}))
		}
		ctl("add", 1, s, posix.EPOLLIN|posix.EPOLLOUT|posix.EPOLLRDHUP|posix.EPOLLET)
		ctl("add again", 1, s, posix.EPOLLIN)
		wait("first")
		wait("second")
		p.sends("send", c, "abc", 0)
		wait("arrival")
		wait("still there")
		p.reads("part", s, 1, 0)
		wait("after a part")
		p.sends("send", c, "d", 0)
		wait("another arrival")
		p.reads("rest", s, 10, 0)
		wait("read empty")
		p.sends("back", s, "x", 0)
		wait("after a send")
		ctl("level", 3, s, posix.EPOLLIN|posix.EPOLLRDHUP)
		wait("level, empty")
		p.must(p.Shutdown(c, 1))
		wait("end")
		wait("end, again")
		ctl("oneshot", 3, s, posix.EPOLLIN|posix.EPOLLONESHOT)
		wait("oneshot")
		wait("oneshot, again")
		ctl("oneshot", 3, s, posix.EPOLLIN|posix.EPOLLONESHOT)
		wait("oneshot, armed")
		ctl("nothing", 3, s, 0)
		p.must(p.Shutdown(s, 1))
		wait("hang-up")
		ctl("remove", 2, s, 0)
		ctl("remove again", 2, s, 0)
		ctl("modify", 3, s, 0)
		ctl("itself", 1, e, posix.EPOLLIN)
		ctl("operation", 9, s, posix.EPOLLIN)
		ctl("exclusive", 1, s, posix.EPOLLEXCLUSIVE|posix.EPOLLIN)
		ctl("exclusive, modify", 3, s, posix.EPOLLIN)
		ctl("exclusive, oneshot", 1, c, posix.EPOLLEXCLUSIVE|posix.EPOLLIN|posix.EPOLLONESHOT)
		d, err := p.Dup(s)
		p.must(err)
		p.must(p.Close(s))
		wait("copy")
		p.must(p.Close(d))
		wait("gone")
		depth := e
		for i := range 6 {
			next, err := p.EpollCreate1(0)
			p.must(err)
			p.fds = append(p.fds, next)
			p.did(fmt.Sprint("nest ", i), p.EpollCtl(next, 1, depth, &posix.EpollEvent{Events: posix.EPOLLIN}))
			depth = next
		}
		p.did("circle", p.EpollCtl(e, 1, depth, &posix.EpollEvent{}))
		_, err = p.EpollWait(e, nil, 0)
		p.did("no room", err)
		_, err = p.EpollWait(c, make([]posix.EpollEvent, 1), 0)
		p.did("no epoll", err)
	},
	"eventfd": func(p *program) {
		e, err := p.Eventfd2(3, posix.EFD_NONBLOCK)
		p.must(err)
		p.fds = append(p.fds, e)
		b := make([]byte, 8)
		p.polls("3", e)
		n, err := p.Read(e, b)
		p.log("read", n, err, b)
		p.polls("0", e)
		n, err = p.Read(e, b)
		p.log("read", n, err)
		n, err = p.Write(e, []byte{254, 255, 255, 255, 255, 255, 255, 255})
		p.log("write", n, err)
		p.polls("most", e)
		n, err = p.Write(e, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		p.log("write", n, err)
		n, err = p.Write(e, b[:4])
		p.log("write", n, err)
		n, err = p.Write(e, make([]byte, 20))
		p.log("write", n, err)
		_, err = p.Eventfd2(0, 77)
		p.did("flags", err)
	},
	"splice": func(p *program) {
		c, s := p.pair()
		r, w, err := p.Pipe2(posix.O_NONBLOCK)
		p.must(err)
		r2, w2, err := p.Pipe2(posix.O_NONBLOCK)
		p.must(err)
		p.fds = append(p.fds, r, w, r2, w2)
		do := func(what string, in, out, n, flags int) {
			k, err := p.Splice(in, nil, out, nil, n, flags)
			p.log("splice "+what, k, err)
		}
		p.must(only(p.Fcntl(s, posix.F_SETFL, posix.O_NONBLOCK)))
		do("of nothing", s, w, 10, 0)
		do("of 0", s, w, 0, 0)
		p.sends("send", c, strings.Repeat("x", 3000), 0)
		p.sleep(20 * time.Millisecond)
		do("of a socket", s, w, 1000, 0)
		do("of more", s, w, 10000, 0)
		do("to the other pipe", r, w2, 10, 0)
		k, err := p.Tee(r, w2, 100, 0)
		p.log("tee", k, err)
		do("to a socket", r2, c, 1000, 0)
		do("of the empty pipe", r2, c, 1000, posix.SPLICE_F_NONBLOCK)
		do("of itself", r, w, 10, 0)
		do("without a pipe", s, c, 10, 0)
		do("wrong way", w, c, 10, 0)
		do("wrong way", s, r, 10, 0)
		do("flags", r, c, 10, 64)
		at := int64(0)
		k, err = p.Splice(r, &at, c, nil, 1, 0)
		p.log("offset of a pipe", k, err)
		k, err = p.Splice(r, nil, c, &at, 1, 0)
		p.log("offset of a socket", k, err)
		p.must(p.Shutdown(c, 1))
		p.sleep(20 * time.Millisecond)
		do("of the end", s, w, 10, 0)
		k, err = p.Tee(r, c, 100, 0)
		p.log("tee to a socket", k, err)
	},
}
