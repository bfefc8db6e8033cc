//go:build linux && (amd64 || arm64)

package guest

import (
	"encoding/binary"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/libos-go/libos/guest/trap"
	"github.com/libos-go/libos/posix"
)

// mapping is the rings of a packet socket, which its program maps: that to receive into,
// and behind it that to send from.
//
// A program has frames of the latter sent by send(2) of nothing, mostly, without an address,
// which of other sockets is not stopped: the filter sees no sockets, but it does see that
// nothing is sent. So that call is answered by the stack, with what send(2) of such a
// socket returns. What else may be sent to have it sent (write(2), send(2) of some bytes,
// for which Linux does not care) arrives as a datagram in our end of the pair, which is
// sent on the stack's socket as any other, with the same effect; what the program gets is
// the length of that, and an error with its next call.
type mapping struct {
	fd     int    // a file in memory; it is mapped by us and by the program
	memory []byte // ours, which the stack uses
	stop   func()
	ended  chan struct{}
	holder descriptor // where the program's end was last
	mapped bool       // the program has
}

// descriptor is one of a process of a program.
type descriptor struct{ process, number int }

// Options of SOL_PACKET that a Guest has to know.
const (
	packetRxRing     = 5
	packetHeaderLen  = 11
	packetTxRing     = 13
	packetFanout     = 18
	packetFanoutData = 22
)

// sharedMappings are the calls of mmap(2) that may be of a ring.
func sharedMappings() []trap.Condition {
	const kinds = unix.MAP_TYPE | unix.MAP_ANONYMOUS
	return []trap.Condition{
		{Argument: 3, Mask: kinds, From: unix.MAP_SHARED, To: unix.MAP_SHARED},
		{Argument: 3, Mask: kinds, From: unix.MAP_SHARED_VALIDATE, To: unix.MAP_SHARED_VALIDATE},
	}
}

// setRing is PACKET_RX_RING or PACKET_TX_RING. EBUSY for a ring beside one that the program
// has mapped.
func (s *socket) setRing(name int, v []byte, holder descriptor) error {
	s.mu.Lock()
	mapped := s.mapping != nil && s.mapping.mapped
	s.mu.Unlock()
	if mapped && len(v) >= 16 && binary.NativeEndian.Uint32(v[4:]) != 0 {
		return unix.EBUSY
	}
	err := s.g.process.Setsockopt(s.fd, unix.SOL_PACKET, name, v)
	if err == nil {
		err = s.ringChanged(holder)
	}
	return err
}

// ringChanged gives the rings their memory, when one has been made or has ended.
func (s *socket) ringChanged(holder descriptor) error {
	receive, send := s.g.process.RingSizes(s.fd)
	n := receive + send
	s.mu.Lock()
	old := s.mapping
	s.mu.Unlock()
	if n == 0 || old != nil && len(old.memory) == n {
		if n == 0 {
			s.unmap()
		}
		return nil
	}
	fd, err := unix.MemfdCreate("ring", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return err
	}
	m := &mapping{fd: fd, stop: func() {}, ended: make(chan struct{}), holder: holder}
	if err = unix.Ftruncate(fd, int64(n)); err == nil {
		// A file that the program cut short would have our accesses fail.
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err == nil {
		m.memory, err = unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	}
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	// From here on the stack uses the new memory alone, if that works.
	if err = s.g.process.MapRing(s.fd, m.memory); err != nil {
		_ = unix.Munmap(m.memory)
		_ = unix.Close(fd)
		return err
	}
	var arrival <-chan struct{}
	if receive > 0 {
		if arrival, m.stop, err = s.watch(posix.POLLIN); err != nil { // closed
			arrival, m.stop, err = nil, func() {}, nil
		}
	}
	s.unmap()
	s.mu.Lock()
	ended := s.state == over
	s.mapping = m
	s.mu.Unlock()
	switch {
	case ended: // which had nothing to unmap
		s.unmap()
	case arrival != nil:
		s.g.running.Go(func() { s.pumpRing(m, arrival) })
	}
	return err
}

// unmap gives up our part of the rings, which the stack uses no more.
func (s *socket) unmap() {
	s.mu.Lock()
	m := s.mapping
	s.mapping = nil
	s.mu.Unlock()
	if m != nil {
		m.stop()
		close(m.ended)
		_ = unix.Munmap(m.memory)
		_ = unix.Close(m.fd)
	}
}

// lookAgain is how often it is looked whether a program has given back what it got of
// its ring, which it does without a call.
const lookAgain = time.Millisecond

// pumpRing keeps a byte in the program's end while the ring has something, which is what
// makes it readable.
func (s *socket) pumpRing(m *mapping, arrival <-chan struct{}) {
	for {
		select {
		case <-arrival:
		case <-m.ended:
			return
		}
		if s.poll(posix.POLLIN, 0) != nil {
			continue
		}
		s.mu.Lock()
		_ = s.pushNative(s.g.filler[:1])
		s.mu.Unlock()
		for s.poll(posix.POLLIN, 0) == nil {
			select {
			case <-time.After(lookAgain):
			case <-m.ended:
				return
			}
		}
		s.emptyEnd(m)
	}
}

// emptyEnd takes the byte out of the program's end, wherever that is now.
func (s *socket) emptyEnd(m *mapping) {
	s.mu.Lock()
	end := s.borrow(m.holder)
	s.mu.Unlock()
	if end < 0 {
		return
	}
	var b [16]byte
	for {
		if _, _, err := unix.Recvfrom(end, b[:], unix.MSG_DONTWAIT); err != nil && err != unix.ECONNRESET {
			break
		}
	}
	_ = unix.Close(end)
}

// borrow is a copy of the program's end: -1 if it is not found. It is looked for where it
// was, and then in all processes.
func (s *socket) borrow(at descriptor) int {
	if end := s.borrowFrom(at); end >= 0 {
		return end
	}
	for d := range holders(map[string]bool{linkOf(s.inode): true}) {
		if end := s.borrowFrom(d); end >= 0 {
			if s.mapping != nil {
				s.mapping.holder = d
			}
			return end
		}
	}
	return -1
}

func (s *socket) borrowFrom(d descriptor) int {
	end := d.borrow()
	var st unix.Stat_t
	if end < 0 || unix.Fstat(end, &st) == nil && st.Ino == s.inode && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
		return end
	}
	_ = unix.Close(end)
	return -1
}

// borrow is a copy of a descriptor, -1 if there is none.
func (d descriptor) borrow() int {
	pidfd, err := unix.PidfdOpen(d.process, 0)
	if err != nil {
		return -1
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, d.number, 0)
	if err != nil {
		return -1
	}
	return fd
}

// linkOf is how /proc names descriptors of a socket.
func linkOf(inode uint64) string { return "socket:[" + strconv.FormatUint(inode, 10) + "]" }

// pageSize is that of the machines that programs run on.
const pageSize = 4096

// mapCall is mmap(2) of what may be shared memory.
func (r *request) mapCall() {
	w := *r
	end, err := r.c.Descriptor(r.arg(4))
	if err != nil {
		r.goOn()
		return
	}
	s := r.g.socketOf(end)
	_ = unix.Close(end)
	if s == nil || s.family != unix.AF_PACKET {
		r.goOn()
		return
	}
	fd := -1
	s.mu.Lock()
	// packet_mmap: all of it, or nothing
	if m := s.mapping; m != nil && (r.c.Args[1]+pageSize-1)&^(pageSize-1) == uint64(len(m.memory)) && r.c.Args[5] == 0 {
		fd, _ = unix.FcntlInt(uintptr(m.fd), unix.F_DUPFD_CLOEXEC, 0)
		m.holder, m.mapped = descriptor{r.c.Process(), r.arg(4)}, true
	}
	s.mu.Unlock()
	if fd < 0 {
		_ = r.fail(unix.EINVAL)
		return
	}
	r.p.waiting.Go(func() {
		defer unix.Close(fd)
		if err := w.l.Redirect(&w.c, 4, fd); err != nil {
			_ = w.fail(os.NewSyscallError("mmap", err))
		}
	})
}
