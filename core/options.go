package core

import (
	"encoding/binary"
	"syscall"
	"time"

	"github.com/libos-go/libos/core/wire"
)

// Option levels and names with Linux's numbers.
const (
	SolSocket = 1
	SolIP     = 0
	SolTCP    = 6
	SolUDP    = 17
	SolIPv6   = 41

	SoReuseAddr    = 2
	SoType         = 3
	SoError        = 4
	SoDontRoute    = 5
	SoBroadcast    = 6
	SoSndBuf       = 7
	SoRcvBuf       = 8
	SoKeepalive    = 9
	SoOOBInline    = 10
	SoNoCheck      = 11
	SoPriority     = 12
	SoLinger       = 13
	SoReusePort    = 15
	SoRcvLowat     = 18
	SoRcvTimeo     = 20
	SoSndTimeo     = 21
	SoBindToDevice = 25
	SoAcceptConn   = 30
	SoMark         = 36
	SoProtocol     = 38
	SoDomain       = 39

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
	IPv6RecvPktInfo   = 49
	IPv6RecvHopLimit  = 51
	IPv6RecvTClass    = 66
	IPv6TClass        = 67
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
	Mark               uint32
	Priority           int32
	ReceiveLowat       int32
	ReceiveTimeout     time.Duration
	SendTimeout        time.Duration
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
	DontRoute          bool
	RecvPacketInfo     bool
	RecvTOS            bool
	RecvHopLimit       bool
	ReceiveBufferSet   bool // by the user: no auto-tuning
	SendBufferSet      bool
}

// defaultSocketOptions are Linux's defaults (net.core.rmem_default, wmem_default).
func defaultSocketOptions() SocketOptions {
	return SocketOptions{ReceiveBuffer: 212992, SendBuffer: 212992, Linger: -1, MulticastHops: 1, MulticastLoop: true,
		PMTUDiscover: PMTUWant, ReceiveLowat: 1}
}

const (
	minBuffer = 2304
	maxBuffer = 64 << 20
)

// stamp sets what options say on an outgoing datagram with n bytes of the user.
func (o *SocketOptions) stamp(p *Packet, r *Route, n int) {
	p.TOS = o.TOS
	p.HopLimit = o.HopLimit
	if r.Type == RouteMulticast {
		p.HopLimit = o.MulticastHops
		if !o.MulticastLoop {
			p.Flags |= FlagNoLoop
		}
	}
	switch o.PMTUDiscover { // ip_dont_fragment, include/net/ip.h
	case PMTUDo, PMTUProbe:
		p.Flags |= FlagDontFragment
	case PMTUWant:
	default:
		p.Flags |= FlagMayFragment
	}
	if n+datagramOverhead <= r.MTU && r.Interface.offloads&OffloadTxChecksum != 0 {
		p.Flags |= FlagTxChecksum
	}
}

// datagramOverhead is the most that headers add to a datagram's bytes where it
// must be known beforehand whether it is sent whole: IPv6 and 12 bytes of a
// transport.
const datagramOverhead = 52

// SetOption sets a socket option as setsockopt(2) does. value is in the
// machine's byte order, as in C.
func (s *Socket) SetOption(level, name int, value []byte) error {
	return s.call(ReadyIn|ReadyOut, func() error {
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
	err := s.call(ReadyIn|ReadyOut, func() error {
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

func intValue(b []byte) (int, error) {
	switch {
	case len(b) >= 4:
		return int(int32(binary.NativeEndian.Uint32(b))), nil
	case len(b) >= 1:
		return int(b[0]), nil
	}
	return 0, syscall.EINVAL
}

func timeValue(b []byte) (time.Duration, error) {
	if len(b) < 16 {
		return 0, syscall.EINVAL
	}
	sec, usec := int64(binary.NativeEndian.Uint64(b)), int64(binary.NativeEndian.Uint64(b[8:]))
	if usec < 0 || usec >= 1e6 {
		return 0, syscall.EDOM
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
		return true, s.setSocketOption(name, b)
	case SolIP:
		return s.setIPOption(name, b)
	case SolIPv6:
		if s.family != afInet6 {
			return true, syscall.ENOPROTOOPT
		}
		return s.setIPv6Option(name, b)
	}
	return false, nil
}

func (s *Socket) setSocketOption(name int, b []byte) error {
	o := s.own()
	switch name {
	case SoLinger:
		if len(b) < 8 {
			return syscall.EINVAL
		}
		if binary.NativeEndian.Uint32(b) == 0 {
			o.Linger = -1
		} else {
			o.Linger = time.Duration(binary.NativeEndian.Uint32(b[4:])) * time.Second
		}
		return nil
	case SoBindToDevice:
		n := 0
		for n < len(b) && b[n] != 0 {
			n++
		}
		if n == 0 {
			o.Device = 0
			return s.bindingChanged(name)
		}
		ifc := s.instance.interfaceByName(string(b[:n]))
		if ifc == nil {
			return syscall.ENODEV
		}
		o.Device = int32(ifc.index)
		return s.bindingChanged(name)
	case SoRcvTimeo, SoSndTimeo:
		d, err := timeValue(b)
		if err != nil {
			return err
		}
		if name == SoRcvTimeo {
			o.ReceiveTimeout = d
		} else {
			o.SendTimeout = d
		}
		return nil
	}
	v, err := intValue(b)
	if err != nil {
		return err
	}
	switch name {
	case SoReuseAddr:
		o.ReuseAddr = v != 0
		return s.bindingChanged(name)
	case SoReusePort:
		o.ReusePort = v != 0
		return s.bindingChanged(name)
	case SoBroadcast:
		o.Broadcast = v != 0
	case SoKeepalive:
		o.Keepalive = v != 0
		s.optionChanged()
	case SoOOBInline:
		o.OOBInline = v != 0
	case SoDontRoute:
		o.DontRoute = v != 0
	case SoSndBuf:
		o.SendBuffer, o.SendBufferSet = int32(min(max(2*v, minBuffer*2), maxBuffer)), true
		s.optionChanged()
	case SoRcvBuf:
		o.ReceiveBuffer, o.ReceiveBufferSet = int32(min(max(2*v, minBuffer), maxBuffer)), true
		s.optionChanged()
	case SoRcvLowat:
		o.ReceiveLowat = int32(max(1, v))
	case SoMark:
		o.Mark = uint32(v)
	case SoPriority:
		o.Priority = int32(v)
	case SoType, SoError, SoAcceptConn, SoProtocol, SoDomain:
		return syscall.ENOPROTOOPT
	default:
		return syscall.ENOPROTOOPT
	}
	return nil
}

// bindingChanged tells an endpoint that wants to know of SO_REUSEADDR,
// SO_REUSEPORT and SO_BINDTODEVICE.
func (s *Socket) bindingChanged(name int) error {
	if e, ok := s.endpoint.(interface{ BindingChanged(int) error }); ok {
		return e.BindingChanged(name)
	}
	return nil
}

// optionChanged tells an endpoint that wants to know (keepalive, buffers).
func (s *Socket) optionChanged() {
	if e, ok := s.endpoint.(interface{ OptionsChanged() }); ok {
		e.OptionsChanged()
	}
}

func (s *Socket) setIPOption(name int, b []byte) (bool, error) {
	o := s.own()
	switch name {
	case IPAddMembership, IPDropMembership:
		if len(b) < 8 {
			return true, syscall.EINVAL
		}
		group, _ := wire.AddrFromSlice(b[:4])
		local, _ := wire.AddrFromSlice(b[4:8])
		ifindex := 0
		if len(b) >= 12 {
			ifindex = int(int32(binary.NativeEndian.Uint32(b[8:])))
		}
		return true, s.membership(group, local, ifindex, name == IPAddMembership)
	case IPMulticastIF:
		var ifindex int
		switch {
		case len(b) >= 12:
			ifindex = int(int32(binary.NativeEndian.Uint32(b[8:])))
		case len(b) >= 4:
			a, _ := wire.AddrFromSlice(b[:4])
			if !a.IsUnspecified() {
				ifc := s.instance.interfaceWith(a)
				if ifc == nil {
					return true, syscall.EADDRNOTAVAIL
				}
				ifindex = ifc.index
			}
		default:
			return true, syscall.EINVAL
		}
		o.MulticastInterface = int32(ifindex)
		return true, nil
	}
	v, err := intValue(b)
	if err != nil {
		return true, err
	}
	switch name {
	case IPTOS:
		o.TOS = uint8(v)
	case IPTTL:
		if v != -1 && (v < 1 || v > 255) {
			return true, syscall.EINVAL
		}
		o.HopLimit = uint8(max(v, 0))
	case IPMulticastTTL:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		if v == -1 {
			v = 1
		}
		o.MulticastHops = uint8(v)
	case IPMulticastLoop:
		o.MulticastLoop = v != 0
	case IPMTUDiscover:
		if v < PMTUDont || v > 5 {
			return true, syscall.EINVAL
		}
		o.PMTUDiscover = uint8(v)
	case IPFreeBind:
		o.FreeBind = v != 0
	case IPPktInfo:
		o.RecvPacketInfo = v != 0
	case IPRecvTOS:
		o.RecvTOS = v != 0
	case IPRecvTTL:
		o.RecvHopLimit = v != 0
	default:
		return false, nil
	}
	return true, nil
}

func (s *Socket) setIPv6Option(name int, b []byte) (bool, error) {
	o := s.own()
	if name == IPv6JoinGroup || name == IPv6LeaveGroup {
		if len(b) < 20 {
			return true, syscall.EINVAL
		}
		group, _ := wire.AddrFromSlice(b[:16])
		return true, s.membership(group, wire.Addr{}, int(int32(binary.NativeEndian.Uint32(b[16:]))), name == IPv6JoinGroup)
	}
	v, err := intValue(b)
	if err != nil {
		return true, err
	}
	switch name {
	case IPv6V6Only:
		if a := s.endpoint.Local(); a.Port != 0 {
			return true, syscall.EINVAL
		}
		o.V6Only = v != 0
	case IPv6UnicastHops:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		o.HopLimit = uint8(max(v, 0))
	case IPv6MulticastHops:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		if v == -1 {
			v = 1
		}
		o.MulticastHops = uint8(v)
	case IPv6MulticastIF:
		if v != 0 && s.instance.InterfaceByIndex(v) == nil {
			return true, syscall.ENODEV
		}
		o.MulticastInterface = int32(v)
	case IPv6MulticastLoop:
		o.MulticastLoop = v != 0
	case IPv6MTUDiscover:
		if v < PMTUDont || v > 5 {
			return true, syscall.EINVAL
		}
		o.PMTUDiscover = uint8(v)
	case IPv6TClass:
		if v < -1 || v > 255 {
			return true, syscall.EINVAL
		}
		o.TOS = uint8(max(v, 0))
	case IPv6RecvPktInfo:
		o.RecvPacketInfo = v != 0
	case IPv6RecvTClass:
		o.RecvTOS = v != 0
	case IPv6RecvHopLimit:
		o.RecvHopLimit = v != 0
	default:
		return false, nil
	}
	return true, nil
}

// interfaceWith is the interface that has address a.
func (in *Instance) interfaceWith(a wire.Addr) *Interface {
	for _, ifc := range in.interfaces {
		if ifc != nil && ifc.Address(a) != nil {
			return ifc
		}
	}
	return nil
}

// membership joins or leaves a multicast group. What a socket joined it leaves
// when it is closed.
func (s *Socket) membership(group, local wire.Addr, ifindex int, join bool) error {
	if !group.IsMulticast() {
		return syscall.EINVAL
	}
	in := s.instance
	var ifc *Interface
	switch {
	case ifindex != 0:
		if ifc = in.InterfaceByIndex(ifindex); ifc == nil {
			return syscall.ENODEV
		}
	case !local.IsUnspecified():
		if ifc = in.interfaceWith(local); ifc == nil {
			return syscall.ENODEV
		}
	default:
		r, err := in.Route(RouteQuery{Dst: group})
		if err != nil {
			return syscall.ENODEV
		}
		ifc = r.Interface
	}
	key := membership{group, ifc}
	for i, m := range in.sockets.groups[s.id] {
		if m != key {
			continue
		}
		if join {
			return syscall.EADDRINUSE
		}
		list := in.sockets.groups[s.id]
		in.sockets.groups[s.id] = append(list[:i:i], list[i+1:]...)
		ifc.LeaveGroup(group)
		return nil
	}
	if !join {
		return syscall.EADDRNOTAVAIL
	}
	if len(in.sockets.groups[s.id]) >= maxMemberships {
		return syscall.ENOBUFS
	}
	if in.sockets.groups == nil {
		in.sockets.groups = make(map[SocketID][]membership)
	}
	in.sockets.groups[s.id] = append(in.sockets.groups[s.id], key)
	ifc.JoinGroup(group)
	return nil
}

// maxMemberships bounds the groups of one socket (net.ipv4.igmp_max_memberships).
const maxMemberships = 20

type membership struct {
	group wire.Addr
	ifc   *Interface
}

// coreOption reads what the core keeps.
func (s *Socket) coreOption(level, name int, buf []byte) (n int, handled bool, err error) {
	o := s.options
	var v int
	switch level {
	case SolSocket:
		switch name {
		case SoNoCheck:
			return 0, false, nil
		case SoLinger:
			var b [8]byte
			if o.Linger >= 0 {
				binary.NativeEndian.PutUint32(b[:], 1)
				binary.NativeEndian.PutUint32(b[4:], uint32(o.Linger/time.Second))
			}
			return copy(buf, b[:]), true, nil
		case SoRcvTimeo, SoSndTimeo:
			d := o.ReceiveTimeout
			if name == SoSndTimeo {
				d = o.SendTimeout
			}
			var b [16]byte
			binary.NativeEndian.PutUint64(b[:], uint64(d/time.Second))
			binary.NativeEndian.PutUint64(b[8:], uint64(d%time.Second/time.Microsecond))
			return copy(buf, b[:]), true, nil
		case SoBindToDevice:
			ifc := s.instance.InterfaceByIndex(int(o.Device))
			if ifc == nil {
				return 0, true, nil
			}
			return copy(buf, ifc.name+"\x00"), true, nil
		case SoError:
			v = int(s.err)
			s.err = 0
		case SoType:
			v = int(s.typ)
		case SoDomain:
			v = int(s.family)
		case SoProtocol:
			v = int(s.protocol)
			if p := s.instance.wiring.SocketKind(int(s.family), int(s.typ), int(s.protocol)); v == 0 && p >= 0 {
				if nums := s.instance.wiring.Protocols[p].Protocol.Numbers; len(nums) > 0 {
					v = int(nums[0])
				}
			}
		case SoAcceptConn:
			l, ok := s.endpoint.(interface{ Listening() bool })
			v = bit(ok && l.Listening())
		case SoReuseAddr:
			v = bit(o.ReuseAddr)
		case SoReusePort:
			v = bit(o.ReusePort)
		case SoBroadcast:
			v = bit(o.Broadcast)
		case SoKeepalive:
			v = bit(o.Keepalive)
		case SoOOBInline:
			v = bit(o.OOBInline)
		case SoDontRoute:
			v = bit(o.DontRoute)
		case SoSndBuf:
			v = int(o.SendBuffer)
		case SoRcvBuf:
			v = int(o.ReceiveBuffer)
		case SoRcvLowat:
			v = int(o.ReceiveLowat)
		case SoMark:
			v = int(o.Mark)
		case SoPriority:
			v = int(o.Priority)
		default:
			return 0, true, syscall.ENOPROTOOPT
		}
	case SolIP:
		switch name {
		case IPTOS:
			v = int(o.TOS)
		case IPTTL:
			v = int(o.HopLimit)
			if v == 0 {
				v = 64
			}
		case IPMulticastTTL:
			v = int(o.MulticastHops)
		case IPMulticastLoop:
			v = bit(o.MulticastLoop)
		case IPMTUDiscover:
			v = int(o.PMTUDiscover)
		case IPFreeBind:
			v = bit(o.FreeBind)
		case IPPktInfo:
			v = bit(o.RecvPacketInfo)
		case IPRecvTOS:
			v = bit(o.RecvTOS)
		case IPRecvTTL:
			v = bit(o.RecvHopLimit)
		case IPMTU:
			if v, err = s.pathMTU(); err != nil {
				return 0, true, err
			}
		default:
			return 0, false, nil
		}
	case SolIPv6:
		switch name {
		case IPv6V6Only:
			v = bit(o.V6Only)
		case IPv6UnicastHops:
			v = int(o.HopLimit)
			if v == 0 {
				v = 64
			}
		case IPv6MulticastHops:
			v = int(o.MulticastHops)
		case IPv6MulticastIF:
			v = int(o.MulticastInterface)
		case IPv6MulticastLoop:
			v = bit(o.MulticastLoop)
		case IPv6MTUDiscover:
			v = int(o.PMTUDiscover)
		case IPv6TClass:
			v = int(o.TOS)
		case IPv6RecvPktInfo:
			v = bit(o.RecvPacketInfo)
		case IPv6RecvTClass:
			v = bit(o.RecvTOS)
		case IPv6RecvHopLimit:
			v = bit(o.RecvHopLimit)
		case IPv6MTU:
			if v, err = s.pathMTU(); err != nil {
				return 0, true, err
			}
		default:
			return 0, false, nil
		}
	default:
		return 0, false, nil
	}
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(int32(v)))
	return copy(buf, b[:]), true, nil
}

func (s *Socket) pathMTU() (int, error) {
	peer, ok := s.endpoint.Peer()
	if !ok {
		return 0, syscall.ENOTCONN
	}
	r, err := s.instance.Route(RouteQuery{Dst: peer.Addr, Src: s.endpoint.Local().Addr, Interface: s.outInterface(peer)})
	if err != nil {
		return 0, err
	}
	return r.MTU, nil
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
