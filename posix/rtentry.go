package posix

import (
	"encoding/binary"
	"strings"
	"syscall"

	"github.com/libos-go/libos/core"
	"github.com/libos-go/libos/core/wire"
)

// Requests of route(8): struct rtentry on sockets of IPv4 (rtentry_to_fib_config,
// net/ipv4/fib_frontend.c), struct in6_rtmsg on those of IPv6 (rtmsg_to_fib6_config,
// net/ipv6/route.c).
const (
	SIOCADDRT = 0x890b
	SIOCDELRT = 0x890c
)

// RtentryDevice is where a struct rtentry has its pointer to the name of an interface.
const RtentryDevice = 88

const (
	sizeofRtentry  = 120
	rtentryMetric  = 80
	rtentryMTU     = 96
	sizeofIn6Rtmsg = 80

	routeGateway = 0x2
	routeHost    = 0x4
	routeMTU     = 0x40
	routeReject  = 0x200
	routeExpires = 0x400000

	metric6 = 1024 // IP6_RT_PRIO_USER
)

// Route adds or removes an IPv4 route as a struct rtentry says; device is the name that
// its rt_dev points to, "" for a null pointer. EEXIST and ESRCH as for ip route,
// EAFNOSUPPORT, EINVAL and ENODEV for what makes no sense.
func (p *Process) Route(request uint, entry []byte, device string) error {
	if len(entry) < sizeofRtentry {
		return syscall.EFAULT
	}
	ne := binary.NativeEndian
	address := func(at int) (uint16, wire.Addr) {
		return ne.Uint16(entry[at:]), wire.FromV4(binary.BigEndian.Uint32(entry[at+4:]))
	}
	family, dst := address(8)
	gatewayFamily, gateway := address(24)
	maskFamily, mask := address(40)
	flags := ne.Uint16(entry[56:])
	e := core.RouteEntry{Prefix: wire.Prefix{Addr: dst, Bits: 32}}
	if family != AF_INET {
		return syscall.EAFNOSUPPORT
	}
	if flags&routeHost == 0 {
		if maskFamily != AF_INET && (maskFamily != 0 || mask != wire.IPv4Any()) {
			return syscall.EAFNOSUPPORT
		}
		var ok bool
		if e.Prefix.Bits, ok = maskBits(mask); !ok {
			return syscall.EINVAL
		}
	}
	if m := ne.Uint16(entry[rtentryMetric:]); m != 0 {
		e.Metric = uint32(m) - 1
	}
	if request == SIOCADDRT {
		e.Protocol = core.RouteByBoot
	}
	if flags&routeMTU != 0 { // Linux asks peers for segments that fit (RTAX_ADVMSS); a path's MTU bounds ours, too
		e.MTU = int(min(ne.Uint64(entry[rtentryMTU:]), 1<<16))
	}
	var err error
	p.domain.Do(func() {
		switch {
		case flags&routeReject != 0:
			e.Type, e.Scope = core.RouteUnreachable, core.ScopeHost
		default:
			if device != "" {
				name, _, _ := strings.Cut(device, ":")
				if e.Interface = p.instance.InterfaceNamed(name); e.Interface == nil {
					err = syscall.ENODEV
					return
				}
			}
			if gatewayFamily == AF_INET && gateway != wire.IPv4Any() {
				e.Gateway = gateway
			}
			if request == SIOCADDRT {
				if flags&routeGateway != 0 && e.Gateway.IsUnspecified() {
					err = syscall.EINVAL
					return
				}
				if e.Scope = core.ScopeLink; flags&routeGateway != 0 {
					e.Scope = core.ScopeUniverse
				}
			}
		}
		err = p.putRoute(request, &e)
	})
	return err
}

func (p *Process) putRoute(request uint, e *core.RouteEntry) error {
	if request == SIOCADDRT {
		return p.instance.AddRouteLocked(e)
	}
	return p.instance.RemoveRouteLocked(e)
}

// route6 is Route for a struct in6_rtmsg.
func (p *Process) route6(request uint, b []byte) error {
	if len(b) < sizeofIn6Rtmsg {
		return syscall.EFAULT
	}
	ne := binary.NativeEndian
	address := func(at int) wire.Addr { return wire.AddrFrom16([16]byte(b[at:])) }
	length, source := ne.Uint16(b[52:]), ne.Uint16(b[54:])
	if length > 128 || source > 128 {
		return syscall.EINVAL
	}
	if source != 0 { // routes by source are rules
		return syscall.EINVAL
	}
	e := core.RouteEntry{Prefix: wire.Prefix{Addr: address(0), Bits: uint8(length)}.Masked(), Metric: ne.Uint32(b[56:])}
	flags := ne.Uint32(b[72:])
	if flags&routeGateway != 0 {
		e.Gateway = address(32)
	}
	if request == SIOCADDRT {
		e.Protocol = core.RouteByBoot
		if e.Metric == 0 {
			e.Metric = metric6
		}
	}
	var err error
	p.domain.Do(func() {
		if index := int(int32(ne.Uint32(b[76:]))); index != 0 {
			if e.Interface = p.instance.InterfaceByIndex(index); e.Interface == nil {
				err = syscall.ENODEV
				return
			}
		}
		if flags&routeReject != 0 {
			e.Type = core.RouteUnreachable
		}
		if seconds := ne.Uint64(b[64:]); flags&routeExpires != 0 && seconds > 0 {
			e.Expires = p.instance.Lifetime(uint32(min(seconds, 1<<32-2)))
		}
		err = p.putRoute(request, &e)
	})
	return err
}
