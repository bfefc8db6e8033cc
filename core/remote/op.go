package remote

import (
	"encoding/binary"

	"github.com/libos-go/libos/core"
)

// maxOptionData bounds the value of a socket option.
const maxOptionData = 1 << 16

const allOpFlags = core.OpReuseAddr | core.OpReusePort | core.OpV6Only | core.OpDissolve

// appendOp encodes what an operation asks. Of an option that is read only the
// room for its value crosses.
func appendOp(b []byte, op *core.Op) []byte {
	le := binary.LittleEndian
	b = append(b, byte(op.Kind), byte(op.Flags))
	b = le.AppendUint32(b, op.Tag)
	b = le.AppendUint32(b, uint32(op.Socket))
	for _, v := range [8]int{op.Family, op.Type, op.Device, op.Value, op.Level, op.Name, op.ReceiveBuffer, op.SendBuffer} {
		b = le.AppendUint32(b, uint32(int32(v)))
	}
	b = appendSockAddr(appendSockAddr(b, op.Addr), op.Local)
	b = le.AppendUint16(b, op.Ports.Low)
	b = le.AppendUint16(b, op.Ports.High)
	b = appendString(b, op.Ports.Reserved)
	if op.Kind == core.OpGetOption {
		return appendCount(b, min(len(op.Data), maxOptionData))
	}
	return appendBlock(b, op.Data[:min(len(op.Data), maxOptionData)])
}

// op takes what appendOp encoded. op.Data is part of the message, or new room
// for the value of an option.
func (r *Reader) op(op *core.Op) error {
	*op = core.Op{Kind: core.OpKind(r.Uint8(uint8(core.OpGetOption))), Flags: core.OpFlags(r.Uint8(uint8(allOpFlags))),
		Tag: r.Uint32(), Socket: core.SocketID(r.Uint32()),
		Family: r.Int(), Type: r.Int(), Device: r.Int(), Value: r.Int(), Level: r.Int(), Name: r.Int(), ReceiveBuffer: r.Int(), SendBuffer: r.Int(),
		Addr: r.SockAddr(), Local: r.SockAddr(), Ports: core.PortRange{Low: r.Uint16(), High: r.Uint16()}}
	op.Ports.Reserved = string(r.Block(maxText))
	if op.Kind == core.OpGetOption {
		n := r.Count(maxOptionData)
		if r.End() == nil {
			op.Data = make([]byte, n)
		}
		return r.Err()
	}
	op.Data = r.Block(maxOptionData)
	return r.End()
}

// maxText bounds strings.
const maxText = 1 << 14

// appendDone encodes the results of an operation; false if its error is no
// errno.
func appendDone(b []byte, op *core.Op) ([]byte, bool) {
	b = append(b, byte(op.Kind))
	b = binary.LittleEndian.AppendUint32(b, op.Tag)
	b = binary.LittleEndian.AppendUint32(b, uint32(op.Socket))
	b = appendSockAddr(appendSockAddr(b, op.Local), op.Peer)
	b = appendBool(b, op.Given.Set)
	b = binary.LittleEndian.AppendUint32(b, op.Given.Own)
	b = binary.LittleEndian.AppendUint32(b, op.Given.Next)
	b, ok := appendError(b, op.Err)
	if op.Kind != core.OpGetOption {
		return appendBlock(b, nil), ok
	}
	return appendBlock(b, op.Data[:min(len(op.Data), maxOptionData)]), ok
}

// done takes what appendDone encoded. op.Data is part of the message.
func (r *Reader) done(op *core.Op) error {
	*op = core.Op{Kind: core.OpKind(r.Uint8(uint8(core.OpGetOption))), Tag: r.Uint32(), Socket: core.SocketID(r.Uint32()),
		Local: r.SockAddr(), Peer: r.SockAddr(), Given: core.Given{Set: r.Bool(), Own: r.Uint32(), Next: r.Uint32()},
		Err: errorOf(r.Errno()), Done: true}
	op.Data = r.Block(maxOptionData)
	if op.Kind != core.OpGetOption && len(op.Data) > 0 {
		r.Fail()
	}
	return r.End()
}
