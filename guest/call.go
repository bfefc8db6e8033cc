//go:build linux && (amd64 || arm64)

package guest

import (
	"encoding/binary"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/posix"

	"github.com/libos-go/libos/core/bpf"
)

// maxAddress holds every socket address (struct sockaddr_storage).
const maxAddress = 128

// openSocket is socket(2).
func (r *request) openSocket() {
	family, typ, protocol := r.arg(0), r.arg(1), r.arg(2)
	fd, err := r.g.process.Socket(family, typ&^unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		_ = r.fail(err)
		return
	}
	kind := typ &^ (unix.SOCK_CLOEXEC | unix.SOCK_NONBLOCK)
	s, end, err := r.g.pair(r.c.Thread, fd, family, kind, protocol, typ&unix.SOCK_NONBLOCK != 0)
	if err != nil {
		_ = r.g.process.Close(fd)
		_ = r.fail(err)
		return
	}
	if s.stream() {
		err = s.stop(end, smallBuffer)
	}
	if err == nil {
		err = r.l.ReturnFD(&r.c, end, typ&unix.SOCK_CLOEXEC != 0)
	}
	_ = unix.Close(end)
	if err != nil {
		s.close(false)
		_ = r.fail(err)
		return
	}
	s.start()
}

// address reads a socket address of the caller.
func (r *request) address(at uint64, length int) ([]byte, error) {
	if length < 0 || length > maxAddress {
		return nil, unix.EINVAL
	}
	b := make([]byte, length)
	return b, r.c.Read(at, b)
}

// putAddress writes an address of n bytes, of which b has those that are kept, as
// getsockname(2) does: cut to the room that the integer at lengthAt tells of, which
// becomes the whole length.
func (r *request) putAddress(at, lengthAt uint64, b []byte, n int) error {
	var l [4]byte
	if err := r.c.Read(lengthAt, l[:]); err != nil {
		return err
	}
	room := int(int32(binary.NativeEndian.Uint32(l[:])))
	if room < 0 {
		return unix.EINVAL
	}
	if err := r.c.Write(at, b[:min(room, len(b))]); err != nil {
		return err
	}
	binary.NativeEndian.PutUint32(l[:], uint32(n))
	return r.c.Write(lengthAt, l[:])
}

func bindCall(r *request, s *socket, _ int) (int, error) {
	a, err := r.address(r.c.Args[1], r.arg(2))
	if err == nil {
		err = s.g.process.Bind(s.fd, a)
	}
	for range reapTries {
		if err != unix.EADDRINUSE {
			break
		}
		if closed, _ := s.g.reap(); closed == 0 {
			time.Sleep(reapPause)
		}
		err = s.g.process.Bind(s.fd, a)
	}
	return 0, err
}

func (r *request) connectCall() {
	s, end, err := r.socket()
	if err != nil {
		_ = r.fail(err)
		return
	}
	if s == nil {
		r.goOn()
		return
	}
	a, err := r.address(r.c.Args[1], r.arg(2))
	if err != nil {
		_ = unix.Close(end)
		_ = r.fail(err)
		return
	}
	if s.stream() {
		r.connect(s, end, a)
		return
	}
	_ = unix.Close(end)
	_ = r.done(0, s.g.process.Connect(s.fd, a))
}

func (r *request) acceptCall() {
	s, end, err := r.socket()
	if err != nil {
		_ = r.fail(err)
		return
	}
	if s == nil {
		r.goOn()
		return
	}
	flags := 0
	if r.c.Number == unix.SYS_ACCEPT4 {
		flags = r.arg(3)
	}
	r.accept(s, end, flags)
}

// addressCall is getsockname(2) or getpeername(2): of tells the address.
func addressCall(of func(p *posix.Process, fd int, addr []byte) (int, error)) func(*request, *socket, int) (int, error) {
	return func(r *request, s *socket, _ int) (int, error) { return 0, r.putAddressOf(s, of) }
}

// putAddressOf writes an address of s where the caller wants it by its second and third
// argument.
func (r *request) putAddressOf(s *socket, of func(p *posix.Process, fd int, addr []byte) (int, error)) error {
	var b [maxAddress]byte
	n, err := of(s.g.process, s.fd, b[:])
	if err != nil {
		return err
	}
	return r.putAddress(r.c.Args[1], r.c.Args[2], b[:min(n, len(b))], n)
}

// maxOption holds every value of a socket option.
const maxOption = 16 << 10

func setOptionCall(r *request, s *socket, end int) (int, error) {
	level, name, n := r.arg(1), r.arg(2), r.arg(4)
	if n < 0 || n > maxOption {
		return 0, unix.EINVAL
	}
	v := make([]byte, n)
	err := r.c.Read(r.c.Args[3], v)
	if err != nil {
		return 0, err
	}
	if s.family == unix.AF_PACKET && level == unix.SOL_PACKET {
		err = r.setPacketOption(s, name, v)
	} else {
		if level == unix.SOL_SOCKET && name == unix.SO_ATTACH_FILTER {
			v, err = filterProgram(r, v)
		}
		if err == nil {
			err = s.g.process.Setsockopt(s.fd, level, name, v)
		}
	}
	if !s.stream() {
		s.mu.Lock()
		s.settle(end) // it may have emptied the error queue
		s.mu.Unlock()
	}
	if err == nil && level == unix.SOL_SOCKET {
		switch name { // how the program's native calls wait
		case unix.SO_RCVTIMEO, unix.SO_SNDTIMEO, unix.SO_RCVLOWAT:
			_ = unix.SetsockoptString(end, level, name, string(v))
		}
	}
	return 0, err
}

// setPacketOption sets an option of SOL_PACKET.
func (r *request) setPacketOption(s *socket, name int, v []byte) (err error) {
	switch {
	case name == packetRxRing || name == packetTxRing:
		return s.setRing(name, v, descriptor{r.c.Process(), r.arg(0)})
	case name == packetFanoutData && len(v) == sizeofFprog:
		if v, err = filterProgram(r, v); err != nil {
			return err
		}
	case name == packetFanout: // sockets that the program has closed are in no group any more
		for until := time.Now().Add(reapPatience); time.Now().Before(until); time.Sleep(reapPause) {
			if _, left := s.g.reap(); left == 0 {
				break
			}
		}
	}
	return s.g.process.Setsockopt(s.fd, unix.SOL_PACKET, name, v)
}

// sizeofFprog is struct sock_fprog of a 64-bit program: a count and a pointer.
const sizeofFprog = 16

// filterProgram is what a struct sock_fprog points to, an array of struct sock_filter
// (copy_bpf_fprog_from_user, net/core/filter.c).
func filterProgram(r *request, v []byte) ([]byte, error) {
	if len(v) != sizeofFprog {
		return nil, unix.EINVAL
	}
	n := int(binary.NativeEndian.Uint16(v))
	if n == 0 || n > bpf.MaxLen {
		return nil, unix.EINVAL
	}
	list := make([]byte, n*unix.SizeofSockFilter)
	return list, r.c.Read(binary.NativeEndian.Uint64(v[8:]), list)
}

func optionCall(r *request, s *socket, end int) (int, error) {
	var l [4]byte
	if err := r.c.Read(r.c.Args[4], l[:]); err != nil {
		return 0, err
	}
	n := int(int32(binary.NativeEndian.Uint32(l[:])))
	if n < 0 {
		return 0, unix.EINVAL
	}
	v := make([]byte, min(n, maxOption))
	var err error
	if r.arg(1) == unix.SOL_SOCKET && r.arg(2) == unix.SO_ERROR && !s.stream() {
		n = copy(v, binary.NativeEndian.AppendUint32(nil, uint32(s.errorOption(end))))
	} else {
		if r.arg(1) == unix.SOL_PACKET && r.arg(2) == packetHeaderLen { // of a version, which is there
			err = r.c.Read(r.c.Args[3], v[:min(len(v), 4)])
		}
		if err == nil {
			n, err = s.g.process.Getsockopt(s.fd, r.arg(1), r.arg(2), v)
		}
	}
	if err == nil {
		err = r.c.Write(r.c.Args[3], v[:min(n, len(v))])
	}
	if err == nil {
		binary.NativeEndian.PutUint32(l[:], uint32(n))
		err = r.c.Write(r.c.Args[4], l[:])
	}
	return 0, err
}

// shutdownCall ends directions of the pair: the pump tells the stack when it has
// carried what was written before.
func shutdownCall(r *request, s *socket, end int) (int, error) {
	how := r.arg(1)
	if how < unix.SHUT_RD || how > unix.SHUT_RDWR {
		return 0, unix.EINVAL
	}
	if _, err := s.g.process.Getpeername(s.fd, nil); err != nil {
		return 0, s.g.process.Shutdown(s.fd, how) // of a listener, or ENOTCONN
	}
	if !s.stream() {
		err := s.g.process.Shutdown(s.fd, how)
		_ = unix.Shutdown(end, how)
		return 0, err
	}
	s.mu.Lock()
	s.halves = true
	s.mu.Unlock()
	if how != unix.SHUT_WR {
		_ = s.g.process.Shutdown(s.fd, unix.SHUT_RD)
	}
	return 0, unix.Shutdown(end, how)
}

// control is ioctl(2) of a socket of ours.
func (r *request) control(s *socket, end int) (int, error) {
	request := uint(uint32(r.c.Args[1]))
	switch request {
	case unix.TIOCINQ, unix.TIOCOUTQ:
		return 0, r.queueLength(s, end, request)
	case unix.SIOCGIFCONF:
		return 0, r.interfaces(s)
	}
	b := make([]byte, posix.IoctlSize(s.family, request))
	if err := r.c.Read(r.c.Args[2], b); err != nil {
		return 0, err
	}
	if (request == posix.SIOCADDRT || request == posix.SIOCDELRT) && s.family != unix.AF_INET6 {
		device, err := r.routeDevice(b)
		if err == nil {
			err = s.g.process.Route(request, b, device)
		}
		return 0, err
	}
	if request == posix.SIOCETHTOOL {
		return r.ethtool(s, b)
	}
	n, err := s.g.process.Ioctl(s.fd, request, b)
	if err == nil {
		err = r.c.Write(r.c.Args[2], b)
	}
	return n, err
}

// ethtool is SIOCETHTOOL, with the request that a struct ifreq points to.
func (r *request) ethtool(s *socket, ifreq []byte) (int, error) {
	at := binary.NativeEndian.Uint64(ifreq[posix.EthtoolPointer:])
	var b []byte
	for n := posix.EthtoolSize(nil); len(b) < n; n = posix.EthtoolSize(b) {
		b = make([]byte, n)
		if err := r.c.Read(at, b); err != nil {
			return 0, err
		}
	}
	answer, n, err := s.g.process.Ethtool(ifreq, b)
	if err == nil {
		err = r.c.Write(at, answer)
	}
	return n, err
}

// routeDevice is the name that a struct rtentry points to, "" for none
// (rtentry_to_fib_config, net/ipv4/fib_frontend.c).
func (r *request) routeDevice(entry []byte) (string, error) {
	at := binary.NativeEndian.Uint64(entry[posix.RtentryDevice:])
	if at == 0 {
		return "", nil
	}
	return r.c.String(at, unix.IFNAMSIZ)
}

// queueLength is FIONREAD and SIOCOUTQ: what waits in the stack and in the pair.
func (r *request) queueLength(s *socket, end int, request uint) error {
	var b [4]byte
	_, err := s.g.process.Ioctl(s.fd, request, b[:])
	n := int(int32(binary.NativeEndian.Uint32(b[:])))
	if err == nil {
		var here int
		if request == unix.TIOCINQ {
			here, err = unix.IoctlGetInt(end, unix.TIOCINQ)
		} else {
			_ = s.raw.Control(func(fd uintptr) { here, err = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
		}
		if !s.stream() && here > 0 {
			n = 0 // the first datagram alone counts
		}
		n += here
	}
	if err != nil {
		return err
	}
	binary.NativeEndian.PutUint32(b[:], uint32(n))
	return r.c.Write(r.c.Args[2], b[:])
}

// interfaces is SIOCGIFCONF: struct ifconf has the length of a buffer of the caller
// and its address.
func (r *request) interfaces(s *socket) error {
	var c [posix.SizeofIfconf]byte
	if err := r.c.Read(r.c.Args[2], c[:]); err != nil {
		return err
	}
	b, err := s.g.process.Ifconf(c[:])
	if at := binary.NativeEndian.Uint64(c[8:]); err == nil && at != 0 {
		err = r.c.Write(at, b)
	}
	if err != nil {
		return err
	}
	return r.c.Write(r.c.Args[2], c[:4])
}
