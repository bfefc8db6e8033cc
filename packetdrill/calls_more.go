package packetdrill

import (
	"encoding/binary"
	"time"
)

// Messages, options and readiness: the calls whose arguments are structs.

// message is the argument of sendmsg and recvmsg.
type message struct {
	h          Msghdr
	parts      []*Expr
	name       *Expr
	control    *Expr
	flags      *Expr
	nameLength *Expr
}

func (c *callRun) message(x *Expr, sends bool) *message {
	m := &message{}
	if x.Kind != ExprStruct {
		c.fail(x, "a message is written {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0}")
		return m
	}
	for _, f := range x.Fields {
		v := f.Value
		switch f.Name {
		case "msg_name":
			m.name, m.nameLength = v, f.Len
			if sends {
				m.h.Name = c.sockaddrOf(v, c.connectTo())
			} else if v.Kind != ExprSymbol {
				m.h.Name = make([]byte, longestAddress)
			}
		case "msg_namelen":
			m.nameLength = v
		case "msg_iov":
			if v.Kind != ExprEllipsis {
				m.h.Iov, m.parts = c.vector(v)
			}
		case "msg_iovlen":
		case "msg_flags":
			m.flags = v
		case "msg_control":
			m.control = v
			switch {
			case v.Kind == ExprSymbol:
			case sends && v.Kind == ExprList:
				m.h.Control = c.controls(v)
			case !sends:
				n := int64(4096)
				if f.Len != nil && f.Len.Kind != ExprEllipsis {
					n = min(max(c.value(f.Len), 0), 1<<20)
				}
				m.h.Control = make([]byte, n)
			}
		case "msg_controllen":
			if !sends && v.Kind != ExprEllipsis {
				m.h.Control = make([]byte, min(max(c.value(v), 0), 1<<20))
			}
		default:
			c.fail(v, "struct msghdr has no field %q: msg_name(N), msg_iov(N), msg_control(N), msg_flags", f.Name)
		}
	}
	return m
}

// align8 is the alignment of control messages.
func align8(n int) int { return (n + 7) &^ 7 }

// controls makes control messages.
func (c *callRun) controls(x *Expr) (b []byte) {
	for _, m := range x.Items {
		level, typ, data := c.control(m)
		if data == nil {
			data = &Expr{Kind: ExprInt, Line: m.Line}
		}
		var d []byte
		if data.Kind == ExprEllipsis {
			d = make([]byte, 4)
		} else {
			d = c.bytes(data, 4)
		}
		start := len(b)
		b = binary.LittleEndian.AppendUint64(b, uint64(16+len(d)))
		b = binary.LittleEndian.AppendUint32(b, uint32(level))
		b = binary.LittleEndian.AppendUint32(b, uint32(typ))
		b = append(b, d...)
		b = append(b, make([]byte, start+align8(16+len(d))-len(b))...)
	}
	return b
}

// control reads {cmsg_level=…, cmsg_type=…, cmsg_data=…}.
func (c *callRun) control(m *Expr) (level, typ int64, data *Expr) {
	for _, f := range m.Fields {
		switch f.Name {
		case "cmsg_level":
			level = c.value(f.Value)
		case "cmsg_type":
			typ = c.value(f.Value)
		case "cmsg_data":
			data = f.Value
		case "cmsg_len":
		default:
			c.fail(m, "struct cmsghdr has no field %q: cmsg_len, cmsg_level, cmsg_type, cmsg_data", f.Name)
		}
	}
	return level, typ, data
}

// sameControls compares the control messages of a receive.
func (c *callRun) sameControls(x *Expr, b []byte) {
	if x == nil || x.Kind != ExprList {
		return
	}
	i := 0
	for len(b) >= 16 {
		n := int(binary.LittleEndian.Uint64(b))
		if n < 16 || n > len(b) {
			break
		}
		level, typ, data := int64(int32(binary.LittleEndian.Uint32(b[8:]))), int64(int32(binary.LittleEndian.Uint32(b[12:]))), b[16:n]
		b = b[min(align8(n), len(b)):]
		if i >= len(x.Items) {
			c.differ("a control message of level %d, type %d that was not expected", level, typ)
			i++
			continue
		}
		wantLevel, wantType, want := c.control(x.Items[i])
		i++
		if level != wantLevel || typ != wantType {
			c.differ("control message %d is of level %d, type %d, expected level %d, type %d", i, level, typ, wantLevel, wantType)
			continue
		}
		if want != nil {
			c.sameBytes("the control message", want, data)
		}
	}
	if i < len(x.Items) {
		c.differ("%d control messages, expected %d", i, len(x.Items))
	}
}

// bytes are the bytes of a value in n bytes, of a struct or of a text.
func (c *callRun) bytes(x *Expr, n int) []byte {
	switch x.Kind {
	case ExprString:
		return []byte(x.Text)
	case ExprStruct:
		if l := c.layout(x); l != nil {
			return c.encode(l, x)
		}
		return nil
	case ExprList:
		if len(x.Items) == 1 {
			return c.bytes(x.Items[0], n)
		}
		var b []byte
		for _, v := range x.Items {
			b = append(b, c.bytes(v, 4)...)
		}
		return b
	case ExprEllipsis:
		return make([]byte, n)
	case ExprApply:
		if x.Text == "inet_addr" || x.Text == "inet_pton" {
			return c.addressBytes(x, x.Text == "inet_pton")
		}
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(c.value(x)))
	if n > 8 {
		n = 4
	}
	return b[:n]
}

// layout is the struct that an expression writes.
func (c *callRun) layout(x *Expr) *layout {
	for _, f := range x.Fields {
		if f.Name == "sa_family" {
			l, _ := c.family(x)
			return l
		}
	}
	l := layoutFor(x)
	if l == nil {
		c.fail(x, "no struct with these fields is known: docs/packetdrill.md lists them")
	}
	return l
}

// sameBytes compares bytes with a value, a struct or a text.
func (c *callRun) sameBytes(what string, x *Expr, b []byte) {
	switch x.Kind {
	case ExprEllipsis:
	case ExprString:
		got := string(b)
		for len(got) > 0 && got[len(got)-1] == 0 {
			got = got[:len(got)-1]
		}
		if got != x.Text {
			c.differ("%s is %q, expected %q", what, got, x.Text)
		}
	case ExprStruct:
		if l := c.layout(x); l != nil {
			if l.field("sin_port") != nil || l.field("sin6_port") != nil {
				_, x = c.family(x)
			}
			c.compare(what, l, x, b)
		}
	case ExprList:
		if len(x.Items) == 1 {
			c.sameBytes(what, x.Items[0], b)
			return
		}
		for i, v := range x.Items {
			if len(b) < 4*i+4 {
				c.differ("%s has %d bytes, expected %d numbers", what, len(b), len(x.Items))
				return
			}
			c.sameBytes(what, v, b[4*i:4*i+4])
		}
	default:
		got := int64(0)
		for i := min(len(b), 8) - 1; i >= 0; i-- {
			got = got<<8 | int64(b[i])
		}
		want := c.value(x)
		if len(b) == 4 {
			got, want = int64(int32(got)), int64(int32(want))
		}
		if c.err == nil && got != want {
			c.differ("%s is %d, expected %d", what, got, want)
		}
	}
}

func callSendmsg(c *callRun) {
	fd, m, flags := c.fd(0), c.message(c.arg(1), true), c.int(2, 0)
	c.do = func() (int, error) { return c.r.sys.Sendmsg(fd, &m.h, flags) }
}

func callRecvmsg(c *callRun) {
	fd, m, flags := c.fd(0), c.message(c.arg(1), false), c.int(2, 0)
	c.do = func() (int, error) { return c.r.sys.Recvmsg(fd, &m.h, flags) }
	c.then = func(n int) { c.receivedMessage(m, &m.h, n) }
}

// receivedMessage compares a message of n bytes.
func (c *callRun) receivedMessage(m *message, h *Msghdr, n int) {
	c.receivedVector(m.parts, h.Iov, n)
	if m.name != nil {
		c.sameAddress("msg_name", m.name, h.Name[:min(h.NameLen, len(h.Name))])
	}
	if m.flags != nil && m.flags.Kind != ExprEllipsis {
		const cloexec = 0x40000000
		if v := c.value(m.flags); int64(h.Flags&^cloexec) != v {
			c.differ("msg_flags are %#x, expected %#x", h.Flags, v)
		}
	}
	c.sameControls(m.control, h.Control[:min(h.ControlLen, len(h.Control))])
}

// messages are the arguments of sendmmsg and recvmmsg: [{msg_hdr={…}, msg_len=N}, …].
// lengths are what is written as msg_len, nil for nothing.
func (c *callRun) messages(x *Expr, sends bool) (list []*message, lengths []*Expr) {
	if x.Kind != ExprList || len(x.Items) > 1024 {
		c.fail(x, "messages are written [{msg_hdr={msg_iov(1)=[{..., 1000}]}, msg_len=1000}, …], at most 1024 of them")
		return nil, nil
	}
	for _, v := range x.Items {
		var m *message
		var n *Expr
		for i, f := range v.Fields {
			switch {
			case f.Name == "msg_hdr", f.Name == "" && i == 0:
				m = c.message(f.Value, sends)
			case f.Name == "msg_len", f.Name == "" && i == 1:
				n = f.Value
			default:
				c.fail(f.Value, "struct mmsghdr has no field %q: msg_hdr, msg_len", f.Name)
			}
		}
		if m == nil {
			c.fail(v, "a struct mmsghdr without msg_hdr={…}")
			return nil, nil
		}
		list, lengths = append(list, m), append(lengths, n)
	}
	return list, lengths
}

// lengths compares msg_len of the first n messages.
func (c *callRun) lengths(want []*Expr, msgs []Mmsghdr, n int) {
	for i, x := range want[:min(max(n, 0), len(want))] {
		if x == nil || x.Kind == ExprEllipsis {
			continue
		}
		if v := c.value(x); v != int64(msgs[i].Len) {
			c.differ("msg_len of message %d is %d, expected %d", i+1, msgs[i].Len, v)
		}
	}
}

// count is how many of the messages an argument says, all for `...`.
func (c *callRun) count(i, all int) int {
	n := c.int(i, all)
	if n < 0 || n > all {
		c.fail(c.arg(i), "%d messages, and %d are written", n, all)
		return 0
	}
	return n
}

func callSendmmsg(c *callRun) {
	fd, flags := c.fd(0), c.int(3, 0)
	list, want := c.messages(c.arg(1), true)
	msgs := make([]Mmsghdr, c.count(2, len(list)))
	for i := range msgs {
		msgs[i].Msghdr = list[i].h
	}
	c.do = func() (int, error) { return c.r.sys.Sendmmsg(fd, msgs, flags) }
	c.then = func(n int) { c.lengths(want, msgs, n) }
}

func callRecvmmsg(c *callRun) {
	fd, flags := c.fd(0), c.int(3, 0)
	list, want := c.messages(c.arg(1), false)
	msgs := make([]Mmsghdr, c.count(2, len(list)))
	for i := range msgs {
		msgs[i].Msghdr = list[i].h
	}
	timeout := c.timespec(4)
	c.do = func() (int, error) { return c.r.sys.Recvmmsg(fd, msgs, flags, timeout) }
	c.then = func(n int) {
		c.lengths(want, msgs, n)
		for i := range min(n, len(msgs)) {
			c.receivedMessage(list[i], &msgs[i].Msghdr, msgs[i].Len)
		}
	}
}

// timespec is a timeout written {tv_sec=1, tv_nsec=0}; below 0 for NULL and `...`.
func (c *callRun) timespec(i int) time.Duration {
	x := c.arg(i)
	if x.Kind == ExprList && len(x.Items) == 1 {
		x = x.Items[0]
	}
	if x.Kind != ExprStruct {
		if x.Kind != ExprEllipsis && c.value(x) != 0 {
			c.fail(x, "a timeout is written {tv_sec=1, tv_nsec=0} or NULL")
		}
		return -1
	}
	b := c.encode(layoutOf("timespec"), x)
	sec, nsec := int64(binary.LittleEndian.Uint64(b)), int64(binary.LittleEndian.Uint64(b[8:]))
	if sec < 0 || sec > 86400 || nsec < 0 || nsec > 999999999 {
		c.fail(x, "a timeout of %d s and %d ns: at most a day, and less than a second of nanoseconds", sec, nsec)
	}
	return time.Duration(sec)*time.Second + time.Duration(nsec)
}

func callGetsockopt(c *callRun) {
	fd, level, name, x, length := c.fd(0), c.int(1, 0), c.int(2, 0), c.arg(3), c.arg(4)
	n := 512
	if length.Kind != ExprEllipsis && !(length.Kind == ExprList && len(length.Items) == 1 && length.Items[0].Kind == ExprEllipsis) {
		n = int(min(max(c.value(length), 0), 1<<16))
	}
	b := make([]byte, n)
	c.do = func() (_ int, err error) {
		n, err = c.r.sys.Getsockopt(fd, level, name, b)
		return 0, err
	}
	c.then = func(int) {
		c.sameBytes("the option", x, b[:min(n, len(b))])
		if x.Kind != ExprString && x.Kind != ExprStruct {
			c.sameLength("the option", length, n)
		}
	}
}

func callSetsockopt(c *callRun) {
	fd, level, name, x := c.fd(0), c.int(1, 0), c.int(2, 0), c.arg(3)
	n := c.int(4, -1)
	if n > 1<<16 {
		c.fail(c.arg(4), "an option of %d bytes: 65536 is the most", n)
		return
	}
	var b []byte
	if x.Kind != ExprSymbol || x.Text != "NULL" {
		if n == 1 || n == 2 || n == 8 {
			b = c.bytes(x, n)
		} else {
			b = c.bytes(x, 4)
		}
	}
	for n > len(b) {
		b = append(b, 0)
	}
	if n >= 0 {
		b = b[:n]
	}
	c.do = func() (int, error) { return 0, c.r.sys.Setsockopt(fd, level, name, b) }
}

// milliseconds is a timeout of poll and epoll_wait.
func (c *callRun) milliseconds(i int) time.Duration {
	n := c.int(i, -1)
	if n < 0 {
		return -1
	}
	return time.Duration(min(n, 86400000)) * time.Millisecond
}

// list takes {…} for [{…}].
func list(x *Expr) []*Expr {
	switch x.Kind {
	case ExprList:
		return x.Items
	case ExprStruct:
		return []*Expr{x}
	}
	return nil
}

func callPoll(c *callRun) {
	items, timeout := list(c.arg(0)), c.milliseconds(2)
	if len(items) > 1024 {
		c.fail(c.arg(0), "poll of more than 1024 descriptors")
		return
	}
	fds := make([]PollFD, len(items))
	want := make([]*Expr, len(items))
	for i, x := range items {
		for _, f := range x.Fields {
			switch f.Name {
			case "fd":
				fds[i].FD = int32(c.r.live(c.value(f.Value)))
			case "events":
				if f.Value.Kind != ExprEllipsis {
					fds[i].Events = int16(c.value(f.Value))
				}
			case "revents":
				want[i] = f.Value
			default:
				c.fail(x, "struct pollfd has no field %q: fd, events, revents", f.Name)
			}
		}
	}
	c.do = func() (int, error) { return c.r.sys.Poll(fds, timeout) }
	c.then = func(int) {
		for i, w := range want {
			if w == nil || w.Kind == ExprEllipsis {
				continue
			}
			if v := c.value(w); int16(v) != fds[i].Revents {
				c.differ("revents of entry %d are %s, expected %s", i+1, pollText(int64(uint16(fds[i].Revents))), pollText(v))
			}
		}
	}
}

// pollText names events of poll and epoll.
func pollText(v int64) string {
	s := ""
	for _, n := range []string{"POLLIN", "POLLPRI", "POLLOUT", "POLLERR", "POLLHUP", "POLLNVAL", "POLLRDNORM", "POLLRDBAND", "POLLWRNORM", "POLLWRBAND", "POLLRDHUP"} {
		if b := constants[n]; v&b != 0 {
			if s != "" {
				s += "|"
			}
			s += n
		}
	}
	if s == "" {
		return "0"
	}
	return s
}

func callEpollCreate(c *callRun) {
	flags := 0
	if c.call.Name == "epoll_create1" {
		flags = c.int(0, 0)
	}
	c.opens = true
	c.do = func() (int, error) { return c.r.sys.EpollCreate1(flags) }
}

func callEpollCtl(c *callRun) {
	ep, op, fd, x := c.fd(0), c.int(1, 0), c.fd(2), c.arg(3)
	var e *EpollEvent
	if x.Kind == ExprStruct {
		e = &EpollEvent{Data: uint64(c.value(c.arg(2)))}
		for _, f := range x.Fields {
			switch f.Name {
			case "events":
				e.Events = uint32(c.value(f.Value))
			case "fd", "data", "u32", "u64", "ptr":
				if f.Value.Kind != ExprEllipsis {
					e.Data = uint64(c.value(f.Value))
				}
			default:
				c.fail(x, "struct epoll_event has no field %q: events, fd, u32, u64, ptr", f.Name)
			}
		}
	} else if x.Kind == ExprEllipsis {
		e = &EpollEvent{Data: uint64(c.value(c.arg(2)))}
	}
	c.do = func() (int, error) { return 0, c.r.sys.EpollCtl(ep, op, fd, e) }
}

func callEpollWait(c *callRun) {
	ep, items, most, timeout := c.fd(0), list(c.arg(1)), c.int(2, 16), c.milliseconds(3)
	if most > 1024 {
		c.fail(c.arg(2), "epoll_wait for more than 1024 events")
		return
	}
	events := make([]EpollEvent, max(most, 0))
	c.do = func() (int, error) { return c.r.sys.EpollWait(ep, events, timeout) }
	c.then = func(n int) {
		for i, x := range items {
			if i >= n {
				break
			}
			for _, f := range x.Fields {
				if f.Value.Kind == ExprEllipsis {
					continue
				}
				v := c.value(f.Value)
				switch f.Name {
				case "events":
					if uint32(v) != events[i].Events {
						c.differ("events of entry %d are %s, expected %s", i+1, pollText(int64(events[i].Events)), pollText(v))
					}
				case "fd", "data", "u32", "u64", "ptr":
					if uint64(v) != events[i].Data {
						c.differ("%s of entry %d is %d, expected %d", f.Name, i+1, events[i].Data, v)
					}
				}
			}
		}
	}
}
