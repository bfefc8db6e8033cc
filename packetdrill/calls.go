package packetdrill

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"time"
)

// callRow is a system call of the language. Adding one is adding a row.
type callRow struct {
	name     string
	min, max int // arguments
	// run reads the arguments and sets c.do, and c.then where something is to be
	// compared or noted when it succeeded.
	run func(c *callRun)
}

// callRun is one call under way. Its methods read arguments; the first error of the
// script is kept.
type callRun struct {
	r    *run
	call *Call
	line int
	err  *Error
	diff []string

	do    func() (int, error)
	then  func(n int) // after a success
	opens bool        // the result is a new descriptor

	// Results, to be read once ended is set.
	n     int
	errno error
	began time.Duration
	at    time.Duration // when it returned
	end   time.Duration // when it should, for a call that blocks
	ended atomic.Bool
	text  string
}

func (c *callRun) fail(x *Expr, format string, args ...any) {
	if c.err == nil {
		line := c.line
		if x != nil && x.Line > 0 {
			line = x.Line
		}
		c.err = &Error{c.r.script.Name, line, fmt.Sprintf(format, args...)}
	}
}

func (c *callRun) differ(format string, args ...any) {
	c.diff = append(c.diff, fmt.Sprintf(format, args...))
}

// findCall is the row of a system call.
func findCall(name string) (callRow, bool) {
	for _, r := range callRows() {
		if r.name == name {
			return r, true
		}
	}
	return callRow{}, false
}

func callRows() []callRow {
	return []callRow{
		{"socket", 3, 3, callSocket},
		{"bind", 3, 3, callBind},
		{"listen", 2, 2, callListen},
		{"accept", 3, 3, callAccept},
		{"accept4", 4, 4, callAccept},
		{"connect", 3, 3, callConnect},
		{"getsockname", 3, 3, callName(Calls.Getsockname)},
		{"getpeername", 3, 3, callName(Calls.Getpeername)},
		{"read", 3, 3, callRead},
		{"write", 3, 3, callWrite},
		{"readv", 3, 3, callReadv},
		{"writev", 3, 3, callWritev},
		{"recv", 4, 4, callRecv},
		{"send", 4, 4, callSend},
		{"recvfrom", 6, 6, callRecv},
		{"sendto", 6, 6, callSend},
		{"recvmsg", 3, 3, callRecvmsg},
		{"sendmsg", 3, 3, callSendmsg},
		{"recvmmsg", 5, 5, callRecvmmsg},
		{"sendmmsg", 4, 4, callSendmmsg},
		{"getsockopt", 5, 5, callGetsockopt},
		{"setsockopt", 5, 5, callSetsockopt},
		{"shutdown", 2, 2, callShutdown},
		{"close", 1, 1, callClose},
		{"fcntl", 2, 3, callFcntl},
		{"ioctl", 2, 3, callIoctl},
		{"poll", 3, 3, callPoll},
		{"epoll_create", 1, 1, callEpollCreate},
		{"epoll_create1", 1, 1, callEpollCreate},
		{"epoll_ctl", 4, 4, callEpollCtl},
		{"epoll_wait", 4, 4, callEpollWait},
		{"pipe", 1, 1, callPipe},
		{"pipe2", 2, 2, callPipe},
		{"splice", 6, 6, callSplice},
		{"open", 2, 3, callOpen},
		{"sendfile", 4, 4, callSendfile},
	}
}

func callSocket(c *callRun) {
	family := c.int(0, int(constants["AF_INET"]))
	if c.any(0) && c.r.settings.IPVersion != IPv4 {
		family = int(constants["AF_INET6"])
	}
	typ, proto := c.int(1, 1), c.int(2, 0)
	c.opens = true
	c.do = func() (int, error) { return c.r.sys.Socket(family, typ, proto) }
	c.then = func(fd int) {
		s := &socket{fd: fd, family: family, proto: uint8(proto)}
		if proto == 0 {
			s.proto = map[int]uint8{1: protoTCP, 2: protoUDP}[typ&15]
		}
		c.r.addSocket(s)
	}
}

func callBind(c *callRun) {
	fd, addr := c.fd(0), c.sockaddr(1, c.bindTo())
	addr = c.addrLen(2, addr)
	c.do = func() (int, error) { return 0, c.r.sys.Bind(fd, addr) }
	c.then = func(int) {
		if s := c.r.socket(fd); s != nil {
			c.r.learnPort(s)
		}
	}
}

// addrLen cuts an address to the length that an argument says.
func (c *callRun) addrLen(i int, addr []byte) []byte {
	if n := c.int(i, len(addr)); n >= 0 && n < len(addr) {
		return addr[:n]
	}
	return addr
}

func callListen(c *callRun) {
	fd, backlog := c.fd(0), c.int(1, 128)
	c.do = func() (int, error) { return 0, c.r.sys.Listen(fd, backlog) }
	c.then = func(int) {
		if s := c.r.socket(fd); s != nil {
			s.listening = true
			c.r.learnPort(s)
			c.r.current = nil
		}
	}
}

func callAccept(c *callRun) {
	fd, flags := c.fd(0), c.int(3, 0)
	addr := make([]byte, longestAddress)
	x, length := c.arg(1), c.arg(2)
	c.opens = true
	var n int
	c.do = func() (nfd int, err error) {
		nfd, n, err = c.r.sys.Accept4(fd, addr, flags)
		return nfd, err
	}
	c.then = func(nfd int) {
		s := &socket{fd: nfd, proto: protoTCP, remote: parseSockaddr(addr)}
		if l := c.r.socket(fd); l != nil {
			s.proto, s.family = l.proto, l.family
		}
		c.r.addSocket(s)
		c.r.learnPort(s)
		for _, f := range c.r.flows {
			if f.proto == s.proto && f.remote == s.remote && f.local.Port() == s.bound {
				c.r.current = f
			}
		}
		c.sameAddress("the address", x, addr[:min(n, len(addr))])
		c.sameLength("the address", length, n)
	}
}

// sameLength compares a length that was written as [n].
func (c *callRun) sameLength(what string, x *Expr, n int) {
	if x.Kind == ExprList && len(x.Items) == 1 && x.Items[0].Kind != ExprEllipsis {
		if v := c.value(x.Items[0]); v != int64(n) {
			c.differ("the length of %s is %d, expected %d", what, n, v)
		}
	}
}

func callConnect(c *callRun) {
	fd, addr := c.fd(0), c.sockaddr(1, c.connectTo())
	addr = c.addrLen(2, addr)
	if s := c.r.socket(fd); s != nil {
		to := parseSockaddr(addr)
		if s.proto == protoTCP && s.remote != to { // asked again, it goes on with its conversation
			c.r.current = nil
		}
		s.remote = to
	}
	c.do = func() (int, error) { return 0, c.r.sys.Connect(fd, addr) }
	c.then = func(int) {
		if s := c.r.socket(fd); s != nil {
			c.r.learnPort(s)
		}
	}
}

func callName(get func(Calls, int, []byte) (int, error)) func(*callRun) {
	return func(c *callRun) {
		fd, x, length := c.fd(0), c.arg(1), c.arg(2)
		addr := make([]byte, longestAddress)
		n := 0
		c.do = func() (_ int, err error) {
			n, err = get(c.r.sys, fd, addr)
			return 0, err
		}
		c.then = func(int) {
			c.sameAddress("the address", x, addr[:min(n, len(addr))])
			c.sameLength("the address", length, n)
		}
	}
}

func callRead(c *callRun) {
	fd, x, b := c.fd(0), c.arg(1), make([]byte, c.size(2, 4096))
	c.do = func() (int, error) { return c.r.sys.Read(fd, b) }
	c.then = func(n int) { c.received(x, b[:min(n, len(b))]) }
}

// textLen is the length of a string argument, for a length that is `...`.
func (c *callRun) textLen(i int) int { return len(c.arg(i).Text) }

func callWrite(c *callRun) {
	fd, b := c.fd(0), c.content(c.arg(1), c.size(2, c.textLen(1)))
	c.do = func() (int, error) { return c.r.sys.Write(fd, b) }
}

// vector reads [{..., 10}, {"text", 4}].
func (c *callRun) vector(x *Expr) (bufs [][]byte, parts []*Expr) {
	if x.Kind != ExprList || len(x.Items) > 1024 {
		c.fail(x, "buffers are written [{..., 1000}, …], at most 1024 of them")
		return nil, nil
	}
	total := 0
	for _, v := range x.Items {
		base, length := &Expr{Line: x.Line}, (*Expr)(nil)
		for i, f := range v.Fields {
			switch {
			case f.Name == "iov_base" || f.Name == "" && i == 0:
				base = f.Value
			case f.Name == "iov_len" || f.Name == "" && i == 1:
				length = f.Value
			}
		}
		n := int64(len(base.Text))
		if length != nil && length.Kind != ExprEllipsis {
			n = c.value(length)
		}
		if total += int(min(max(n, 0), mostBytes)); v.Kind != ExprStruct || n < 0 || total > mostBytes {
			c.fail(v, "a buffer is written {..., LENGTH}, of at most %d bytes in all", mostBytes)
			return nil, nil
		}
		bufs, parts = append(bufs, c.content(base, int(n))), append(parts, base)
	}
	return bufs, parts
}

// receivedVector compares what n bytes in buffers are.
func (c *callRun) receivedVector(parts []*Expr, bufs [][]byte, n int) {
	for i, x := range parts {
		m := min(n, len(bufs[i]))
		if m > 0 || x.Text == "" {
			c.received(x, bufs[i][:m])
		}
		n -= m
	}
}

func callReadv(c *callRun) {
	fd := c.fd(0)
	bufs, parts := c.vector(c.arg(1))
	c.do = func() (int, error) { return c.r.sys.Readv(fd, bufs) }
	c.then = func(n int) { c.receivedVector(parts, bufs, n) }
}

func callWritev(c *callRun) {
	fd := c.fd(0)
	bufs, _ := c.vector(c.arg(1))
	c.do = func() (int, error) { return c.r.sys.Writev(fd, bufs) }
}

func callRecv(c *callRun) {
	fd, x, flags := c.fd(0), c.arg(1), c.int(3, 0)
	b, addr, from, length := make([]byte, c.size(2, 4096)), make([]byte, longestAddress), c.arg(4), c.arg(5)
	if len(c.call.Args) < 6 || from.Kind == ExprSymbol || from.Kind == ExprInt {
		addr = nil
	}
	alen := 0
	c.do = func() (n int, err error) {
		n, alen, err = c.r.sys.Recvfrom(fd, b, flags, addr)
		return n, err
	}
	c.then = func(n int) {
		c.received(x, b[:min(n, len(b))])
		c.sameAddress("the address", from, addr[:min(alen, len(addr))])
		if addr != nil {
			c.sameLength("the address", length, alen)
		}
	}
}

func callSend(c *callRun) {
	fd, b, flags := c.fd(0), c.content(c.arg(1), c.size(2, c.textLen(1))), c.int(3, 0)
	var addr []byte
	if len(c.call.Args) == 6 {
		addr = c.addrLen(5, c.sockaddr(4, c.connectTo()))
	}
	c.do = func() (int, error) { return c.r.sys.Sendto(fd, b, flags, addr) }
}

func callShutdown(c *callRun) {
	fd, how := c.fd(0), c.int(1, 0)
	c.do = func() (int, error) { return 0, c.r.sys.Shutdown(fd, how) }
}

func callClose(c *callRun) {
	number := c.value(c.arg(0))
	fd := c.r.live(number)
	if c.r.files[number] {
		c.do = func() (int, error) { return 0, nil }
		c.then = func(int) { delete(c.r.files, number) }
		return
	}
	c.do = func() (int, error) { return 0, c.r.sys.Close(fd) }
	c.then = func(int) { c.r.forget(number, fd) }
}

func callFcntl(c *callRun) {
	fd, cmd, arg := c.fd(0), c.int(1, 0), c.int(2, 0)
	if cmd == int(constants["F_DUPFD"]) || cmd == int(constants["F_DUPFD_CLOEXEC"]) {
		c.opens = true
	}
	c.do = func() (int, error) { return c.r.sys.Fcntl(fd, cmd, arg) }
}

func callIoctl(c *callRun) {
	fd, request, x := c.fd(0), c.int(1, 0), c.arg(2)
	b := make([]byte, 4)
	want := x
	if x.Kind == ExprList && len(x.Items) == 1 {
		want = x.Items[0]
	}
	if want.Kind != ExprEllipsis {
		binary.LittleEndian.PutUint32(b, uint32(c.value(want)))
	}
	c.do = func() (int, error) { return c.r.sys.Ioctl(fd, uint(request), b) }
	c.then = func(int) {
		if x.Kind != ExprList || want.Kind == ExprEllipsis {
			return
		}
		if v := int64(int32(binary.LittleEndian.Uint32(b))); v != c.value(want) {
			c.differ("it gave %d, expected %d", v, c.value(want))
		}
	}
}

func callPipe(c *callRun) {
	x, flags := c.arg(0), c.int(1, 0)
	if x.Kind != ExprList || len(x.Items) != 2 {
		c.fail(x, "a pipe is written pipe([4, 5]) = 0")
		return
	}
	var r, w int
	c.do = func() (_ int, err error) {
		r, w, err = c.r.sys.Pipe2(flags)
		return 0, err
	}
	c.then = func(int) {
		c.r.fds[c.value(x.Items[0])], c.r.fds[c.value(x.Items[1])] = r, w
	}
}

// offset is an argument of splice and sendfile: NULL or [n].
func (c *callRun) offset(i int) *int64 {
	x := c.arg(i)
	if x.Kind == ExprList {
		v := c.value(x)
		return &v
	}
	return nil
}

func callSplice(c *callRun) {
	in, out, n, flags := c.fd(0), c.fd(2), c.size(4, 0), c.int(5, 0)
	from, to := c.offset(1), c.offset(3)
	c.do = func() (int, error) { return c.r.sys.Splice(in, from, out, to, n, flags) }
}

// callOpen makes a file of zeros, whatever its name: it serves sendfile.
func callOpen(c *callRun) {
	number := int64(-1)
	if c.call.Result.Kind != ExprEllipsis {
		number = c.value(c.call.Result)
	}
	c.do = func() (int, error) { return int(number), nil }
	c.then = func(int) { c.r.files[number] = true }
}

func callSendfile(c *callRun) {
	out, in, n := c.fd(0), c.value(c.arg(1)), c.size(3, 0)
	if !c.r.files[in] {
		c.do = func() (int, error) { return -1, syscall.EBADF }
		return
	}
	c.do = func() (int, error) { return c.r.sys.SendfileZeros(out, n) }
}

// check compares the result with what was expected.
func (c *callRun) check() {
	var errno syscall.Errno
	if c.errno != nil && !errors.As(c.errno, &errno) {
		c.fail(nil, "%v", c.errno)
		return
	}
	n := int64(c.n)
	if c.errno != nil {
		n = -1
	}
	x := c.call.Result
	switch {
	case c.errno != nil && (c.call.Errno == "" || errnos[c.call.Errno] != errno):
		c.differ("it returned -1 %s (%s), expected %s", errnoName(errno), errno.Error(), c.expected())
		return
	case c.errno == nil && c.call.Errno != "":
		c.differ("it returned %d, expected %s", n, c.expected())
		return
	case x.Kind == ExprEllipsis:
		if c.opens && n >= 0 {
			c.r.fds[n] = c.n
		}
	case c.opens && c.errno == nil:
		v := c.value(x)
		if v < 0 {
			c.differ("it returned a descriptor, expected %d", v)
			break
		}
		c.r.fds[v] = c.n
	default:
		if v := c.value(x); c.err == nil && v != n {
			c.differ("it returned %d, expected %d", n, v)
			return
		}
	}
	if c.errno == nil && c.then != nil {
		c.then(c.n)
	}
}

func (c *callRun) expected() string {
	if c.call.Errno != "" {
		return "-1 " + c.call.Errno
	}
	if c.call.Result.Kind == ExprEllipsis {
		return "a success"
	}
	return fmt.Sprint(c.value(c.call.Result))
}
