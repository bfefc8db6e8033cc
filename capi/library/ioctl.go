//go:build cgo

package main

import (
	"syscall"
	"unsafe"

	"github.com/libos-go/libos/posix"
)

// ioctl is ioctl(2) with what arg points to, and where a struct has a pointer of its
// own, with what that points to.
func (s *stack) ioctl(fd int, request uint, arg unsafe.Pointer) (int, error) {
	family := 0
	if x, err := s.Process.Stack(fd); err == nil {
		family, _, _ = x.Kind()
	}
	b := memory(arg, int64(posix.IoctlSize(family, request)))
	switch request {
	case posix.SIOCADDRT, posix.SIOCDELRT:
		if family == posix.AF_INET6 || b == nil {
			break
		}
		return 0, s.Process.Route(request, b, text(*(*unsafe.Pointer)(unsafe.Pointer(&b[posix.RtentryDevice]))))
	case posix.SIOCETHTOOL:
		return s.ethtool(b)
	case posix.SIOCGIFCONF:
		return 0, s.interfaces(memory(arg, posix.SizeofIfconf))
	}
	return s.Ioctl(fd, request, b)
}

// ethtool is SIOCETHTOOL, with the request that a struct ifreq points to.
func (s *stack) ethtool(ifreq []byte) (int, error) {
	if ifreq == nil {
		return 0, syscall.EFAULT
	}
	at := *(*unsafe.Pointer)(unsafe.Pointer(&ifreq[posix.EthtoolPointer]))
	if at == nil {
		return 0, syscall.EFAULT
	}
	var b []byte
	for n := posix.EthtoolSize(nil); len(b) < n; n = posix.EthtoolSize(b) {
		b = memory(at, int64(n))
	}
	answer, n, err := s.Ethtool(ifreq, b)
	if err == nil {
		copy(memory(at, int64(len(answer))), answer)
	}
	return n, err
}

// interfaces is SIOCGIFCONF: into the buffer that a struct ifconf has the length and the
// address of, or without one as a length alone.
func (s *stack) interfaces(conf []byte) error {
	if conf == nil {
		return syscall.EFAULT
	}
	list, err := s.Ifconf(conf)
	if at := *(*unsafe.Pointer)(unsafe.Pointer(&conf[8])); err == nil && at != nil {
		copy(memory(at, int64(len(list))), list)
	}
	return err
}
