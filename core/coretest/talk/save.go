package talk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// stateVersion is that of what Save returns: one byte at the beginning, then the next
// port, the addresses, and the sockets by their number.
const stateVersion = 2

var errState = errors.New("talk: a state that ends too early")

// The flags of a saved socket.
const (
	savedListening = 1 << iota
	savedUp
	savedClosed
	savedNotify
	savedEnded
	savedInfo
	savedNext
)

func flags(on ...bool) (b byte) {
	for i, x := range on {
		if x {
			b |= 1 << i
		}
	}
	return b
}

// Save implements core.Saver. An operation that is under way is asked again.
func (h *talk) Save() []byte {
	be := binary.BigEndian
	b := be.AppendUint16([]byte{stateVersion}, h.port)
	b = be.AppendUint32(b, uint32(len(h.addrs)))
	for _, a := range slices.SortedFunc(maps.Keys(h.addrs), func(x, y wire.Addr) int { return slices.Compare(bytesOf(x), bytesOf(y)) }) {
		b = append(b, bytesOf(a)...)
	}
	b = be.AppendUint32(b, uint32(len(h.conns)))
	for _, id := range slices.Sorted(maps.Keys(h.conns)) {
		b = h.conns[id].save(b)
	}
	return b
}

func bytesOf(a wire.Addr) []byte {
	x := a.As16()
	return x[:]
}

func (c *conn) save(b []byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, uint32(c.id))
	for _, a := range []core.SockAddr{c.local, c.peer} {
		b = be.AppendUint32(be.AppendUint16(append(b, bytesOf(a.Addr)...), a.Port), a.Scope)
	}
	b = append(b, flags(c.listening, c.up, c.closed, c.notify, c.ended, c.info, c.next), byte(len(c.paths)))
	for _, a := range c.paths {
		b = append(b, bytesOf(a)...)
	}
	b = be.AppendUint16(be.AppendUint16(b, c.sent), c.heard)
	for _, n := range []int{c.retries, c.total, c.read, len(c.unacked)} {
		b = be.AppendUint32(b, uint32(n))
	}
	for _, s := range c.unacked {
		b = append(be.AppendUint32(b, uint32(len(s))), s...)
	}
	return b
}

// reader takes values off a state; what is not there is zero, and noted.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) bytes(n int) []byte {
	if n > len(r.b) {
		r.b, r.bad = nil, true
		return make([]byte, min(n, 16))
	}
	x := r.b[:n]
	r.b = r.b[n:]
	return x
}

func (r *reader) u8() byte    { return r.bytes(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.bytes(2)) }
func (r *reader) u32() int    { return int(binary.BigEndian.Uint32(r.bytes(4))) }
func (r *reader) addr() wire.Addr {
	a, _ := wire.AddrFromSlice(r.bytes(16))
	return a
}
func (r *reader) sockAddr() core.SockAddr {
	return core.SockAddr{Addr: r.addr(), Port: r.u16(), Scope: uint32(r.u32())}
}

// Restore implements core.Saver.
func (h *talk) Restore(state []byte) error {
	r := &reader{b: state}
	if v := r.u8(); v != stateVersion {
		return fmt.Errorf("talk: a state of version %d, this is %d", v, stateVersion)
	}
	h.port = r.u16()
	for n := r.u32(); n > 0 && !r.bad; n-- {
		h.addrs[r.addr()] = true
	}
	for n := r.u32(); n > 0 && !r.bad; n-- {
		c := r.conn()
		h.conns[c.id] = c
	}
	if r.bad || len(r.b) > 0 {
		return errState
	}
	return nil
}

func (r *reader) conn() *conn {
	c := &conn{id: core.SocketID(r.u32()), local: r.sockAddr(), peer: r.sockAddr()}
	f := r.u8()
	c.listening, c.up, c.closed = f&savedListening != 0, f&savedUp != 0, f&savedClosed != 0
	c.notify, c.ended = f&savedNotify != 0, f&savedEnded != 0
	c.info, c.next = f&savedInfo != 0, f&savedNext != 0
	for n := r.u8(); n > 0; n-- {
		c.paths = append(c.paths, r.addr())
	}
	c.sent, c.heard = r.u16(), r.u16()
	c.retries, c.total, c.read = r.u32(), r.u32(), r.u32()
	for n := r.u32(); n > 0 && !r.bad; n-- {
		c.unacked = append(c.unacked, append([]byte(nil), r.bytes(r.u32())...))
	}
	return c
}
