package netlink

import (
	"encoding/binary"
	"math"
	"syscall"

	"github.com/libos-go/libos/core/wire"
)

// A netlink message is a header, the fixed header of its kind and attributes, all
// aligned to four bytes and in the machine's byte order.

func align(n int) int { return (n + 3) &^ 3 }

// writer appends messages to b.
type writer struct {
	b  []byte
	at int // where the message begins that is being written
}

func (w *writer) begin(typ, flags uint16, seq, pid uint32) {
	ne := binary.NativeEndian
	w.at = len(w.b)
	w.b = ne.AppendUint32(w.b, 0)
	w.b = ne.AppendUint16(w.b, typ)
	w.b = ne.AppendUint16(w.b, flags)
	w.b = ne.AppendUint32(w.b, seq)
	w.b = ne.AppendUint32(w.b, pid)
}

// end completes the message with its length.
func (w *writer) end() {
	binary.NativeEndian.PutUint32(w.b[w.at:], uint32(len(w.b)-w.at))
	w.pad()
}

// drop takes the message back.
func (w *writer) drop() { w.b = w.b[:w.at] }

func (w *writer) pad() {
	for len(w.b)%4 != 0 {
		w.b = append(w.b, 0)
	}
}

func (w *writer) u8(v ...uint8)   { w.b = append(w.b, v...) }
func (w *writer) u16(v uint16)    { w.b = binary.NativeEndian.AppendUint16(w.b, v) }
func (w *writer) u32(v uint32)    { w.b = binary.NativeEndian.AppendUint32(w.b, v) }
func (w *writer) u64(v uint64)    { w.b = binary.NativeEndian.AppendUint64(w.b, v) }
func (w *writer) zeros(n int)     { w.b = append(w.b, make([]byte, n)...) }
func (w *writer) header(t, n int) { w.u16(uint16(4 + n)); w.u16(uint16(t)) }

func (w *writer) attr(typ int, data []byte) {
	w.header(typ, len(data))
	w.b = append(w.b, data...)
	w.pad()
}

func (w *writer) attr8(typ int, v uint8)   { w.header(typ, 1); w.u8(v); w.pad() }
func (w *writer) attr32(typ int, v uint32) { w.header(typ, 4); w.u32(v) }

// text is an attribute that ends with a zero byte.
func (w *writer) text(typ int, s string) {
	w.header(typ, len(s)+1)
	w.b = append(append(w.b, s...), 0)
	w.pad()
}

func (w *writer) addr(typ int, a wire.Addr) {
	if a.Is4() {
		v := a.As4()
		w.attr(typ, v[:])
		return
	}
	v := a.As16()
	w.attr(typ, v[:])
}

// nest begins an attribute of attributes, which endNest ends.
func (w *writer) nest(typ int) (at int) {
	at = len(w.b)
	w.header(typ, 0)
	return at
}

// endNest leaves out what is longer than an attribute can be.
func (w *writer) endNest(at int) {
	n := len(w.b) - at
	if n > math.MaxUint16 {
		w.b = w.b[:at]
		return
	}
	binary.NativeEndian.PutUint16(w.b[at:], uint16(n))
}

// attribute is one that was read; at is where it begins in its message.
type attribute struct {
	typ  int
	at   int
	data []byte
}

type attributes []attribute

// mostAttributes bounds how many are looked at: of one type the last counts, and
// there are fewer than a hundred types of any kind.
const mostAttributes = 256

// parseAttributes reads all of b, which begins at at in the message.
func parseAttributes(b []byte, at int) (attributes, error) {
	var out attributes
	for len(b) > 0 {
		if len(b) < 4 {
			return nil, refuseAt(at, syscall.EINVAL, "bytes after the last attribute")
		}
		n := int(binary.NativeEndian.Uint16(b))
		if n < 4 || n > len(b) {
			return nil, refuseAt(at, syscall.EINVAL, "attribute with a length that is not its own")
		}
		if len(out) == mostAttributes {
			return nil, refuseAt(at, syscall.EINVAL, "too many attributes")
		}
		typ := int(binary.NativeEndian.Uint16(b[2:])) & attrMask
		out = append(out, attribute{typ, at, b[4:n]})
		n = min(align(n), len(b))
		b, at = b[n:], at+n
	}
	return out, nil
}

// find is the last attribute of a type.
func (a attributes) find(typ int) (attribute, bool) {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i].typ == typ {
			return a[i], true
		}
	}
	return attribute{}, false
}

func (a attributes) has(typ int) bool {
	_, ok := a.find(typ)
	return ok
}

// u32 is 0 where there is no such attribute; EINVAL for one that is too short.
func (a attributes) u32(typ int) (uint32, error) {
	x, ok := a.find(typ)
	switch {
	case !ok:
		return 0, nil
	case len(x.data) < 4:
		return 0, refuseAt(x.at, syscall.EINVAL, "attribute is shorter than its four bytes")
	}
	return binary.NativeEndian.Uint32(x.data), nil
}

// text is an attribute's text up to its zero byte; EINVAL if that is not 1 to most
// bytes long.
func (a attributes) text(typ, most int) (string, bool, error) {
	x, ok := a.find(typ)
	if !ok {
		return "", false, nil
	}
	n := 0
	for n < len(x.data) && x.data[n] != 0 {
		n++
	}
	if n == 0 || n > most {
		return "", true, refuseAt(x.at, syscall.EINVAL, "attribute is no text of a fitting length")
	}
	return string(x.data[:n]), true, nil
}

// addr is an address of a family; EINVAL for another length, or for an IPv4 address
// dressed as IPv6, which is none here.
func (a attributes) addr(typ int, family uint8) (out wire.Addr, has bool, err error) {
	x, ok := a.find(typ)
	if !ok {
		return wire.Addr{}, false, nil
	}
	n := 16
	if family == afInet {
		n = 4
	}
	if len(x.data) < n {
		return out, true, refuseAt(x.at, syscall.EINVAL, "address is too short for its family")
	}
	out, _ = wire.AddrFromSlice(x.data[:n])
	if out.Is4() != (family == afInet) {
		return out, true, refuseAt(x.at, syscall.EINVAL, "IPv4 address in IPv6")
	}
	return out, true, nil
}

// refusal is why a request failed: an errno, and for who set NETLINK_EXT_ACK words
// and where in the request the fault is (0 for nowhere).
type refusal struct {
	errno syscall.Errno
	text  string
	at    int
}

func (r *refusal) Error() string { return r.text + ": " + r.errno.Error() }

func refuse(errno syscall.Errno, text string) error { return &refusal{errno: errno, text: text} }

func refuseAt(at int, errno syscall.Errno, text string) error {
	return &refusal{errno: errno, text: text, at: at}
}
