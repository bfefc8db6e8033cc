package core

import (
	"encoding/binary"
	"math"
	"syscall"
	"time"

	"github.com/libos-go/libos/core/wire"
)

func (s *Socket) setSocketOption(name int, b []byte) error {
	o := s.own()
	if name == SoTimestamp || name == SoTimestampNS || name == soTimestampNew || name == soTimestampNSNew {
		o.timeNew = name == soTimestampNew || name == soTimestampNSNew
	}
	name = alias(name)
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
		ifc := s.instance.interfaceByName(string(b[:min(n, interfaceNameSize-1)]))
		if ifc == nil {
			return syscall.ENODEV
		}
		o.Device = int32(ifc.index)
		return s.bindingChanged(name)
	case SoMaxPacingRate:
		v, err := pacingRate(b)
		if err != nil {
			return err
		}
		o.MaxPacingRate = v
		return nil
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
	case SoSndBuf, SoSndBufForce:
		o.SendBuffer, o.SendBufferSet = bufferSize(v, name == SoSndBufForce, 2*minBuffer, s.instance.buffers().SendMax), true
		s.optionChanged()
	case SoRcvBuf, SoRcvBufForce:
		o.ReceiveBuffer, o.ReceiveBufferSet = bufferSize(v, name == SoRcvBufForce, minBuffer, s.instance.buffers().ReceiveMax), true
		s.optionChanged()
	case SoRcvLowat:
		switch {
		case v < 0:
			v = math.MaxInt32
		case v == 0:
			v = 1
		}
		o.ReceiveLowat = int32(v)
		s.Wake(ReadyIn)
	case SoBindToIfindex:
		if v < 0 {
			return syscall.EINVAL
		}
		if v != 0 && s.instance.InterfaceByIndex(v) == nil {
			return syscall.ENODEV
		}
		o.Device = int32(v)
		return s.bindingChanged(SoBindToDevice)
	case SoTimestamp, SoTimestampNS: // one replaces the other
		o.RecvTime, o.RecvTimeNS = v != 0 && name == SoTimestamp, v != 0 && name == SoTimestampNS
	case SoMark:
		o.Mark = uint32(v)
		s.selectorChanged()
	case SoPriority:
		o.Priority = int32(v)
	default: // SO_TYPE, SO_ERROR, SO_DOMAIN … can be read only
		return syscall.ENOPROTOOPT
	}
	return nil
}

// pacingRate reads a value of SO_MAX_PACING_RATE, of 4 or 8 bytes in which all bits
// are no limit (sock.c, sk_setsockopt); 0 for none.
func pacingRate(b []byte) (uint64, error) {
	switch {
	case len(b) < 4:
		return 0, syscall.EINVAL
	case len(b) < 8:
		if v := binary.NativeEndian.Uint32(b); v != math.MaxUint32 {
			return max(uint64(v), 1), nil
		}
		return 0, nil
	}
	if v := binary.NativeEndian.Uint64(b); v != math.MaxUint64 {
		return max(v, 1), nil
	}
	return 0, nil
}

// OnLink tells whether packets to dst must not go by a gateway: SO_DONTROUTE is
// an option of IPv4 (ip_sendmsg_scope, include/net/ip.h).
func (o *SocketOptions) OnLink(dst wire.Addr) bool { return o.DontRoute && dst.Is4() }

// interfaceNameSize is IFNAMSIZ, with the final zero.
const interfaceNameSize = 16

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

// socketOption reads an option of SOL_SOCKET.
func (s *Socket) socketOption(name int, buf []byte) (n int, handled bool, err error) {
	o := s.options
	if (name == SoTimestamp || name == SoTimestampNS) && o.timeNew || (name == soTimestampNew || name == soTimestampNSNew) && !o.timeNew {
		return putInt(buf, 0)
	}
	name = alias(name)
	var v int
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
		d = max(d, 0)
		var b [16]byte
		binary.NativeEndian.PutUint64(b[:], uint64(d/time.Second))
		binary.NativeEndian.PutUint64(b[8:], uint64(d%time.Second/time.Microsecond))
		return copy(buf, b[:]), true, nil
	case SoMaxPacingRate:
		rate := o.MaxPacingRate
		if rate == 0 {
			rate = math.MaxUint64
		}
		var b [8]byte
		if len(buf) < 8 {
			binary.NativeEndian.PutUint32(b[:], uint32(min(rate, math.MaxUint32)))
			return copy(buf, b[:4]), true, nil
		}
		binary.NativeEndian.PutUint64(b[:], rate)
		return copy(buf, b[:]), true, nil
	case SoBindToDevice:
		ifc := s.instance.InterfaceByIndex(int(o.Device))
		if ifc == nil {
			return 0, true, nil
		}
		if len(buf) < interfaceNameSize {
			return 0, true, syscall.EINVAL
		}
		return copy(buf, ifc.name+"\x00"), true, nil
	case SoError:
		v = int(s.err)
		s.err = 0
		if x, ok := s.endpoint.(SoftErrorer); ok && v == 0 { // net/core/sock.c, sk_getsockopt
			v = int(x.TakeSoftError())
		}
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
		v = int(s.buffers().send)
	case SoRcvBuf:
		v = int(s.buffers().receive)
	case SoRcvLowat:
		v = int(o.ReceiveLowat)
	case SoSndLowat:
		v = 1
	case SoBindToIfindex:
		v = int(o.Device)
	case SoTimestamp:
		v = bit(o.RecvTime)
	case SoTimestampNS:
		v = bit(o.RecvTimeNS)
	case SoMark:
		v = int(o.Mark)
	case SoPriority:
		v = int(o.Priority)
	default:
		return 0, true, syscall.ENOPROTOOPT
	}
	return putInt(buf, v)
}
