package netlink

import (
	"encoding/binary"
	"syscall"
)

// Sockets in lists: NETLINK_SOCK_DIAG, sock_diag(7) (net/core/sock_diag.c). Each
// address family has a request and an answer of its own.

const (
	sockDiagByFamily = 20
	sockDestroy      = 21

	afUnix    = 1
	afPacket  = 17
	afNetlink = 16
	afMost    = 46
)

// diagKind is what a request about sockets is, by the family in its first byte.
func diagKind(typ uint16, body []byte) (kind, error) {
	if typ != sockDiagByFamily && typ != sockDestroy {
		return kind{}, refuse(syscall.EINVAL, "there is no such request here")
	}
	if len(body) < 2 || body[0] >= afMost {
		return kind{}, refuse(syscall.EINVAL, "the request names no address family")
	}
	k := kind{}
	switch body[0] {
	case afInet, afInet6:
		if k = (kind{sizeofInetRequest, (*request).getInet, (*request).dumpInet}); typ == sockDestroy {
			k = kind{sizeofInetRequest, (*request).breakInet, nil}
		}
		return k, nil
	case afUnix: // those that programs have are the system's
		k = kind{24, nil, (*request).dumpNothing}
	case afPacket:
		k = kind{20, nil, (*request).dumpPacketSockets}
	case afNetlink:
		k = kind{20, nil, (*request).dumpNetlinkSockets}
	default:
		return k, refuse(syscall.ENOENT, "there are no sockets of that family")
	}
	if typ == sockDestroy {
		return k, refuse(syscall.EOPNOTSUPP, "sockets of that family cannot be broken")
	}
	return k, nil
}

func (r *request) dumpNothing() (*dump, error) { return listOf([]int{}, nil), nil }

// cookie writes a number of 64 bits as the two that sock_diag has.
func (w *writer) cookie(v uint64) {
	w.u32(uint32(v))
	w.u32(uint32(v >> 32))
}

// attr64 is an attribute of eight bytes.
func (w *writer) attr64(typ int, v uint64) {
	w.header(typ, 8)
	w.u64(v)
}

// u32At is a number in the fixed header.
func (r *request) u32At(at int) uint32 { return binary.NativeEndian.Uint32(r.fixed[at:]) }
