package packetdrill

import (
	"encoding/binary"
	"net/netip"
)

// The values of calls: arguments, bytes, addresses.

// arg is an argument, `...` where there is none.
func (c *callRun) arg(i int) *Expr {
	if i < len(c.call.Args) {
		return c.call.Args[i]
	}
	return &Expr{Line: c.line}
}

func (c *callRun) any(i int) bool { return c.arg(i).Kind == ExprEllipsis }

// value is a number.
func (c *callRun) value(x *Expr) int64 {
	switch x.Kind {
	case ExprInt:
		return x.Int
	case ExprSymbol:
		if v, ok := constants[x.Text]; ok {
			return v
		}
		if x.Text == "NULL" || x.Text == "INADDR_ANY" {
			return 0
		}
		if e, ok := errnoOf(x.Text); ok {
			return int64(e)
		}
		c.fail(x, "no constant is called %s: write its number", x.Text)
	case ExprList:
		if len(x.Items) == 1 {
			return c.value(x.Items[0])
		}
		c.fail(x, "a number is expected, not a list")
	case ExprApply:
		if len(x.Items) == 1 {
			v := c.value(x.Items[0])
			switch x.Text {
			case "htons", "ntohs":
				return int64(uint16(v)<<8 | uint16(v)>>8)
			case "htonl", "ntohl":
				var b [4]byte
				binary.BigEndian.PutUint32(b[:], uint32(v))
				return int64(binary.LittleEndian.Uint32(b[:]))
			}
		}
		c.fail(x, "no function %s is known here: htons, htonl, inet_addr, inet_pton", x.Text)
	case ExprBinary:
		a, b := c.value(x.Items[0]), c.value(x.Items[1])
		switch x.Text {
		case "|":
			return a | b
		case "&":
			return a & b
		case "*":
			return a * b
		case "<<":
			return a << (uint64(b) & 63)
		}
	case ExprEllipsis:
		c.fail(x, "... says no number, which is needed here")
	default:
		c.fail(x, "a number is expected")
	}
	return 0
}

// int is a number, otherwise where it is `...`.
func (c *callRun) int(i, otherwise int) int {
	if c.any(i) {
		return otherwise
	}
	return int(c.value(c.arg(i)))
}

// fd is the live descriptor behind the script's number; -1 for one that is not open.
func (c *callRun) fd(i int) int { return c.r.live(c.value(c.arg(i))) }

// mostBytes bounds a buffer of a script.
const mostBytes = 64 << 20

// size is a number of bytes.
func (c *callRun) size(i, otherwise int) int {
	n := c.int(i, otherwise)
	if n < 0 || n > mostBytes {
		c.fail(c.arg(i), "a buffer of %d bytes: %d is the most", n, mostBytes)
		return 0
	}
	return n
}

// content is n bytes to send: the text that was given, and zeros.
func (c *callRun) content(x *Expr, n int) []byte {
	b := make([]byte, n)
	switch x.Kind {
	case ExprString:
		copy(b, x.Text)
	case ExprEllipsis:
	case ExprSymbol:
		if x.Text == "NULL" {
			return nil
		}
		c.fail(x, `what is sent is written as "text" or ...`)
	default:
		if x.Kind == ExprInt && x.Int == 0 {
			return nil
		}
		c.fail(x, `what is sent is written as "text" or ...`)
	}
	return b
}

// received compares what was read.
func (c *callRun) received(x *Expr, b []byte) {
	if x.Kind == ExprString && x.Text != string(b) {
		c.differ("it read %q, expected %q", clip(b), x.Text)
	}
}

func clip(b []byte) string {
	if len(b) > 80 {
		return string(b[:80]) + "…"
	}
	return string(b)
}

// sockaddr is an address to give to a call; otherwise stands for `...`.
func (c *callRun) sockaddr(i int, otherwise netip.AddrPort) []byte {
	return c.sockaddrOf(c.arg(i), otherwise)
}

func (c *callRun) sockaddrOf(x *Expr, otherwise netip.AddrPort) []byte {
	switch {
	case x.Kind == ExprEllipsis:
		return c.r.settings.sockaddr(otherwise)
	case x.Kind == ExprSymbol && x.Text == "NULL", x.Kind == ExprInt && x.Int == 0:
		return nil
	case x.Kind == ExprStruct:
		l, y := c.family(x)
		if l == nil {
			return make([]byte, 16) // AF_UNSPEC
		}
		return c.encode(l, y)
	}
	c.fail(x, "an address is {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"192.0.2.1\")}, NULL or ...")
	return nil
}

// family finds the layout of an address and gives sa_family the layout's name; nil
// for AF_UNSPEC.
func (c *callRun) family(x *Expr) (*layout, *Expr) {
	y := *x
	y.Fields = append([]Field(nil), x.Fields...)
	l := layoutOf("sockaddr_in")
	for i, f := range y.Fields {
		switch f.Name {
		case "sa_family", "sin_family", "sin6_family":
			v := constants["AF_INET"]
			if f.Value.Kind != ExprEllipsis {
				v = c.value(f.Value)
			} else if c.r.settings.IPVersion != IPv4 {
				v = constants["AF_INET6"]
			}
			switch v {
			case constants["AF_INET"]:
				y.Fields[i].Name = "sin_family"
			case constants["AF_INET6"]:
				l = layoutOf("sockaddr_in6")
				y.Fields[i].Name = "sin6_family"
			case constants["AF_UNSPEC"]:
				return nil, &y
			}
		}
	}
	return l, &y
}

// sameAddress compares an address that a call gave.
func (c *callRun) sameAddress(what string, x *Expr, b []byte) {
	if x.Kind != ExprStruct {
		return
	}
	if l, y := c.family(x); l != nil {
		c.compare(what, l, y, b)
	}
}

// sockaddr is an address in the layout that the run's sockets use.
func (s *Settings) sockaddr(a netip.AddrPort) []byte {
	b := make([]byte, 28)
	addr := a.Addr()
	if addr.Is4() && s.IPVersion == IPv4 {
		b = b[:16]
		binary.LittleEndian.PutUint16(b, uint16(constants["AF_INET"]))
		copy(b[4:], addr.AsSlice())
	} else {
		binary.LittleEndian.PutUint16(b, uint16(constants["AF_INET6"]))
		a16 := addr.As16()
		copy(b[8:], a16[:])
	}
	binary.BigEndian.PutUint16(b[2:], a.Port())
	return b
}

// parseSockaddr reads an address of a call.
func parseSockaddr(b []byte) netip.AddrPort {
	if len(b) < 16 {
		return netip.AddrPort{}
	}
	p := binary.BigEndian.Uint16(b[2:])
	switch int64(binary.LittleEndian.Uint16(b)) {
	case constants["AF_INET"]:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:])), p)
	case constants["AF_INET6"]:
		if len(b) >= 24 {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte(b[8:])).Unmap(), p)
		}
	}
	return netip.AddrPort{}
}

func (c *callRun) bindTo() netip.AddrPort {
	s := &c.r.settings
	return netip.AddrPortFrom(s.local(c.r.wireV6()), uint16(s.BindPort))
}

func (c *callRun) connectTo() netip.AddrPort {
	s := &c.r.settings
	return netip.AddrPortFrom(s.remote(c.r.wireV6()), uint16(s.ConnectPort))
}

// inFamily is the length of an address to receive.
const longestAddress = 128
