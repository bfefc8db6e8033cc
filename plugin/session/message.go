package session

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/remote"
)

// Messages of the session itself, beside those of core/remote.
const (
	kindOpen    remote.Kind = 240 + iota // to the module: Number is a handler of the protocol that is named
	kindMode                             // to the module: one byte, see below; the first message
	kindHandled                          // to the stack, in lockstep: one more message was worked on
	kindPing                             // to the module, in real time: asks for a kindPong
	kindPong                             // to the stack: everything before the kindPing was worked on
)

// Modes of a session.
const (
	modeStream   = 0
	modeLockstep = 1
)

// maxName bounds the names of protocols.
const maxName = 255

// maxHandlers bounds the handlers of one session: their numbers have two bytes.
const maxHandlers = 1 << 16

func appendName(b []byte, name string) []byte {
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(name))), name...)
}

// kind is what a message says it is; it has a header.
func kind(msg []byte) remote.Kind { return remote.Kind(msg[4]) }

// begin starts a message of the session.
func begin(b []byte, k remote.Kind, number int, now core.Time) []byte {
	b = remote.Begin(b, k, now)
	remote.SetNumber(b, number)
	return b
}
