package core

import (
	"encoding/binary"
	"math"
	"syscall"
	"time"

	"github.com/libos-go/libos/core/bpf"
	"github.com/libos-go/libos/core/wire"
)

// Option levels and names with Linux's numbers.
const (
	SolSocket = 1
	SolIP     = 0
	SolTCP    = 6
	SolUDP    = 17
	SolIPv6   = 41

	SolUDPLite = 136

	TCPInq = 36 // TCP_INQ, and its control message TCP_CM_INQ

	SoReuseAddr     = 2
	SoType          = 3
	SoError         = 4
	SoDontRoute     = 5
	SoBroadcast     = 6
	SoSndBuf        = 7
	SoRcvBuf        = 8
	SoKeepalive     = 9
	SoOOBInline     = 10
	SoNoCheck       = 11
	SoPriority      = 12
	SoLinger        = 13
	SoReusePort     = 15
	SoRcvLowat      = 18
	SoSndLowat      = 19
	SoRcvTimeo      = 20
	SoSndTimeo      = 21
	SoBindToDevice  = 25
	SoTimestamp     = 29
	SoAcceptConn    = 30
	SoSndBufForce   = 32
	SoRcvBufForce   = 33
	SoTimestampNS   = 35
	SoMaxPacingRate = 47
	SoMark          = 36
	SoProtocol      = 38
	SoDomain        = 39

	SoBindToIfindex = 62

	IPTOS            = 1
	IPTTL            = 2
	IPPktInfo        = 8
	IPMTUDiscover    = 10
	IPRecvErr        = 11
	IPRecvTTL        = 12
	IPRecvTOS        = 13
	IPMTU            = 14
	IPFreeBind       = 15
	IPMulticastIF    = 32
	IPMulticastTTL   = 33
	IPMulticastLoop  = 34
	IPAddMembership  = 35
	IPDropMembership = 36
	IPMulticastAll   = 49

	// At both levels, with a struct group_req.
	MCastJoinGroup  = 42
	MCastLeaveGroup = 45

	IPv6UnicastHops   = 16
	IPv6MulticastIF   = 17
	IPv6MulticastHops = 18
	IPv6MulticastLoop = 19
	IPv6JoinGroup     = 20
	IPv6LeaveGroup    = 21
	IPv6MTUDiscover   = 23
	IPv6MTU           = 24
	IPv6RecvErr       = 25
	IPv6V6Only        = 26
	IPv6MulticastAll  = 29
	IPv6RecvPktInfo   = 49
	IPv6PktInfo       = 50
	IPv6RecvHopLimit  = 51
	IPv6HopLimit      = 52
	IPv6DontFrag      = 62
	IPv6RecvTClass    = 66
	IPv6TClass        = 67
	IPv6FreeBind      = 78
)

// Path MTU discovery modes of IP_MTU_DISCOVER.
const (
	PMTUDont  = 0
	PMTUWant  = 1
	PMTUDo    = 2
	PMTUProbe = 3
)

// SocketOptions are the options that the core keeps for every socket.
type SocketOptions struct {
	ReceiveBuffer      int32 // bytes as the kernel doubles them
	SendBuffer         int32
	Linger             time.Duration // -1 off, 0 abort
	Device             int32         // SO_BINDTODEVICE, interface index
	MulticastInterface int32
	MulticastSource    wire.Addr // IP_MULTICAST_IF, if it named an address
	Mark               uint32
	Priority           int32
	ReceiveLowat       int32
	ReceiveTimeout     time.Duration // 0 none, below 0 at once
	SendTimeout        time.Duration
	MaxPacingRate      uint64 // SO_MAX_PACING_RATE in bytes a second, 0 for none; a discipline (fq) keeps it
	TOS                uint8
	HopLimit           uint8 // 0 asks for the default
	MulticastHops      uint8
	PMTUDiscover       uint8
	ReuseAddr          bool
	ReusePort          bool
	Broadcast          bool
	Keepalive          bool
	OOBInline          bool
	V6Only             bool
	FreeBind           bool
	MulticastLoop      bool
	MulticastAll       bool // IP_MULTICAST_ALL: also what others joined
	MulticastAll6      bool // IPV6_MULTICAST_ALL
	DontRoute          bool // SO_DONTROUTE: IPv4 to neighbours alone
	DontFragment       bool // IPV6_DONTFRAG
	RecvPacketInfo     bool // IP_PKTINFO: control messages wanted on receive
	RecvPacketInfo6    bool // IPV6_RECVPKTINFO, of IPv4 packets, too
	RecvTOS            bool // IP_RECVTOS
	RecvTClass         bool // IPV6_RECVTCLASS
	RecvTTL            bool // IP_RECVTTL
	RecvHopLimit       bool // IPV6_RECVHOPLIMIT
	RecvErr            bool // IP_RECVERR
	RecvErr6           bool // IPV6_RECVERR
	RecvTime           bool // SO_TIMESTAMP
	RecvTimeNS         bool // SO_TIMESTAMPNS
	ReceiveBufferSet   bool // by the user: no auto-tuning
	SendBufferSet      bool
	filter             *bpf.Program // SO_ATTACH_FILTER, nil for none
	filterLocked       bool         // SO_LOCK_FILTER
	timeNew            bool         // SO_TIMESTAMP_NEW: control messages have that name
	kept               []keptValue
}

// defaultSocketOptions are Linux's defaults (net.core.rmem_default, wmem_default).
func defaultSocketOptions() SocketOptions {
	return SocketOptions{ReceiveBuffer: 212992, SendBuffer: 212992, Linger: -1, MulticastHops: 1, MulticastLoop: true, MulticastAll: true, MulticastAll6: true,
		PMTUDiscover: PMTUWant, ReceiveLowat: 1}
}

const (
	minBuffer = 2304
	maxBuffer = 64 << 20
)

// SetOption sets a socket option as setsockopt(2) does. value is in the
// machine's byte order, as in C.
func (s *Socket) SetOption(level, name int, value []byte) error {
	return s.call(func() error {
		handled, err := s.setCoreOption(level, name, value)
		if handled {
			return err
		}
		return s.endpoint.SetOption(level, name, value)
	})
}

// SetInt is SetOption for an int.
func (s *Socket) SetInt(level, name, value int) error {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(int32(value)))
	return s.SetOption(level, name, b[:])
}

// Option reads a socket option as getsockopt(2) does and returns its length.
func (s *Socket) Option(level, name int, buf []byte) (int, error) {
	n := 0
	err := s.call(func() error {
		var handled bool
		var err error
		n, handled, err = s.coreOption(level, name, buf)
		if handled {
			return err
		}
		n, err = s.endpoint.Option(level, name, buf)
		return err
	})
	return n, err
}

// Int is Option for an int.
func (s *Socket) Int(level, name int) (int, error) {
	var b [4]byte
	if _, err := s.Option(level, name, b[:]); err != nil {
		return 0, err
	}
	return int(int32(binary.NativeEndian.Uint32(b[:]))), nil
}

// intValue is the value of an option that is an int.
func intValue(b []byte) (int, error) {
	if len(b) < 4 {
		return 0, syscall.EINVAL
	}
	return int(int32(binary.NativeEndian.Uint32(b))), nil
}

// byteValue is the value of an option that is an int or one unsigned byte.
func byteValue(b []byte) (int, error) {
	if len(b) > 0 && len(b) < 4 {
		return int(b[0]), nil
	}
	return intValue(b)
}

// timeValue is a struct timeval as SO_RCVTIMEO has it: 0 for no limit, which
// also one beyond the range is, and below 0 for no waiting at all
// (net/core/sock.c, sock_set_timeout).
func timeValue(b []byte) (time.Duration, error) {
	if len(b) < 16 {
		return 0, syscall.EINVAL
	}
	sec, usec := int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:]))
	if usec < 0 || usec >= 1e6 {
		return 0, syscall.EDOM
	}
	if sec < 0 {
		return -1, nil
	}
	if sec >= math.MaxInt64/int64(time.Second) {
		return 0, nil
	}
	return time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond, nil
}

// setCoreOption sets what the core keeps; handled is false for the protocol's.
func (s *Socket) setCoreOption(level, name int, b []byte) (handled bool, err error) {
	switch level {
	case SolSocket:
		if name == SoNoCheck {
			return false, nil
		}
		if kept, err := s.setKept(level, name, b); kept {
			return true, err
		}
		if handled, err := s.setFilter(name, b); handled {
			return true, err
		}
		return true, s.setSocketOption(name, b)
	case SolIP:
		if s.family != afInet && s.family != afInet6 {
			return false, nil
		}
		handled, err := s.setIPOption(name, b)
		if !handled && (err == nil || err == syscall.ENOPROTOOPT) {
			return s.setKept(level, name, b)
		}
		return handled, err
	case SolIPv6:
		if s.family != afInet6 {
			return true, syscall.ENOPROTOOPT
		}
		handled, err := s.setIPv6Option(name, b)
		if !handled && (err == nil || err == syscall.ENOPROTOOPT) {
			return s.setKept(level, name, b)
		}
		return handled, err
	}
	return false, nil
}

// coreOption reads what the core keeps; handled is false for the protocol's.
func (s *Socket) coreOption(level, name int, buf []byte) (n int, handled bool, err error) {
	switch level {
	case SolSocket:
		if n, told, err := s.tellSocket(name, buf); told {
			return n, true, err
		}
		if n, kept, err := s.keptOption(level, name, buf); kept {
			return n, true, err
		}
		return s.socketOption(name, buf)
	case SolIP:
		if s.family != afInet && s.family != afInet6 {
			return 0, false, nil
		}
		if n, handled, err = s.ipOption(name, buf); !handled {
			return s.keptOption(level, name, buf)
		}
		return n, handled, err
	case SolIPv6:
		if s.family != afInet6 {
			return 0, true, syscall.ENOPROTOOPT
		}
		if n, handled, err = s.ipv6Option(name, buf); !handled {
			return s.keptOption(level, name, buf)
		}
		return n, handled, err
	}
	return 0, false, nil
}

// putInt is the end of a getsockopt of an int.
func putInt(buf []byte, v int) (n int, handled bool, err error) {
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(int32(v)))
	return copy(buf, b[:]), true, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
