package posix

import "syscall"

// IoctlSize is how many bytes the argument of an ioctl on a socket of a family points
// to. Pointers within them (SIOCGIFCONF, SIOCADDRT, SIOCETHTOOL) are the caller's affair.
func IoctlSize(family int, request uint) int {
	switch {
	case request == SIOCADDRT, request == SIOCDELRT:
		if family == AF_INET6 {
			return sizeofIn6Rtmsg
		}
		return sizeofRtentry
	case family == AF_INET6 && (request == SIOCSIFADDR || request == SIOCDIFADDR):
		return sizeofIn6Ifreq
	case request == SIOCDARP, request == SIOCGARP, request == SIOCSARP:
		return sizeofArpreq
	case request == SIOCGSTAMP, request == SIOCGSTAMPNS:
		return sizeofTimeval
	case readsIfreq(request), changesIfreq(request):
		return sizeofIfreq
	}
	return 4
}

const sizeofTimeval = 16

// netdevice answers requests about interfaces, routes and neighbours: handled is false
// for any other.
func (p *Process) netdevice(family int, request uint, arg []byte) (handled bool, err error) {
	switch {
	case request == SIOCADDRT, request == SIOCDELRT:
		if family == AF_INET6 {
			return true, p.route6(request, arg)
		}
		return true, syscall.EFAULT // the name it points to is told by Route
	case family == AF_INET6 && (request == SIOCSIFADDR || request == SIOCDIFADDR):
		return true, p.address6(request, arg)
	case request == SIOCDARP, request == SIOCGARP, request == SIOCSARP:
		return true, p.arp(request, arg)
	case readsIfreq(request), changesIfreq(request):
		return true, p.ifreq(request, arg)
	}
	return false, nil
}
