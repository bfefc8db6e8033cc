package remote

import (
	"encoding/binary"
	"errors"
	"strings"
	"syscall"
	"unicode"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// ErrMessage tells of bytes that are no message of this format.
var ErrMessage = errors.New("remote: a malformed message")

// Reader takes values off a message. The first error sticks: after it every
// value is zero. What it returns as bytes is part of the message.
type Reader struct {
	b   []byte
	bad bool
}

// NewReader reads b.
func NewReader(b []byte) Reader { return Reader{b: b} }

// Fail makes every later read fail: a value made no sense.
func (r *Reader) Fail() { r.b, r.bad = nil, true }

// Err is nil if every value so far was there.
func (r *Reader) Err() error {
	if r.bad {
		return ErrMessage
	}
	return nil
}

// End is Err for a message that must be over here.
func (r *Reader) End() error {
	if len(r.b) > 0 {
		r.Fail()
	}
	return r.Err()
}

// Bytes takes n bytes.
func (r *Reader) Bytes(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.Fail()
		return nil
	}
	x := r.b[:n:n]
	r.b = r.b[n:]
	return x
}

// Uvarint takes a number of variable length, at most most.
func (r *Reader) Uvarint(most uint64) int {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > most {
		r.Fail()
		return 0
	}
	r.b = r.b[n:]
	return int(v)
}

// Uint8 takes one byte, at most most.
func (r *Reader) Uint8(most uint8) uint8 {
	if b := r.Bytes(1); b != nil {
		if b[0] <= most {
			return b[0]
		}
		r.Fail()
	}
	return 0
}

// Bool takes one byte that is 0 or 1.
func (r *Reader) Bool() bool { return r.Uint8(1) == 1 }

// Uint16 takes two bytes.
func (r *Reader) Uint16() uint16 {
	if b := r.Bytes(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Uint32 takes four bytes.
func (r *Reader) Uint32() uint32 {
	if b := r.Bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 takes eight bytes.
func (r *Reader) Uint64() uint64 {
	if b := r.Bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Int takes a signed number of four bytes.
func (r *Reader) Int() int { return int(int32(r.Uint32())) }

// Count takes a number of four bytes that is not negative and at most most.
func (r *Reader) Count(most int) int {
	n := r.Uint32()
	if uint64(n) > uint64(most) {
		r.Fail()
		return 0
	}
	return int(n)
}

// Block takes bytes that their number precedes, at most most.
func (r *Reader) Block(most int) []byte { return r.Bytes(r.Count(most)) }

// Text takes text for people, of at most most bytes, in which what does something to
// a terminal is blank.
func (r *Reader) Text(most int) string { return Plain(string(r.Block(most))) }

// Plain is a text of the other end in which what does something to a terminal is
// blank.
func Plain(text string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, text)
}

// Addr takes an address.
func (r *Reader) Addr() wire.Addr { return wire.Addr{Hi: r.Uint64(), Lo: r.Uint64()} }

// SockAddr takes a socket address.
func (r *Reader) SockAddr() core.SockAddr {
	return core.SockAddr{Addr: r.Addr(), Port: r.Uint16(), Scope: r.Uint32()}
}

// Errno takes an error number, 0 for none.
func (r *Reader) Errno() syscall.Errno { return syscall.Errno(r.Uint32()) }

func appendCount(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendAddr(b []byte, a wire.Addr) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, a.Hi), a.Lo)
}

func appendSockAddr(b []byte, a core.SockAddr) []byte {
	b = appendAddr(b, a.Addr)
	b = binary.LittleEndian.AppendUint16(b, a.Port)
	return binary.LittleEndian.AppendUint32(b, a.Scope)
}

func appendBlock(b, x []byte) []byte { return append(appendCount(b, len(x)), x...) }

func appendString(b []byte, s string) []byte { return append(appendCount(b, len(s)), s...) }

// appendError encodes nil or an errno; false for any other error, which
// crosses as EIO.
func appendError(b []byte, err error) ([]byte, bool) {
	if err == nil {
		return appendCount(b, 0), true
	}
	if e, ok := err.(syscall.Errno); ok {
		return appendCount(b, int(e)), true
	}
	return appendCount(b, int(syscall.EIO)), false
}

// errorOf is the error of an errno, nil for 0.
func errorOf(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}
