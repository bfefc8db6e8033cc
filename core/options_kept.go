package core

import (
	"encoding/binary"
	"slices"
	"syscall"
)

// keptOption is an option that a socket keeps for its program and that changes
// nothing here: the hardware, the scheduler or the packets that it is about do not
// exist, or what it hints at needs no hint. A program that sets it reads it back.
type keptOption struct {
	level, name int
	preset      int64
	least, most int64
	readOnly    bool
	normal      bool // any value but 0 is 1
	datagram    bool // EINVAL on a stream
}

const anyInt = 1<<31 - 1

// keptOptions are those, by level and name (include/uapi/asm-generic/socket.h,
// linux/in.h, linux/in6.h).
func keptOptions(level int) []keptOption {
	flag := func(name int) keptOption {
		return keptOption{level: level, name: name, least: -anyInt - 1, most: anyInt, normal: true}
	}
	number := func(name int, preset, least, most int64) keptOption {
		return keptOption{level: level, name: name, preset: preset, least: least, most: most}
	}
	fixed := func(name int, value int64) keptOption {
		return keptOption{level: level, name: name, preset: value, readOnly: true}
	}
	refused := func(name int) keptOption {
		return keptOption{level: level, name: name, least: 1, most: 0}
	}
	datagram := func(name int) keptOption {
		k := flag(name)
		k.datagram = true
		return k
	}
	switch level {
	case SolSocket:
		return []keptOption{
			flag(1), fixed(14, 0), flag(40), flag(41), flag(43), flag(45), // SO_DEBUG, SO_BSDCOMPAT, SO_RXQ_OVFL, SO_WIFI_STATUS, SO_NOFCS, SO_SELECT_ERR_QUEUE
			number(46, 0, 0, anyInt),                                       // SO_BUSY_POLL
			fixed(48, 64), number(49, -1, -anyInt-1, anyInt), fixed(56, 0), // SO_BPF_EXTENSIONS, SO_INCOMING_CPU, SO_INCOMING_NAPI_ID
			flag(69), number(73, 0, 0, anyInt), // SO_PREFER_BUSY_POLL, SO_RESERVE_MEM
			number(soTxRehash, 1, -1, 1), flag(75), // SO_TXREHASH, SO_RCVMARK
		}
	case SolIP:
		return []keptOption{
			refused(5), flag(6), flag(7), flag(18), flag(19), flag(20), number(21, 0, 0, 255), // IP_ROUTER_ALERT, IP_RECVOPTS, IP_RETOPTS, IP_PASSSEC, IP_TRANSPARENT, IP_RECVORIGDSTADDR, IP_MINTTL
			fixed(22, 0), flag(23), flag(24), datagram(25), number(26, 0, 0, 1), flag(IPRecvErr), // IP_NODEFRAG, IP_CHECKSUM, IP_BIND_ADDRESS_NO_PORT, IP_RECVFRAGSIZE, IP_RECVERR_RFC4884
		}
	case SolIPv6:
		return []keptOption{
			flag(2), flag(3), flag(4), flag(5), flag(8), flag(11), flag(30), flag(31), // IPV6_2292PKTINFO …, IPV6_FLOWINFO, IPV6_ROUTER_ALERT_ISOLATE, IPV6_RECVERR_RFC4884
			flag(33), flag(53), flag(56), flag(58), flag(60), {level: level, name: 70, preset: 1, least: -anyInt - 1, most: anyInt, normal: true}, // IPV6_FLOWINFO_SEND, IPV6_RECVHOPOPTS, IPV6_RECVRTHDR, IPV6_RECVDSTOPTS, IPV6_RECVPATHMTU, IPV6_AUTOFLOWLABEL
			number(73, 0, 0, 255), flag(74), flag(75), flag(77), flag(IPv6RecvErr), // IPV6_MINHOPCOUNT, IPV6_RECVORIGDSTADDR, IPV6_TRANSPARENT, IPV6_RECVFRAGSIZE
		}
	}
	return nil
}

// keptValue is one that was set.
type keptValue struct {
	level, name uint8
	value       int64
}

func findKept(level, name int) (keptOption, bool) {
	for _, k := range keptOptions(level) {
		if k.name == name {
			return k, true
		}
	}
	return keptOption{}, false
}

// setKept sets an option that the socket only keeps.
func (s *Socket) setKept(level, name int, b []byte) (handled bool, err error) {
	k, ok := findKept(level, name)
	if !ok || k.readOnly {
		return false, nil
	}
	n, err := intValue(b)
	if err != nil {
		return true, err
	}
	v := int64(n)
	if v < k.least || v > k.most || k.datagram && s.typ == SockStream {
		return true, syscall.EINVAL
	}
	if k.normal && v != 0 {
		v = 1
	}
	o := s.own()
	kept := slices.DeleteFunc(slices.Clone(o.kept), func(x keptValue) bool { return int(x.level) == level && int(x.name) == name })
	o.kept = append(kept, keptValue{uint8(level), uint8(name), v})
	return true, nil
}

// keptNow is the value of an option that the socket only keeps, as it was set or as
// it is by itself.
func (s *Socket) keptNow(level int, k keptOption) int64 {
	for _, x := range s.options.kept {
		if int(x.level) == level && int(x.name) == k.name {
			return x.value
		}
	}
	return k.preset
}

// keptOption reads one.
func (s *Socket) keptOption(level, name int, buf []byte) (n int, handled bool, err error) {
	k, ok := findKept(level, name)
	switch {
	case !ok:
		return 0, false, nil
	case level == SolSocket && name == soTxRehash && s.typ != SockStream:
		return 0, true, syscall.EOPNOTSUPP
	}
	return putInt(buf, int(s.keptNow(level, k)))
}

// Options of SOL_SOCKET that tell of the socket.
const (
	soPeerCred       = 17
	soPeerName       = 28
	soMemInfo        = 55
	soCookie         = 57
	soTimestampNew   = 63
	soTimestampNSNew = 64
	soRcvTimeoNew    = 66
	soSndTimeoNew    = 67
	soBufLock        = 72
	soTxRehash       = 74
)

// alias is the option that one of a 64-bit time means: the layouts are the same here.
func alias(name int) int {
	switch name {
	case soTimestampNew:
		return SoTimestamp
	case soTimestampNSNew:
		return SoTimestampNS
	case soRcvTimeoNew:
		return SoRcvTimeo
	case soSndTimeoNew:
		return SoSndTimeo
	}
	return name
}

// tellSocket reads what the socket tells of itself.
func (s *Socket) tellSocket(name int, buf []byte) (n int, handled bool, err error) {
	ne := binary.NativeEndian
	o := s.options
	var b []byte
	switch name {
	case SoNoCheck:
		if s.typ != SockStream {
			return 0, false, nil
		}
		b = ne.AppendUint32(b, 0)
	case soPeerCred: // of a socket without such a peer
		b = ne.AppendUint32(ne.AppendUint32(ne.AppendUint32(b, 0), 1<<32-1), 1<<32-1)
	case SoAttachFilter: // as a reading, SO_GET_FILTER
		n, err := s.getFilter(buf)
		return n, true, err
	case SoLockFilter:
		b = ne.AppendUint32(b, uint32(bit(o.filterLocked)))
	case soPeerName:
		peer, ok := s.endpoint.Peer()
		if !ok {
			return 0, true, syscall.ENOTCONN
		}
		b = appendSockaddr(b, int(s.family), peer)
		if len(buf) < len(b) {
			return 0, true, syscall.EINVAL
		}
	case soCookie:
		if len(buf) < 8 {
			return 0, true, syscall.EINVAL
		}
		b = ne.AppendUint64(b, uint64(s.id))
	case soBufLock:
		b = ne.AppendUint32(b, uint32(bit(o.SendBufferSet)|bit(o.ReceiveBufferSet)<<1))
	case soMemInfo: // include/linux/sock_diag.h: SK_MEMINFO_RMEM_ALLOC …
		for _, v := range s.MemInfo() {
			b = ne.AppendUint32(b, v)
		}
	default:
		return 0, false, nil
	}
	return copy(buf, b), true, nil
}

// MemInfo is what SO_MEMINFO tells. Inside an entry.
func (s *Socket) MemInfo() [9]uint32 {
	in, out, lost := 0, 0, uint32(0)
	if e, ok := s.endpoint.(interface{ Held() (received, sent int) }); ok {
		in, out = e.Held()
	}
	if e, ok := s.endpoint.(*datagramEndpoint); ok {
		lost = e.lost
	}
	b := s.buffers()
	return [9]uint32{uint32(in), uint32(b.receive), 0, uint32(b.send), 0, uint32(out), 0, 0, lost}
}

// bufferSizes are what SO_SNDBUF and SO_RCVBUF show.
type bufferSizes struct{ send, receive int32 }

// buffers are those of the protocol where it chooses them.
func (s *Socket) buffers() bufferSizes {
	x := bufferSizes{s.options.SendBuffer, s.options.ReceiveBuffer}
	if e, ok := s.endpoint.(interface{ Buffers() (send, receive int32) }); ok {
		send, receive := e.Buffers()
		if !s.options.SendBufferSet {
			x.send = send
		}
		if !s.options.ReceiveBufferSet {
			x.receive = receive
		}
	}
	return x
}

// appendSockaddr appends a struct sockaddr_in or sockaddr_in6.
func appendSockaddr(b []byte, family int, a SockAddr) []byte {
	ne := binary.NativeEndian
	b = binary.BigEndian.AppendUint16(ne.AppendUint16(b, uint16(family)), a.Port)
	if family == afInet {
		v4 := a.Addr.As4()
		return append(append(b, v4[:]...), make([]byte, 8)...)
	}
	v6 := a.Addr.As16()
	return ne.AppendUint32(append(append(b, 0, 0, 0, 0), v6[:]...), a.Scope)
}
